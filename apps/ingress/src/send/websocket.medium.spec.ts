import { createServer, type IncomingMessage, type Server } from 'node:http';
import {
  connect,
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
  type Socket,
} from 'node:net';
import { someRoute } from '@sallyport/testkit';
import { WebSocket, WebSocketServer, type RawData } from 'ws';
import { GOOD_KEY, IngressUnderTest, someUpstream, until } from '../ingress-under-test';

jest.setTimeout(30_000);

let ingress: IngressUnderTest;
let upstream: Server;
let sockets: WebSocketServer;
let raw: TcpServer;
let url: string;
let asked: IncomingMessage[];
let onConnection: (socket: WebSocket) => void;
let onRaw: (socket: Socket, head: string) => void;

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
    await serve({}, `http://127.0.0.1:${(upstream.address() as AddressInfo).port}/elsewhere`);
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

describe('an upgrade that is none', () => {
  const ask = (...lines: string[]): string =>
    ['GET /orders/live HTTP/1.1', 'host: a', `authorization: ${GOOD_KEY}`, ...lines, '', ''].join('\r\n');
  const webSocket = ['connection: Upgrade', 'upgrade: websocket', 'sec-websocket-version: 13'];
  const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==';

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
      await serve({}, `http://127.0.0.1:${(raw.address() as AddressInfo).port}`);
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

  it('holds what a client sends too early back until the upstream has agreed, or for ever', async () => {
    let agree: () => void = () => undefined;
    const heard: string[] = [];
    onRaw = (socket, head) => {
      heard.push(head);
      socket.on('data', (more) => heard.push(more.toString('latin1')));
      agree = () => socket.write('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
    };
    await serve({}, `http://127.0.0.1:${(raw.address() as AddressInfo).port}`);
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

const clients: WebSocket[] = [];

function agreed(accept = '', more = ''): string {
  const value = accept || 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';
  return `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n${more}sec-websocket-accept: ${value}\r\n\r\n`;
}

async function serve(more: object = {}, target?: string): Promise<void> {
  const here = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  await ingress.publish([someRoute({ websocket: true, ...more })], someUpstream(target ?? here));
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
