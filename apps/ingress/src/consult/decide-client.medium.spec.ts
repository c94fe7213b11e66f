import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import {
  limitsV1,
  readSpending,
  systemClock,
  writeNode,
  writeSpend,
  type WireReader,
  type WireWriter,
} from '@sallyport/contracts';
import { createLogger, createMetrics } from '@sallyport/platform';
import { Consult, type Silence } from './consult';
import { DecideClient, type ConsultRuntime } from './decide-client';

type Answer = { id: number; reply: { allowed: boolean } | undefined };
type Call = ServerDuplexStream<limitsV1.DecideBatch, limitsV1.DecideBatchReply>;

/** A replica that notes what it is sent and answers as the test says. */
class Replica {
  readonly batches: limitsV1.DecideBatch[] = [];
  readonly calls: Call[] = [];
  reply: (batch: limitsV1.DecideBatch, call: Call) => void = (batch, call) =>
    call.write(replyOf(batch.asks.map(({ id }) => ({ id, reply: passed }))));
  private server: Server | undefined;

  constructor(readonly path: string) {}

  async start(): Promise<void> {
    this.server = new Server();
    this.server.addService(limitsV1.LimitServiceService, {
      decide: (call: Call) => {
        this.calls.push(call);
        call.on('data', (batch: limitsV1.DecideBatch) => {
          this.batches.push(batch);
          this.reply(batch, call);
        });
        call.on('end', () => call.end());
        call.on('error', () => {});
      },
      spend: () => {},
    });
    await new Promise<void>((resolve, reject) =>
      this.server!.bindAsync(`unix:${this.path}`, ServerCredentials.createInsecure(), (error) =>
        error ? reject(error) : resolve(),
      ),
    );
  }

  kill(): void {
    this.server?.forceShutdown();
    this.server = undefined;
    rmSync(this.path, { force: true });
  }
}

const passed = limitsV1.SpendReply.create({ allowed: true });
const replyOf = (answers: limitsV1.Answer[]): limitsV1.DecideBatchReply => ({ answers, liveNodes: 1, shared: false });

/** How many questions each message carried, probes not counted. */
const askedOf = ({ batches }: Replica): number[] =>
  batches
    .map(({ asks }) => asks.filter(({ spend }) => spend?.tenant !== 'probe').length)
    .filter((questions) => questions > 0);

/** A replica in a process of its own. */
async function startPeer(path: string) {
  const script = `
    const { Server, ServerCredentials } = require('@grpc/grpc-js');
    const asIs = (bytes) => bytes;
    const method = { path: ${JSON.stringify(limitsV1.LimitServiceService.decide.path)}, requestStream: true, responseStream: true,
      requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
    const server = new Server();
    // Field 1 of each ask, which is field 2 of a batch, is its id; every ask of this test is small.
    server.addService({ decide: method }, { decide: (call) => call.on('data', (batch) => {
      const id = batch[batch.indexOf(0x08) + 1];
      call.write(Buffer.from([0x0a, 6, 0x08, id, 0x12, 2, 0x08, 1]));
    }).on('error', () => {}) });
    server.bindAsync('unix:' + ${JSON.stringify(path)}, ServerCredentials.createInsecure(), () => process.send('up'));
    process.on('disconnect', () => process.exit(0));
  `;
  const child = spawn(process.execPath, ['-e', script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    cwd: process.cwd(),
  });
  await new Promise((resolve) => child.once('message', resolve));
  const end = (): Promise<void> =>
    new Promise((resolve) => {
      child.once('exit', () => resolve());
      child.disconnect();
    });
  return { path, end };
}

class Question extends Consult {
  readonly outcome: Promise<Answer | Silence>;
  private settle!: (outcome: Answer | Silence) => void;

  constructor() {
    super();
    this.outcome = new Promise((resolve) => (this.settle = resolve));
  }
  answered(reader: WireReader, end: number): void {
    const reply = readSpending(reader, end, []);
    this.stream!.end(this);
    this.settle({ id: this.id, reply });
  }
  unanswered(why: Silence): void {
    this.settle(why);
  }
}

describe('DecideClient', () => {
  let folder: string;
  let replicas: Replica[];
  let client: DecideClient;
  let metrics: ReturnType<typeof createMetrics>;
  let warned: jest.SpyInstance;

  const sleepless: Pick<ConsultRuntime, 'chance'> = { chance: () => 0 };
  const connect = (options: { window?: number; greets?: boolean } = {}): void => {
    metrics = createMetrics('ingress');
    const logger = createLogger({ app: 'ingress', node: 'test', level: 'silent' });
    warned = jest.spyOn(logger, 'warn');
    client = new DecideClient({
      service: 'rate-limit',
      target: 'dns:///rate-limit:1',
      window: options.window,
      runtime: {
        clock: systemClock,
        logger,
        metrics,
        ...sleepless,
        resolve: async () => replicas.map(({ path }) => `unix:${path}`),
      },
      protocol: {
        path: limitsV1.LimitServiceService.decide.path,
        begin: (writer) => writeNode(writer, 'test'),
        probe: (writer, id) => writeSpend(writer, id, 'probe', []),
        greets: options.greets,
      },
      budgetMs: 200,
    });
  };
  const ask = (budgetMs = 2_000, bytes = 50): Question => {
    const question = new Question();
    const silence = client.begin(question, budgetMs);
    if (silence) question.unanswered(silence);
    else client.send(question, writeSpend, 't'.repeat(bytes), []);
    return question;
  };
  const until = async (condition: () => boolean): Promise<void> => {
    const deadline = Date.now() + 5_000;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error('the condition did not come true within 5 s');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sp-'));
    replicas = [new Replica(join(folder, 'a.sock'))];
    await replicas[0]!.start();
  });
  afterEach(async () => {
    await client.close();
    replicas.forEach((replica) => replica.kill());
    rmSync(folder, { recursive: true });
  });

  it('sends everything of one turn as one message, and gives each its answer', async () => {
    connect();
    await until(() => client.state() === 'up');
    const questions = Array.from({ length: 100 }, () => ask());
    const answers = await Promise.all(questions.map(({ outcome }) => outcome));
    expect(answers.map((answer) => (answer as Answer).id)).toEqual(questions.map(({ id }) => id));
    expect(askedOf(replicas[0]!)).toEqual([100]);
  });

  it('gives each its own answer when they come in another order', async () => {
    replicas[0]!.reply = ({ asks }, call) =>
      call.write(replyOf(asks.reverse().map(({ id }) => ({ id, reply: { allowed: id % 2 === 0, standings: [] } }))));
    connect();
    await until(() => client.state() === 'up');
    for (const question of Array.from({ length: 20 }, () => ask())) {
      expect(((await question.outcome) as Answer).reply!.allowed).toBe(question.id % 2 === 0);
    }
  });

  it('is down until a replica can be reached, and answers so at once', async () => {
    replicas[0]!.kill();
    connect();
    expect(await ask().outcome).toBe('down');
    await replicas[0]!.start();
    await until(() => client.state() === 'up');
    expect(await ask().outcome).toMatchObject({ reply: { allowed: true } });
  });

  it('gives up a consult after its budget, drops the answer that comes later and counts it', async () => {
    const held: (() => void)[] = [];
    replicas[0]!.reply = ({ asks }, call) =>
      held.push(() => call.write(replyOf(asks.map(({ id }) => ({ id, reply: passed })))));
    connect();
    await until(() => client.state() === 'up');
    expect(await ask(5).outcome).toBe('slow');
    held.forEach((release) => release());
    let page = '';
    await until(() => {
      void metrics.exposition().then((text) => (page = text));
      return /sallyport_consult_late_total\{[^}]*service="rate-limit"[^}]*\} 1/.test(page);
    });
  });

  it('tells everybody waiting at once when the stream breaks, and comes back by itself', async () => {
    replicas[0]!.reply = () => {};
    connect();
    await until(() => client.state() === 'up');
    const waiting = Array.from({ length: 10 }, () => ask(2_500));
    await until(() => replicas[0]!.batches.length > 0);
    const killedAt = performance.now();
    replicas[0]!.kill();
    expect(await Promise.all(waiting.map(({ outcome }) => outcome))).toEqual(Array(10).fill('down'));
    expect(performance.now() - killedAt).toBeLessThan(1_000);
    expect(client.state()).toBe('down');

    replicas[0]!.reply = new Replica('').reply;
    await replicas[0]!.start();
    await until(() => client.state() === 'up');
    expect(await ask().outcome).toMatchObject({ reply: { allowed: true } });
  });

  it('comes back after a peer that ends the stream without an error', async () => {
    connect();
    await until(() => client.state() === 'up');
    replicas[0]!.calls[0]!.end();
    await until(() => replicas[0]!.calls.length === 2 && client.state() === 'up');
    expect(await ask().outcome).toMatchObject({ reply: { allowed: true } });
  });

  it('refuses at once when the window is full, and takes more when it has room again', async () => {
    const calls: { batch: limitsV1.DecideBatch; call: Call }[] = [];
    replicas[0]!.reply = (batch, call) => void calls.push({ batch, call });
    connect({ window: 8 });
    await until(() => client.state() === 'up');
    const inside = Array.from({ length: 8 }, () => ask());
    expect(await ask().outcome).toBe('full');
    await until(() => calls.length > 0);
    replicas[0]!.reply = new Replica('').reply;
    for (const { batch, call } of calls) replicas[0]!.reply(batch, call);
    await Promise.all(inside.map(({ outcome }) => outcome));
    expect(await ask().outcome).toMatchObject({ reply: { allowed: true } });
  });

  it('splits a turn that is too much for one message', async () => {
    connect();
    await until(() => client.state() === 'up');
    await Promise.all(Array.from({ length: 10 }, () => ask(2_000, 200 * 1024).outcome));
    expect(askedOf(replicas[0]!)).toEqual([3, 3, 3, 1]);
  });

  it('stops sending while the peer does not read, holds a bounded amount, and goes on after', async () => {
    connect();
    await until(() => client.state() === 'up' && replicas[0]!.calls.length === 1);
    replicas[0]!.calls[0]!.pause();
    const tenant = 't'.repeat(60_000);
    const questions: Question[] = [];
    for (let turn = 0; turn < 60; turn++) {
      for (let index = 0; index < 8; index++) {
        const question = new Question();
        questions.push(question);
        if (client.begin(question, 2_500)) throw new Error('not begun');
        client.send(question, writeSpend, tenant, []);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    replicas[0]!.calls[0]!.resume();
    const outcomes = await Promise.all(questions.map(({ outcome }) => outcome));
    const full = outcomes.filter((outcome) => outcome === 'full').length;
    expect(full).toBeGreaterThan(0);
    expect(full).toBeLessThan(questions.length);
    expect(await ask().outcome).toMatchObject({ reply: { allowed: true } });
  });

  it('asks the replica with the least outstanding', async () => {
    const second = new Replica(join(folder, 'b.sock'));
    await second.start();
    replicas.push(second);
    replicas.forEach((replica) => (replica.reply = () => {}));
    connect({ greets: true });
    await until(() => replicas.every(({ batches }) => batches.length === 1));
    for (let index = 0; index < 10; index++) ask();
    await until(() => replicas.every(({ batches }) => batches.length === 2));
    expect(replicas.map(({ batches }) => batches[1]!.asks.length)).toEqual([5, 5]);
  });

  it('goes on with the replicas that are left', async () => {
    const second = new Replica(join(folder, 'b.sock'));
    await second.start();
    replicas.push(second);
    connect();
    await until(() => replicas.every(({ calls }) => calls.length === 1));
    replicas[0]!.kill();
    await until(() => replicas[0]!.calls[0]!.cancelled || replicas[0]!.calls[0]!.destroyed);
    await until(() => client.state() === 'up');
    await ask().outcome;
    for (let index = 0; index < 5; index++) expect(await ask().outcome).toMatchObject({ reply: { allowed: true } });
  });

  it('keeps the others of a turn when one question cannot be written', async () => {
    connect();
    await until(() => client.state() === 'up');
    const good = ask();
    const bad = new Question();
    client.begin(bad, 20);
    const broken = (writer: WireWriter): void => {
      writer.text(0x0a, 'half a question');
      throw new RangeError('too large');
    };
    client.send(bad, broken, undefined, undefined);
    expect(await good.outcome).toMatchObject({ reply: { allowed: true } });
    expect(await bad.outcome).toBe('full');
  });

  it('asks a replica a question that decides nothing as soon as it stands, so that no request is the first', async () => {
    connect();
    await until(() => replicas[0]!.batches.length === 1);
    const [{ asks }] = replicas[0]!.batches as [limitsV1.DecideBatch];
    expect(asks.map(({ spend }) => spend?.tenant)).toEqual(['probe']);
    expect(client.state()).toBe('up');
  });

  it('says in its metrics whether the service is up', async () => {
    connect();
    await until(() => client.state() === 'up');
    expect(await metrics.exposition()).toMatch(
      /sallyport_dependency_state\{[^}]*dependency="rate-limit",state="up"[^}]*\} 1/,
    );
    await ask().outcome;
    // The probe before it may have been answered in a message of its own.
    expect(await metrics.exposition()).toMatch(
      /sallyport_consult_seconds_count\{[^}]*service="rate-limit"[^}]*\} [12]$/m,
    );
  });

  it('asks nobody who has missed three answers, probes, and asks again when a probe is answered', async () => {
    const replica = replicas[0]!;
    const answering = replica.reply;
    connect();
    await until(() => client.state() === 'up');
    replica.reply = () => {};
    expect(await Promise.all([ask(5), ask(5), ask(5)].map(({ outcome }) => outcome))).toEqual(['slow', 'slow', 'slow']);
    expect(client.state()).toBe('down');
    const asked = performance.now();
    expect(await ask(2_000).outcome).toBe('down');
    // Long before its own time was over.
    expect(performance.now() - asked).toBeLessThan(1_500);
    const probes = () => replica.batches.flatMap(({ asks }) => asks).filter(({ spend }) => spend?.tenant === 'probe');
    await until(() => probes().length >= 2);
    expect(client.state()).toBe('down');
    replica.reply = answering;
    await until(() => client.state() === 'up');
    expect(await ask().outcome).toMatchObject({ reply: { allowed: true } });
  });

  it('goes on with a replica that answers when another is slow', async () => {
    const second = new Replica(join(folder, 'b.sock'));
    await second.start();
    replicas.push(second);
    connect({ greets: true });
    await until(() => replicas.every(({ batches }) => batches.length === 1));
    replicas[0]!.reply = () => {};
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => ask(40).outcome));
    expect(outcomes.filter((outcome) => outcome === 'slow')).toHaveLength(3);
    for (let index = 0; index < 10; index++)
      expect(await ask(1_000).outcome).toMatchObject({ reply: { allowed: true } });
  });

  it('takes an answer in that lay unread while this process was busy, and calls nobody slow for it', async () => {
    const peer = await startPeer(join(folder, 'peer.sock'));
    replicas[0]!.kill();
    replicas = [new Replica(peer.path)];
    connect();
    try {
      await until(() => client.state() === 'up');
      for (let round = 0; round < 4; round++) {
        const question = ask(20);
        // It leaves at the end of this turn; then nothing of this process runs, and the peer answers.
        await new Promise((resolve) => setImmediate(resolve));
        const busy = performance.now() + 150;
        while (performance.now() < busy);
        expect(await question.outcome).toMatchObject({ reply: { allowed: true } });
      }
    } finally {
      await client.close();
      await peer.end();
    }
  });

  it('answers down to everybody when it is closed', async () => {
    replicas[0]!.reply = () => {};
    connect();
    await until(() => client.state() === 'up');
    const waiting = ask();
    await client.close();
    expect(await waiting.outcome).toBe('down');
    expect(await ask().outcome).toBe('down');
  });

  it('warns of a service that goes away, and not of one that it leaves itself', async () => {
    connect();
    await until(() => client.state() === 'up');
    await client.close();
    expect(client.state()).toBe('down');
    expect(warned).not.toHaveBeenCalled();

    connect();
    await until(() => client.state() === 'up');
    replicas[0]!.kill();
    await until(() => client.state() === 'down');
    expect(warned).toHaveBeenCalledTimes(1);
  });
});
