import { connect, createServer, type Socket } from 'node:net';
import { wafV1 } from '@sallyport/contracts';
import { planId, type Inspection, type InspectionAnswer, type InspectionHead, type Inspector } from '@sallyport/waf';
import {
  answerUnderTest,
  describeInspector,
  headUnderTest,
  inspectionUnderTest,
} from '../../libs/waf/src/inspector.suite';
import { isSilence, type Silence } from '../../apps/ingress/src/consult/consult';
import { RemoteInspector } from '../../apps/ingress/src/consult/remote-inspector';
import { DecideModule } from '../../apps/waf/src/decide/decide.module';
import { OpenStreams } from '../../apps/waf/src/decide/open-streams';
import { answered, connected, consultRuntime, PATIENT_MS, serve } from './over-grpc';

const services = { 'sallyport.waf.v1.InspectionService': wafV1.InspectionServiceService };
const patient = { baseMs: PATIENT_MS, perKibMs: 0, capMs: PATIENT_MS };

async function reach(engine: Inspector, budget = patient) {
  const server = await serve(DecideModule.over(engine, new OpenStreams()), services);
  const remote = new RemoteInspector({ target: server.target, runtime: consultRuntime(), budget });
  await connected(remote);
  const inspector: Inspector = {
    open: (head, answer) => remote.open(head, (outcome) => answer(answered(outcome))),
    malformed: (request, answer) => remote.malformed(request, (outcome) => answer(answered(outcome))),
  };
  const close = async (): Promise<void> => {
    await remote.close();
    await server.close();
  };
  return { inspector, remote, close };
}

describeInspector('over a Decide stream', reach);

/** Passes bytes on between a client and a server, and can stop reading what the client sends. */
async function startBetween(path: string) {
  const target = `${path}-between`;
  const clients: Socket[] = [];
  const proxy = createServer((client) => {
    const server = connect(path);
    clients.push(client);
    client.pipe(server).pipe(client);
    for (const socket of [client, server]) socket.on('error', () => socket.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(target, resolve));
  return {
    target: `unix:${target}`,
    stall: () => clients.forEach((client) => client.pause()),
    flow: () => clients.forEach((client) => client.resume()),
    close: async (): Promise<void> => {
      const closed = new Promise((resolve) => proxy.close(resolve));
      clients.forEach((client) => client.destroy());
      await closed;
    },
  };
}

describe('an exchange on a Decide stream', () => {
  const withBody = {
    head: headUnderTest({ method: 'POST', hasBody: true }),
    plan: 'structural:block',
    tenant: 'default',
    requestId: 'req_1',
  };
  const passed = answerUnderTest();

  /** An engine that notes what reaches it and answers the head only. */
  class Notes implements Inspector {
    readonly chunks: Buffer[] = [];
    readonly outcomes: string[] = [];
    open(opening: InspectionHead, answer: (answer: InspectionAnswer) => void): Inspection {
      answer({ ...passed, enough: !opening.head.hasBody });
      return {
        ...inspectionUnderTest,
        body: (chunk) => this.chunks.push(Buffer.from(chunk)) > 0,
        responseBody: (chunk) => this.chunks.push(Buffer.from(chunk)) > 0,
        close: (outcome) => void this.outcomes.push(outcome),
      };
    }
    malformed(): void {}
  }

  const until = async (condition: () => boolean): Promise<void> => {
    for (const end = Date.now() + 5_000; !condition();) {
      if (Date.now() > end) throw new Error('the condition did not come true within 5 s');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };

  it('carries a body byte for byte in parts of at most 64 KiB, and the outcome at its end', async () => {
    const notes = new Notes();
    const { inspector, close } = await reach(notes);
    const inspection = inspector.open(withBody, () => {});
    const body = Buffer.alloc(200_001, 'käse');
    expect(inspection.body(body)).toBe(true);
    inspection.close('client_aborted');
    await until(() => notes.outcomes.length === 1);
    expect(Buffer.concat(notes.chunks).equals(body)).toBe(true);
    expect(notes.chunks.map(({ length }) => length)).toEqual([65_536, 65_536, 65_536, 3_393]);
    expect(notes.outcomes).toEqual(['client_aborted']);
    await close();
  });

  it('waits for a slow client as long as it takes, and for the service only its budget', async () => {
    const { remote, close } = await reach(new Notes(), { baseMs: 150, perKibMs: 0, capMs: 150 });
    const heard: (InspectionAnswer | Silence)[] = [];
    const inspection = remote.open(withBody, (outcome) => heard.push(outcome));
    await until(() => heard.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(heard).toEqual([passed]);
    inspection.bodyEnd();
    await until(() => heard.length === 2);
    expect(heard[1]).toBe('slow');
    expect(inspection.body(Buffer.from('more'))).toBe(false);
    await close();
  });

  it('breaks with its stream, and says so once', async () => {
    const { remote, close } = await reach(new Notes());
    const heard: (InspectionAnswer | Silence)[] = [];
    const inspection = remote.open(withBody, (outcome) => heard.push(outcome));
    await until(() => heard.length === 1);
    await close();
    inspection.bodyEnd();
    inspection.close('forwarded');
    expect(heard.filter(isSilence)).toEqual(['down']);
  });

  /** Sends 16 MiB to a service that does not read at first, and waits whenever it is asked to. */
  async function sendToStalled(
    opening: InspectionHead,
    begin: (inspection: Inspection) => void,
    send: (inspection: Inspection, chunk: Buffer) => boolean,
  ) {
    const notes = new Notes();
    const server = await serve(DecideModule.over(notes, new OpenStreams()), services);
    const between = await startBetween(server.target.slice('unix:'.length));
    const remote = new RemoteInspector({ target: between.target, runtime: consultRuntime(), budget: patient });
    await connected(remote);
    const heard: (InspectionAnswer | Silence)[] = [];
    const inspection = remote.open(opening, (outcome) => heard.push(outcome));
    await until(() => heard.length === 1);
    begin(inspection);
    between.stall();
    const chunk = Buffer.alloc(64 * 1024, 7);
    let sent = 0;
    let waited = 0;
    for (; sent < 256; sent++) {
      if (inspection.clogged) {
        if (++waited === 1) between.flow();
        await new Promise<void>((resolve) => inspection.whenFlowing(resolve));
      }
      expect(send(inspection, chunk)).toBe(true);
      await new Promise((resolve) => setImmediate(resolve));
    }
    inspection.close('over');
    await until(() => notes.outcomes.length === 1);
    await remote.close();
    await between.close();
    await server.close();
    return { waited, heard, sent: 256 * chunk.length, read: Buffer.concat(notes.chunks).length };
  }

  it('asks the client to wait while the service does not read, and loses nothing of a body larger than the queue', async () => {
    const { waited, heard, sent, read } = await sendToStalled(
      withBody,
      () => {},
      (inspection, chunk) => inspection.body(chunk),
    );
    expect(waited).toBeGreaterThan(0);
    expect(read).toBe(sent);
    expect(heard).toEqual([passed]);
  });

  it('asks the upstream to wait in the same way, also when all of the request has been seen', async () => {
    const plan = planId({ response: { inspect: true } });
    const { waited, sent, read } = await sendToStalled(
      { ...withBody, head: headUnderTest(), plan },
      (inspection) => inspection.response({ status: 200, version: '1.1', fields: [] }),
      (inspection, chunk) => inspection.responseBody(chunk),
    );
    expect(waited).toBeGreaterThan(0);
    expect(read).toBe(sent);
  });

  it('gets its answer from a service that is asked to end', async () => {
    let answer: ((answer: InspectionAnswer) => void) | undefined;
    const slow: Inspector = {
      open: (_, give) => {
        answer = give;
        return { ...inspectionUnderTest, body: () => false };
      },
      malformed: () => undefined,
    };
    const server = await serve(DecideModule.over(slow, new OpenStreams()), services);
    const remote = new RemoteInspector({ target: server.target, runtime: consultRuntime(), budget: patient });
    await connected(remote);
    const heard: (InspectionAnswer | Silence)[] = [];
    const opening = { ...withBody, head: headUnderTest() };
    remote.open(opening, (outcome) => heard.push(outcome));
    await until(() => answer !== undefined);
    const closed = server.close();
    await until(() => remote.state() === 'down');
    expect(heard).toEqual([]);
    answer!({ ...passed, enough: true });
    await until(() => heard.length === 1);
    expect(heard).toEqual([{ ...passed, enough: true }]);
    await closed;
    await remote.close();
  });
});
