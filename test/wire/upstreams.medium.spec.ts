import { connect, type Socket } from 'node:net';
import { openRoute, startGateway, type GatewayUnderTest } from './gateway-under-test';
import { talk } from './raw-client';
import { RawOrigin } from './raw-origin';

let gateway: GatewayUnderTest;
let origin: RawOrigin;

beforeAll(async () => {
  origin = new RawOrigin();
  const url = await origin.listen();
  gateway = await startGateway({ plain: { limits: { headersMs: 500, requestMs: 2_000, checkMs: 50 } } });
  await gateway.publish([openRoute('/open')], url, {
    timeouts: { connectMs: 1_000, firstByteMs: 1_000, idleMs: 500 },
  });
});
afterAll(async () => {
  await gateway?.close();
  await origin?.close();
});
beforeEach(() => origin.reset());

const get = (path: string, method = 'GET') => `${method} ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const ask = (bytes: string) => talk(gateway.ports['plain']!, bytes);

/** Answers the first request with these bytes and every later one properly. */
function answerOnce(bytes: string, andThen: (socket: Socket) => void = () => undefined): void {
  let first = true;
  origin.respond = (socket) => {
    if (!first) return void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext');
    first = false;
    socket.write(Buffer.from(bytes, 'latin1'));
    andThen(socket);
  };
}

describe('rel-T37 an upstream that answers what it should not', () => {
  const SPLIT = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstolen';
  it.each([
    ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc'],
    [
      'a length and chunks',
      'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
    ],
    ['a length that is none', 'HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok'],
    ['a coding nobody knows', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['NUL in a field', 'HTTP/1.1 200 OK\r\nx-a: b\0c\r\ncontent-length: 2\r\n\r\nok'],
    ['a carriage return in a field', 'HTTP/1.1 200 OK\r\nx-a: b\rc\r\ncontent-length: 2\r\n\r\nok'],
    ['a space in a name', 'HTTP/1.1 200 OK\r\nx a: b\r\ncontent-length: 2\r\n\r\nok'],
    ['a field without a colon', 'HTTP/1.1 200 OK\r\nnonsense\r\ncontent-length: 2\r\n\r\nok'],
    ['a version that is none', 'HTTP/9.9 200 OK\r\ncontent-length: 2\r\n\r\nok'],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.9\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\ncontent-length: 2\r\n\r\nok'],
    [
      'a switch of protocols nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n',
    ],
    ['a head of more than 32 KiB', `HTTP/1.1 200 OK\r\nx-a: ${'b'.repeat(33 * 1024)}\r\ncontent-length: 2\r\n\r\nok`],
  ])('gets its caller a 502, and its connection is closed: %s', async (_, bytes) => {
    answerOnce(bytes);
    const { answers } = await ask(get('/open/1'));
    expect(answers.map(({ status, code }) => [status, code])).toEqual([[502, 'UPSTREAM_BROKE']]);
    await neverAgain();
  });

  it.each([
    ['bytes behind the answer', `HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok${SPLIT}`, 'GET'],
    ['a second answer', `HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok\r\n\r\n${SPLIT}`, 'GET'],
    [
      'bytes behind the last chunk',
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${SPLIT}`,
      'GET',
    ],
    ['a body for HEAD', `HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n${SPLIT}`, 'HEAD'],
    ['a body behind 204', `HTTP/1.1 204 No Content\r\n\r\n${SPLIT}`, 'GET'],
    ['a body behind 304', `HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n${SPLIT}`, 'GET'],
  ])('shows its caller nothing of it, and its connection is closed: %s', async (_, bytes, method) => {
    answerOnce(bytes);
    const { answers, text } = await ask(get('/open/1', method));
    expect(answers.length).toBeLessThanOrEqual(1);
    expect(text).not.toContain('stolen');
    await neverAgain();
  });

  it.each([
    ['a length', 'content-length: 5'],
    ['chunks', 'transfer-encoding: chunked'],
  ])('announces a body with %s behind 204: what may come late of it answers no other request', async (_, field) => {
    answerOnce(`HTTP/1.1 204 No Content\r\n${field}\r\n\r\n`);
    expect((await ask(get('/open/1'))).answers.map(({ status }) => status)).toEqual([204]);
    await neverAgain();
  });

  it.each([
    ['one', 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'],
    ['many', 'HTTP/1.1 103 Early Hints\r\nx-a: b\r\n\r\n'.repeat(5)],
  ])('may announce its answer: %s', async (_, early) => {
    answerOnce(`${early}HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok`);
    const { answers } = await ask(get('/open/1'));
    expect(answers.map(({ status, body }) => [status, body])).toEqual([[200, 'ok']]);
  });

  it('and announces without end gets its caller an end', async () => {
    origin.respond = (socket) => {
      const timer = setInterval(() => socket.write('HTTP/1.1 103 Early Hints\r\nx-a: b\r\n\r\n'), 20);
      socket.on('close', () => clearInterval(timer));
    };
    const { answers } = await ask(get('/open/1'));
    expect(answers[0]!.status).toBeGreaterThanOrEqual(500);
  });

  it('breaks off after half a body: the caller never takes it for whole', async () => {
    answerOnce('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf', (socket) => socket.end());
    const { answers, closed } = await ask(get('/open/1'));
    expect(answers).toEqual([]);
    expect(closed).toBe(true);
  });

  it('breaks off within its chunks: the caller never takes it for whole', async () => {
    answerOnce('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n', (socket) => socket.end());
    const { answers, closed } = await ask(get('/open/1'));
    expect(answers).toEqual([]);
    expect(closed).toBe(true);
  });

  it('answers before the body has come: the connection is not used again while bytes of it are owed', async () => {
    const port = gateway.ports['plain']!;
    origin.respond = (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext');
    const client = connect(port, '127.0.0.1');
    client.on('error', () => undefined);
    client.write('POST /open/slow HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nabc');
    await within(() => origin.seen('/open/slow').length === 1);
    expect((await ask(get('/open/other'))).answers[0]!.status).toBe(200);
    const [slow] = origin.seen('/open/slow');
    const [other] = origin.seen('/open/other');
    expect(other!.connection).not.toBe(slow!.connection);
    expect(slow!.complete).toBe(false);
    client.destroy();
    await within(() => origin.closed >= 1);
  });
});

describe('rel-T35 a request whose body breaks', () => {
  const chunked = 'POST /open/broken HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n';

  it.each([
    ['a size in C', '0x5\r\nwrong\r\n0\r\n\r\n'],
    ['a size that is none', 'wrong\r\n'],
    ['a line feed for a line end', '5\nwrong\r\n0\r\n\r\n'],
    ['data longer than its size', '3\r\nwrong\r\n0\r\n\r\n'],
    ['a request behind it', `zz\r\n${get('/open/hidden')}`],
  ])('is never a whole one for the upstream, and neither connection is used again: %s', async (_, second) => {
    const before = origin.closed;
    const { answers, closed } = await talk(gateway.ports['plain']!, [chunked, second], { pause: 80 });
    expect(answers.map(({ status }) => status)).toEqual([400]);
    expect(closed).toBe(true);
    expect(origin.requests.filter(({ complete }) => complete)).toEqual([]);
    const [aborted] = origin.seen('/open/broken');
    if (aborted) {
      await within(() => origin.closed > before);
      expect((await ask(get('/open/after'))).answers[0]!.status).toBe(200);
      expect(origin.seen('/open/after')[0]!.connection).not.toBe(aborted.connection);
    }
  });

  it('because the caller left is an aborted one for the upstream', async () => {
    const before = origin.closed;
    const client = connect(gateway.ports['plain']!, '127.0.0.1');
    client.write(chunked);
    await within(() => origin.seen('/open/broken').length === 1);
    client.destroy();
    await within(() => origin.closed > before);
    expect(origin.requests.filter(({ complete }) => complete)).toEqual([]);
  });
});

/** The next request must come over another connection, and be answered by its own answer. */
async function neverAgain(): Promise<void> {
  const [first] = origin.seen('/open/1');
  const { answers } = await ask(get('/open/2'));
  expect(answers.map(({ status, body }) => [status, body])).toEqual([[200, 'next']]);
  expect(origin.seen('/open/2')[0]!.connection).not.toBe(first!.connection);
}

async function within(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 5) {
    if (waited > 3_000) throw new Error('not within 3 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
