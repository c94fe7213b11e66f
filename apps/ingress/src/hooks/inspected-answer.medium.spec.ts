import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { refuse, type WafSettings } from '@sallyport/contracts';
import { someRoute } from '@sallyport/testkit';
import {
  compilePlan,
  responseInspection,
  type Hit,
  type InspectionAnswer,
  type InspectionHead,
  type Inspector,
} from '@sallyport/waf';
import { answerUnderTest, inspectionUnderTest } from '../../../../libs/waf/src/inspector.suite';
import { GOOD_KEY, IngressUnderTest, RecordingUpstream, someUpstream, until } from '../ingress-under-test';

const hit: Hit = {
  rule: 953_100,
  phase: 4,
  severity: 'error',
  paranoia: 1,
  message: 'Stack trace',
  tags: [],
  variable: 'RESPONSE_BODY',
  data: 'SECRET',
  count: 1,
  late: false,
};

/** Finds the word SECRET in answers, and a bad status in their heads; says so later, as one at a distance does. */
class SecretFinder implements Inspector {
  shown = '';
  packets: string[] = [];

  open({ plan }: InspectionHead, answer: (answer: InspectionAnswer) => void) {
    const { mode } = compilePlan(plan);
    let [text, found] = ['', false];
    const say = (given: Partial<InspectionAnswer>): void => void setImmediate(() => answer(answerUnderTest(given)));
    const find = (point: InspectionAnswer['point']): void => {
      found = true;
      const refusal = refuse('WAF_BLOCKED', {}, { reason: 'rule 953100' });
      say(
        mode === 'block'
          ? { point, verdict: 'refuse', refusal, hits: [hit], enough: true }
          : { point, verdict: 'flag', hits: [hit], enough: true },
      );
    };
    answer(answerUnderTest());
    return {
      ...inspectionUnderTest,
      response: ({ status }: { status: number }) => {
        if (status === 500) find('response-head');
        else say({ point: 'response-head' });
      },
      responseBody: (chunk: Uint8Array) => {
        this.shown += Buffer.from(chunk).toString();
        text += Buffer.from(chunk).toString();
        if (mode === 'block' && !found && text.includes('SECRET')) find('response-body');
        return !found;
      },
      responseEnd: () => {
        if (found && mode === 'block') return;
        if (text.includes('SECRET')) find('response-body');
        else say({ point: 'response-body', enough: true });
      },
    };
  }

  malformed({ packet }: { packet: Uint8Array }, answer: (answer: InspectionAnswer) => void): void {
    this.packets.push(Buffer.from(packet).toString('latin1'));
    answer(answerUnderTest({ point: 'malformed', verdict: 'flag', hits: [{ ...hit, rule: 920_100, phase: 1 }] }));
  }
}

const finder = new SecretFinder();
let ingress: IngressUnderTest;
let upstream: RecordingUpstream;

beforeAll(async () => {
  upstream = await RecordingUpstream.listen();
  ingress = await IngressUnderTest.start({ inspector: finder, config: { testMode: true } });
});
afterAll(async () => {
  await ingress.close();
  await upstream.close();
});
beforeEach(() => {
  finder.shown = '';
  finder.packets = [];
});

const serve = (waf: WafSettings) => ingress.publish([someRoute({ waf, websocket: true })], someUpstream(upstream.url));
const get = (path = '/orders', more = {}) =>
  ingress.ask(path, { fields: { authorization: GOOD_KEY, 'accept-encoding': 'gzip', ...more } });
const answerWith = (...pieces: string[]) => {
  upstream.respond = (_, response) => void inPieces(response, pieces);
};

async function inPieces(response: ServerResponse, pieces: string[]): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/plain' });
  for (const piece of pieces) {
    response.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  response.end();
}

const lastWaf = () =>
  ingress.records().at(-1)?.['waf'] as { verdict: string; hits: { rule: number; late?: boolean }[] };

describe('a route whose answers are watched', () => {
  beforeAll(() => serve({ mode: 'detect', response: { inspect: true } }));

  it('passes every byte on and has what was found on record', async () => {
    answerWith('all ', 'SECRET', ' well');
    expect(await get()).toMatchObject({ status: 200, body: 'all SECRET well' });
    expect(lastWaf()).toMatchObject({ verdict: 'flag', hits: [{ rule: 953_100, late: true }] });
    expect(finder.shown).toBe('all SECRET well');
  });

  it('asks the upstream for an answer that is not packed', async () => {
    answerWith('plain');
    await get();
    expect(upstream.seen.at(-1)!.fields['accept-encoding']).toBe('identity');
  });

  it('passes on what has a bad head', async () => {
    upstream.respond = (_, response) => void response.writeHead(500).end('oops');
    expect(await get()).toMatchObject({ status: 500, body: 'oops' });
    expect(lastWaf().hits).toHaveLength(1);
  });
});

describe('a route whose answers can be refused', () => {
  beforeAll(() => serve({ mode: 'block', response: { inspect: true, hold: '1KiB' } }));

  it('refuses in place of a bad head', async () => {
    upstream.respond = (_, response) => void response.writeHead(500).end('oops');
    const answer = await get();
    expect(answer.status).toBe(403);
    expect(answer.body).toContain('WAF_BLOCKED');
    expect(answer.body).not.toContain('oops');
  });

  it('refuses a whole answer that fits into what is held', async () => {
    answerWith('all ', 'SECRET', ' well');
    const answer = await get();
    expect(answer.status).toBe(403);
    expect(answer.body).toContain('WAF_BLOCKED');
    expect(lastWaf().hits).toMatchObject([{ rule: 953_100 }]);
    expect(lastWaf().hits[0]!.late).toBeUndefined();
  });

  it('refuses what an upstream answers to a handshake in the place of a WebSocket', async () => {
    const handshake = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    answerWith('all ', 'SECRET', ' well');
    const answer = await get('/orders', handshake);
    expect([answer.status, answer.body.includes('SECRET')]).toEqual([403, false]);
    answerWith('harmless');
    expect(await get('/orders', handshake)).toMatchObject({ status: 200, body: 'harmless' });
  });

  it('never lets out what it finds in the bytes it holds', async () => {
    answerWith('a'.repeat(3000), 'SECRET', 'b'.repeat(3000));
    const answer = await get().catch((error: Error) => error.message);
    expect(answer).toBe('aborted');
    await until(() => lastWaf()?.verdict === 'refuse');
    expect(lastWaf().hits).toMatchObject([{ rule: 953_100, late: true }]);
  });

  it('passes on whole what is harmless, however it comes', async () => {
    const body = 'x'.repeat(5_000);
    answerWith(body.slice(0, 10), body.slice(10, 3_000), body.slice(3_000));
    expect(await get()).toMatchObject({ status: 200, body });
    upstream.respond = (_, response) => void response.writeHead(204).end();
    expect(await get()).toMatchObject({ status: 204, body: '' });
  });

  it('lets events out as they come, and ends a stream with the first hit', async () => {
    // The upstream says the next thing only when the caller has heard the one before.
    let heard = '';
    upstream.respond = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: one\n\n');
      void until(() => heard.includes('data: one'))
        .then(() => response.write('data: two\n\n'))
        .then(() => until(() => heard.includes('data: two')))
        .then(() => response.write('data: SECRET\n\n'));
    };
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(ingress.port, '127.0.0.1', () =>
        socket.write(`GET /orders HTTP/1.1\r\nhost: a\r\nauthorization: ${GOOD_KEY}\r\n\r\n`),
      );
      socket.on('data', (chunk: Buffer) => {
        heard += chunk.toString();
        if (heard.includes('event: error') || heard.endsWith('0\r\n\r\n')) socket.destroy();
      });
      socket.on('error', reject);
      socket.on('close', () => resolve(heard));
    });
    expect(text).toContain('data: one');
    expect(text).toContain('data: two');
    expect(text).not.toContain('SECRET');
    expect(text).toContain('WAF_BLOCKED');
  });
});

describe('a route whose answers are not looked at', () => {
  it('asks nobody about them', async () => {
    await serve({ mode: 'block' });
    expect(responseInspection('structural:block')).toBeUndefined();
    answerWith('SECRET');
    expect((await get()).status).toBe(200);
    expect(finder.shown).toBe('');
  });
});

describe('bytes that are no request', () => {
  const send = (text: string): Promise<{ answer: string; port: number }> =>
    new Promise((resolve, reject) => {
      const socket = connect(ingress.port, '127.0.0.1', () => socket.write(text, 'latin1'));
      const port = () => socket.localPort!;
      let answer = '';
      let from = 0;
      socket.on('connect', () => (from = port()));
      socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      socket.on('error', reject);
      socket.on('close', () => resolve({ answer, port: from }));
    });

  it.each([
    ['that the parser rejects', 'GET /?q=\xe9 HTTP/9.9\r\nHost: a\r\n\r\n'],
    ['that break the rules of HTTP', 'GET /a#b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'],
  ])('%s are shown to the rules, answered 400 and recorded', async (_, text) => {
    const { answer, port } = await send(text);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(finder.packets).toHaveLength(1);
    expect(finder.packets[0]).toContain(text.split('\r\n')[0]);
    await until(() => ingress.records().at(-1)!['src_port'] === port);
    expect(lastWaf()).toMatchObject({ verdict: 'flag', hits: [{ rule: 920_100 }] });
  });

  it('are shown when they would dig a tunnel', async () => {
    const { answer } = await send('CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1\.1 405 /);
    expect(finder.packets).toEqual(['CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n']);
  });
});
