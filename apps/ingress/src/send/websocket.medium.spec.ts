import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import {
  connect,
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
  type Socket,
} from 'node:net';
import { snapshotUpstream } from '@sallyport/contracts';
import { freePorts, someRoute } from '@sallyport/testkit';
import { WebSocket, WebSocketServer, type RawData } from 'ws';
import { GOOD_KEY, IngressUnderTest, RecordingUpstream, someUpstream, until } from '../ingress-under-test';

jest.setTimeout(30_000);

let ingress: IngressUnderTest;
let upstream: Server;
let sockets: WebSocketServer;
let raw: TcpServer;
let url: string;
let asked: IncomingMessage[];
let onConnection: (socket: WebSocket) => void;
let onRaw: (socket: Socket, head: string) => void;

const clients: WebSocket[] = [];
const webSocket = ['connection: Upgrade', 'upgrade: websocket', 'sec-websocket-version: 13'];
const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==';

beforeAll(async () => {
  upstream = createServer((_, response) => response.writeHead(418, { 'content-type': 'text/plain' }).end('a teapot'));
  sockets = new WebSocketServer({
    server: upstream,
    path: '/orders/live',
    handleProtocols: (offered) => (offered.has('orders.v1') ? 'orders.v1' : false),
    perMessageDeflate: true,
  });
  sockets.on('connection', (socket, request) => {
    asked.push(request);
    onConnection(socket);
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  raw = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', (bytes) => onRaw(socket, bytes.toString('latin1')));
  });
  await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  sockets.close();
  upstream.closeAllConnections();
  await new Promise((resolve) => upstream.close(resolve));
  await new Promise((resolve) => raw.close(resolve));
});

beforeEach(async () => {
  asked = [];
  onConnection = (socket) => socket.on('message', (data, binary) => socket.send(data, { binary }));
  ingress = await IngressUnderTest.start({ doors: { test: { http2: true } } });
  url = `ws://127.0.0.1:${ingress.port}/orders/live`;
  await serve();
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate();
  await ingress.close();
});

describe('a WebSocket', () => {
  it('passes messages both ways, and is on record with its bytes when it ends', async () => {
    const client = await open();
    const big = 'ü'.repeat(100_000);
    for (const text of ['hello', '', big]) {
      client.send(text);
      expect(((await message(client)) as Buffer).toString()).toBe(text);
    }
    client.send(Buffer.from([1, 2, 3]));
    expect(await message(client)).toEqual(Buffer.from([1, 2, 3]));
    expect(ingress.records()).toEqual([]);
    client.close(1000, 'done');
    expect(await closed(client)).toEqual([1000, 'done']);
    await until(() => ingress.records().length === 1);
    const [record] = ingress.records();
    expect(record).toMatchObject({ status: '101', outcome: 'ok' });
    expect(Number(record!['bytes_in'])).toBeGreaterThan(200_000);
    expect(Number(record!['bytes_out'])).toBeGreaterThan(200_000);
  });

  it('is asked for upstream like any request: who calls is named, the credential stays, no extension is offered', async () => {
    const client = await open({ protocols: ['chat', 'orders.v1'], headers: { 'x-forwarded-for': '9.9.9.9' } });
    expect([client.protocol, client.extensions]).toEqual(['orders.v1', '']);
    const { headers } = asked[0]!;
    expect(headers['x-sallyport-subject']).toBe('billing-bot');
    expect([headers['authorization'], headers['sec-websocket-extensions']]).toEqual([undefined, undefined]);
    expect(headers['x-forwarded-for']).toBe('127.0.0.1');
  });

  it.each([
    ['without a credential', {}, 401],
    ['with a bad one', { authorization: 'Bearer bad' }, 401],
  ])('is refused %s before the upstream hears of it', async (_, headers, status) => {
    expect(await refused(headers)).toBe(status);
    expect(asked).toEqual([]);
    expect(ingress.records()).toMatchObject([{ outcome: 'refused' }]);
  });

  it('counts against the limit of its route', async () => {
    await serve({ policies: [{ policy: 'rate-limit', config: { limit: 1, window: '60s' } }] });
    await open();
    expect(await refused({ authorization: GOOD_KEY })).toBe(429);
  });

  it('is not served on a route that does not say so, nor on pages of the gateway', async () => {
    await serve({ websocket: false });
    expect(await refused({ authorization: GOOD_KEY })).toBe(400);
    expect(await refused({ authorization: GOOD_KEY }, `ws://127.0.0.1:${ingress.port}/problems`)).toBe(400);
  });

  it('gets the answer of an upstream that wants none', async () => {
    await serve({}, `${addressOf(upstream)}/elsewhere`);
    expect(await refused({ authorization: GOOD_KEY })).toBe(400);
    await until(() => ingress.records().length === 1);
    expect(ingress.records()).toMatchObject([{ outcome: 'ok', status: '400' }]);
  });

  it.each([
    ['a message of the client that is too big', (client: WebSocket) => client.send(Buffer.alloc(2_000)), 1009],
    ['a message of the upstream that is too big', (client: WebSocket) => client.send('more'), 1014],
  ])('ends with %s', async (_, act, code) => {
    onConnection = (socket) => socket.on('message', () => socket.send(Buffer.alloc(2_000)));
    await serve({ limits: { webSocketMessageBytes: 1_500 } });
    const client = await open();
    act(client);
    expect((await closed(client))[0]).toBe(code);
    await until(() => ingress.records().length === 1);
    expect(ingress.records()[0]!['outcome']).toBe(code === 1009 ? 'refused' : 'upstream_error');
  });

  it('ends after a while of silence, and both sides are told', async () => {
    const told = new Promise((resolve) => (onConnection = (socket) => socket.on('close', resolve)));
    await serve({ limits: { webSocketIdleSeconds: 1 } });
    const client = await open();
    expect(await closed(client)).toEqual([1001, 'nothing was said for too long']);
    expect(await told).toBe(1001);
  });

  it('is told to go when the gateway drains, and holds nothing up', async () => {
    const told = new Promise((resolve) => (onConnection = (socket) => socket.on('close', resolve)));
    const client = await open();
    const closing = ingress.running.close();
    expect(await closed(client)).toEqual([1001, 'the gateway is shutting down']);
    expect(await told).toBe(1001);
    await closing;
    expect(ingress.records()).toMatchObject([{ status: '101', outcome: 'ok' }]);
  });

  it('whose client vanishes is closed upstream, and the other way round', async () => {
    const told = new Promise((resolve) => (onConnection = (socket) => socket.on('close', resolve)));
    (await open()).terminate();
    expect(await told).toBe(1001);
    onConnection = (socket) => setTimeout(() => socket.terminate(), 20);
    expect((await closed(await open()))[0]).toBe(1014);
    await until(() => ingress.records().length === 2);
    expect(ingress.records().map(({ outcome }) => outcome)).toEqual(['client_aborted', 'upstream_error']);
  });

  it('does not gather what a side does not read', async () => {
    let upstreamSide: WebSocket | undefined;
    onConnection = (socket) => (upstreamSide = socket);
    const client = await open();
    client.pause();
    for (let sent = 0; sent < 200; sent++) upstreamSide!.send(Buffer.alloc(500_000));
    await new Promise((resolve) => setTimeout(resolve, 300));
    // What neither socket nor kernel holds is still with the upstream.
    expect(upstreamSide!.bufferedAmount).toBeGreaterThan(50_000_000);
    let received = 0;
    client.on('message', () => received++);
    client.resume();
    await until(() => received === 200);
  });
});

describe('a handshake', () => {
  const judging = { breaker: { consecutive: 3 }, retry: {}, health: { ejection: { consecutive: 3 } } };

  it('goes to another target where nobody listens, which is found out and left alone', async () => {
    const [dead] = await freePorts(1);
    const targets = [{ url: `http://127.0.0.1:${dead}` }, { url: addressOf(upstream) }];
    await serve({}, undefined, { ...judging, targets });
    for (let n = 0; n < 15; n++) expect(await handshakes(1)).toEqual([101]);
    expect(asked).toHaveLength(15);
    const metrics = await ingress.runtime.metrics.exposition();
    const count = (name: string, port: number | string) =>
      Number(new RegExp(`sallyport_upstream_${name}\\{[^}]*:${port}"[^}]*\\} (\\d+)`).exec(metrics)?.[1]);
    expect(['requests_total', 'failures_total', 'ejections_total'].map((name) => count(name, dead!))).toEqual([
      3, 3, 1,
    ]);
    const alive = new URL(addressOf(upstream)).port;
    expect(['failures_total', 'inflight'].map((name) => count(name, alive))).toEqual([0, 15]);
  });

  it('is made once where the upstream has it, and opens the breaker where it is never answered', async () => {
    let heard = 0;
    onRaw = (socket) => ++heard && socket.destroy();
    await serve({}, addressOf(raw), judging);
    for (let n = 1; n <= 3; n++) {
      expect(await handshakes(1)).toEqual([502]);
      expect(heard).toBe(n);
    }
    expect(await handshakes(1)).toEqual([503]);
    expect(heard).toBe(3);
  });

  it('waits for a connection no longer than its route says', async () => {
    // It takes connections, and agrees on nothing.
    const url = addressOf(raw).replace('http:', 'https:');
    onRaw = () => undefined;
    await serve({ policies: [{ policy: 'timeout', config: { connect: '100ms' } }] }, url);
    const begun = performance.now();
    expect(await handshakes(1)).toEqual([504]);
    expect(performance.now() - begun).toBeLessThan(900);
  });

  it('and its tunnel count as a call for as long as that is open', async () => {
    await serve({}, undefined, { limits: { connections: 2, pending: 1, requests: 2 } });
    const statuses = await handshakes(10);
    expect(statuses.filter((status) => status === 101)).toHaveLength(2);
    expect(statuses.filter((status) => status === 503)).toHaveLength(8);
    expect(asked).toHaveLength(2);
    sockets.clients.forEach((socket) => socket.close());
    await until(async () => (await handshakes(1))[0] === 101);
  });

  it('takes one of the connections its target may have, and gets that of a call which is over', async () => {
    const seen = new Set<Socket>();
    const counted = (socket: Socket) => void seen.add(socket);
    upstream.on('connection', counted);
    const limits = { connections: 2, pending: 10, requests: 10 };
    await serve({}, undefined, { limits, timeouts: { connectMs: 300, firstByteMs: 5_000, idleMs: 5_000 } });
    expect((await ingress.ask('/orders/live', { fields: { authorization: GOOD_KEY } })).status).toBe(418);
    const statuses = await handshakes(5);
    upstream.off('connection', counted);
    expect(statuses.filter((status) => status === 101)).toHaveLength(2);
    expect(statuses.filter((status) => status === 503)).toHaveLength(3);
    expect(seen.size).toBe(3);
    expect([...seen].filter(({ destroyed }) => !destroyed)).toHaveLength(2);
  });

  it('has no copy made of it', async () => {
    const copy = await RecordingUpstream.listen();
    const route = someRoute({ websocket: true, mirror: { upstream: 'copy', percent: 100 } });
    await ingress.publish([route], someUpstream(addressOf(upstream)), someUpstream(copy.url, { id: 'copy' }));
    expect(await handshakes(1)).toEqual([101]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(copy.seen).toEqual([]);
    await copy.close();
  });

  const hint = 'HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n';
  const long = `x-long: ${'a'.repeat(1_000)}\r\n`;

  it.each([
    ['hints that come before the agreement', [hint, hint, agreed()], 101],
    ['hints and the agreement in one', [`${hint}${agreed()}`], 101],
    ['hints without end', [hint.repeat(9), agreed()], 502],
    ['an agreement longer than a head may be, in one', [agreed('', long.repeat(55))], 502],
    ['an agreement longer than a head may be, in parts', [long.repeat(20), long.repeat(20)], 502],
  ])('is answered as it should be by an upstream that sends %s (RFC 9110 §15.2)', async (_, parts, expected) => {
    onRaw = (socket, head) => {
      const key = /sec-websocket-key: (\S+)/i.exec(head)![1]!;
      const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
      const begin = parts[0]!.startsWith('HTTP/') ? '' : 'HTTP/1.1 101 Switching Protocols\r\n';
      const sent = [begin, ...parts].map((part) => part.replace('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=', accept));
      sent.forEach((part, at) => setTimeout(() => socket.destroyed || socket.write(part), at * 20));
    };
    await serve({}, addressOf(raw));
    expect(await handshakes(1)).toEqual([expected]);
  });

  it('that is refused ends when the refusal stalls, like any other answer', async () => {
    onRaw = (socket) => socket.write('HTTP/1.1 401 Unauthorized\r\ncontent-length: 100\r\n\r\nsome');
    await serve({}, addressOf(raw), { timeouts: { connectMs: 1_000, firstByteMs: 5_000, idleMs: 200 } });
    const since = performance.now();
    const answer = await say(ask(...webSocket, key));
    expect(answer).toMatch(/^HTTP\/1\.1 401 [^]*some$/);
    expect(performance.now() - since).toBeLessThan(2_000);
    await until(() => ingress.records().length === 1);
    expect(ingress.records()).toMatchObject([{ outcome: 'upstream_timeout', status: '401' }]);
  });
});

describe('an upgrade that is none', () => {
  it.each([
    ['h2c', ask('connection: Upgrade, HTTP2-Settings', 'upgrade: h2c', 'http2-settings: AAMAAABkAARAAAAAAAIAAAAA')],
    ['another protocol', ask('connection: Upgrade', 'upgrade: tunnel')],
    ['two protocols', ask('connection: Upgrade', 'upgrade: websocket, h2c', 'sec-websocket-version: 13', key)],
    ['no Connection', ask('upgrade: websocket', 'sec-websocket-version: 13', key)],
    ['no key', ask(...webSocket)],
    ['a bad key', ask(...webSocket, 'sec-websocket-key: short')],
    ['an old version', ask('connection: Upgrade', 'upgrade: websocket', 'sec-websocket-version: 8', key)],
    ['a body', ask(...webSocket, key, 'content-length: 5') + 'hello'],
    ['a POST', ask(...webSocket, key).replace('GET', 'POST')],
    ['HTTP/1.0', ask(...webSocket, key).replace('HTTP/1.1', 'HTTP/1.0')],
    ['bytes behind the head', `${ask(...webSocket, key)}GET /admin HTTP/1.1\r\nhost: a\r\n\r\n`],
  ])('is refused and the connection closed: %s (rel-T36)', async (_, bytes) => {
    const answer = await say(bytes);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(answer.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(asked).toEqual([]);
  });

  it('says which version there is to whoever asks for another (RFC 6455 §4.4)', async () => {
    const other = ['connection: Upgrade', 'upgrade: websocket', 'sec-websocket-version: 8'];
    const answer = await say(ask(...other, key));
    expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*\r\nsec-websocket-version: 13\r\n[^]*WEBSOCKET_VERSION_UNSUPPORTED/i);
  });

  it.each([
    ['a 200 instead of 101', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok', /^HTTP\/1\.1 200 /],
    [
      'no accept',
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n',
      /^HTTP\/1\.1 502 /,
    ],
    ['the accept of another key', agreed('AAAAAAAAAAAAAAAAAAAAAAAAAAA='), /^HTTP\/1\.1 502 /],
    ['another protocol', agreed().replace('websocket', 'h2c'), /^HTTP\/1\.1 502 /],
    ['an extension', agreed('', 'sec-websocket-extensions: permessage-deflate\r\n'), /^HTTP\/1\.1 502 /],
    ['a subprotocol nobody offered', agreed('', 'sec-websocket-protocol: chat\r\n'), /^HTTP\/1\.1 502 /],
    ['a line feed where there should be two bytes', agreed().replace('\r\nupgrade', '\nupgrade'), /^HTTP\/1\.1 502 /],
    ['no HTTP', 'hello\r\n\r\n', /^HTTP\/1\.1 502 /],
  ])(
    'is not made one by an upstream that answers %s, and nothing is tunnelled (rel-T36)',
    async (_, answer, expected) => {
      const heard: string[] = [];
      onRaw = (socket, head) => {
        heard.push(head);
        socket.on('data', (more) => heard.push(more.toString('latin1')));
        socket.write(answer);
      };
      await serve({}, addressOf(raw));
      const socket = connect(ingress.port, '127.0.0.1');
      socket.write(ask(...webSocket, key));
      let text = '';
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1');
        socket.write('smuggled');
      });
      socket.on('error', () => undefined);
      await new Promise((resolve) => socket.on('close', resolve));
      expect(text).toMatch(expected);
      expect(heard).toHaveLength(1);
      expect(heard[0]).not.toContain('smuggled');
    },
  );

  it('is made by an upstream that chooses a subprotocol of the second field (RFC 6455 §11.3.4), and has no length', async () => {
    onRaw = (socket) => socket.write(agreed('', 'sec-websocket-protocol: orders.v1\r\ncontent-length: 0\r\n'));
    await serve({}, addressOf(raw));
    const socket = connect(ingress.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(ask(...webSocket, key, 'sec-websocket-protocol: chat', 'sec-websocket-protocol: a, orders.v1'));
    const head = await new Promise<string>((resolve) =>
      socket.once('data', (chunk) => resolve(chunk.toString('latin1'))),
    );
    socket.destroy();
    expect(head).toMatch(/^HTTP\/1\.1 101 /);
    expect(head).toContain('sec-websocket-protocol: orders.v1\r\n');
    expect(head).not.toContain('content-length');
  });

  it('holds what a client sends too early back until the upstream has agreed, or for ever', async () => {
    let agree: () => void = () => undefined;
    const heard: string[] = [];
    onRaw = (socket, head) => {
      heard.push(head);
      socket.on('data', (more) => heard.push(more.toString('latin1')));
      agree = () => socket.write('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
    };
    await serve({}, addressOf(raw));
    const socket = connect(ingress.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    socket.write(ask(...webSocket, key));
    await until(() => heard.length === 1);
    socket.write('GET /admin HTTP/1.1\r\nhost: a\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 50));
    agree();
    await new Promise((resolve) => socket.on('close', resolve));
    expect(heard).toHaveLength(1);
  });
});

// ---- the bench ----------------------------------------------------------------------------------------------------

function ask(...lines: string[]): string {
  return ['GET /orders/live HTTP/1.1', 'host: a', `authorization: ${GOOD_KEY}`, ...lines, '', ''].join('\r\n');
}

function agreed(accept = '', more = ''): string {
  const value = accept || 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
  return `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n${more}sec-websocket-accept: ${value}\r\n\r\n`;
}

const addressOf = (server: TcpServer) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

async function serve(more: object = {}, target?: string, settings: object = {}): Promise<void> {
  const given = { ...someUpstream(target ?? addressOf(upstream)), ...settings };
  await ingress.publish([someRoute({ websocket: true, ...more })], snapshotUpstream.parse(given));
}

/** The statuses of handshakes that were made at once; what was opened stays open. */
function handshakes(count: number): Promise<number[]> {
  const one = () =>
    open().then(
      () => 101,
      ({ message }: Error) => Number(/\d+$/.exec(message)),
    );
  return Promise.all(Array.from({ length: count }, one));
}

function open(more: { protocols?: string[]; headers?: object } = {}): Promise<WebSocket> {
  const { protocols = [], headers = {} } = more;
  const client = new WebSocket(url, protocols, { headers: { authorization: GOOD_KEY, ...headers } });
  clients.push(client);
  return new Promise((resolve, reject) => {
    client.on('open', () => resolve(client));
    client.on('error', reject);
  });
}

function refused(headers: Record<string, string>, where = url): Promise<number> {
  const client = new WebSocket(where, { headers });
  clients.push(client);
  client.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    client.on('unexpected-response', (_, response: IncomingMessage) => {
      response.resume();
      resolve(response.statusCode!);
    });
    client.on('open', () => reject(new Error('it was opened')));
  });
}

function message(client: WebSocket): Promise<RawData> {
  return new Promise((resolve) => client.once('message', resolve));
}

function closed(client: WebSocket): Promise<[number, string]> {
  return new Promise((resolve) => client.on('close', (code, reason) => resolve([code, reason.toString()])));
}

function say(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(ingress.port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(text));
  });
}
