import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Refusal } from '@sallyport/contracts';
import type { ForwardPhase, Forwarding, ForwardSink, UpstreamClient, UpstreamRequest } from './forward';
import { UpstreamPools } from './pool';
import { fieldValue, type RawFields } from './raw-fields';

const timeouts = { connectMs: 2_000, firstByteMs: 5_000, idleMs: 5_000 };
const get: UpstreamRequest = { method: 'GET', path: '/', fields: ['host', 'a'], body: undefined, timeouts };

/** Gathers an answer; `done` settles with the last call. */
class Gathered implements ForwardSink {
  status = 0;
  fields: RawFields = [];
  text = '';
  calls: string[] = [];
  refusal: Refusal | undefined;
  phase: ForwardPhase | undefined;
  take: (chunk: Buffer) => boolean = () => true;
  readonly headSeen: Promise<void>;
  readonly done: Promise<void>;
  private headCame!: () => void;
  private settle!: () => void;

  constructor() {
    this.headSeen = new Promise((resolve) => (this.headCame = resolve));
    this.done = new Promise((resolve) => (this.settle = resolve));
  }

  onHead(status: number, fields: RawFields): void {
    this.calls.push('head');
    this.status = status;
    this.fields = fields;
    this.headCame();
  }

  onData(chunk: Buffer): boolean {
    this.text += chunk.toString();
    return this.take(chunk);
  }

  onEnd(): void {
    this.calls.push('end');
    this.settle();
  }

  onFailure(refusal: Refusal, phase: ForwardPhase): void {
    this.calls.push('failure');
    this.refusal = refusal;
    this.phase = phase;
    this.settle();
  }
}

describe('an upstream over real sockets', () => {
  const pools: UpstreamPools[] = [];
  const servers: (Server | TcpServer)[] = [];
  const sockets = new Set<Socket>();

  async function listen(server: Server | TcpServer): Promise<number> {
    servers.push(server);
    server.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  const http = (handler: (request: IncomingMessage, response: ServerResponse) => void) =>
    listen(createHttpServer(handler));
  /** Answers every request with the same bytes, or whatever `answer` does. */
  const raw = (answer: (socket: Socket) => void) =>
    listen(createTcpServer((socket) => void socket.on('data', () => answer(socket))));

  function clientOf(port: number, allowPrivate = true, host = '127.0.0.1'): UpstreamClient {
    const own = new UpstreamPools();
    pools.push(own);
    return own.client({ url: `http://${host}:${port}`, allowPrivate, connectMs: timeouts.connectMs });
  }

  async function exchange(client: UpstreamClient, request: Partial<UpstreamRequest> = {}): Promise<Gathered> {
    const sink = new Gathered();
    client.forward({ ...get, ...request }, sink);
    await sink.done;
    return sink;
  }

  afterEach(async () => {
    await Promise.all(pools.splice(0).map((one) => one.destroy()));
    for (const socket of sockets) socket.destroy();
    await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  });

  it('passes head, body and end on as they come, and sends what it was given', async () => {
    let received: string[] = [];
    const port = await http((request, response) => {
      received = [request.method!, request.url!, ...request.rawHeaders];
      response.writeHead(201, { 'X-Answer': 'yes' }).end('body');
    });
    const sink = await exchange(clientOf(port), {
      path: '/a?b=%zz',
      fields: ['host', 'preserved', 'x-tag', '1', 'x-tag', '2'],
    });
    expect(sink).toMatchObject({ status: 201, text: 'body', calls: ['head', 'end'] });
    expect(fieldValue(sink.fields, 'x-answer')).toBe('yes');
    expect(received.slice(0, 2)).toEqual(['GET', '/a?b=%zz']);
    expect(received.join()).toContain('x-tag,1,x-tag,2');
    expect(received).toContain('preserved');
  });

  it('sends bytes with their length, a stream in chunks, and a stream of known length with it', async () => {
    const port = await http((request, response) => {
      const framing = request.headers['transfer-encoding'] ?? request.headers['content-length'];
      response.setHeader('x-framing', String(framing));
      request.pipe(response);
    });
    const client = clientOf(port);
    const post = { method: 'POST' } as const;
    const whole = await exchange(client, { ...post, body: Buffer.from('hello') });
    expect([whole.text, fieldValue(whole.fields, 'x-framing')]).toEqual(['hello', '5']);
    const chunked = await exchange(client, { ...post, body: Readable.from([Buffer.from('a'), Buffer.from('b')]) });
    expect([chunked.text, fieldValue(chunked.fields, 'x-framing')]).toEqual(['ab', 'chunked']);
    const known = await exchange(client, {
      ...post,
      fields: ['host', 'a', 'content-length', '2'],
      body: Readable.from([Buffer.from('a'), Buffer.from('b')]),
    });
    expect([known.text, fieldValue(known.fields, 'x-framing')]).toEqual(['ab', '2']);
  });

  it('follows no redirect and unpacks nothing', async () => {
    const port = await http((_, response) =>
      response.writeHead(302, { location: '/b', 'content-encoding': 'gzip' }).end('raw'),
    );
    const sink = await exchange(clientOf(port));
    expect(sink).toMatchObject({ status: 302, text: 'raw' });
  });

  it('knows which answers have no body', async () => {
    const port = await http((request, response) =>
      response.writeHead(Number(request.url!.slice(1)), { 'content-length': 4 }).end(),
    );
    const client = clientOf(port);
    expect(await exchange(client, { method: 'HEAD', path: '/200' })).toMatchObject({
      status: 200,
      text: '',
      calls: ['head', 'end'],
    });
    expect(await exchange(client, { path: '/304' })).toMatchObject({ status: 304, text: '', calls: ['head', 'end'] });
    expect(await exchange(client, { path: '/204' })).toMatchObject({ status: 204, text: '', calls: ['head', 'end'] });
  });

  it('passes no informational answer on', async () => {
    const port = await raw((socket) =>
      socket.end('HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'),
    );
    expect(await exchange(clientOf(port))).toMatchObject({ status: 200, text: 'ok', calls: ['head', 'end'] });
  });

  it('drops trailers', async () => {
    const port = await raw((socket) =>
      socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-late: 1\r\n\r\n'),
    );
    const sink = await exchange(clientOf(port));
    expect(sink).toMatchObject({ text: 'ok', calls: ['head', 'end'] });
    expect(fieldValue(sink.fields, 'x-late')).toBeUndefined();
  });

  it('stops reading while the client is slow, and goes on after', async () => {
    const size = 8 * 1024 * 1024;
    let response!: ServerResponse;
    const port = await http((_, answer) => {
      response = answer;
      answer.writeHead(200, { 'content-length': size });
      answer.end(Buffer.alloc(size));
    });
    const sink = new Gathered();
    let received = 0;
    let paused = true;
    sink.take = (chunk) => {
      received += chunk.length;
      return !paused;
    };
    const call = clientOf(port).forward(get, sink);
    await sink.headSeen;
    for (let turns = 0; turns < 200; turns++) await turn();
    expect(received).toBeLessThan(size / 4);
    expect(response.writableFinished).toBe(false);
    paused = false;
    call.resume();
    await sink.done;
    expect(received).toBe(size);
  });

  it('says unreachable when nobody listens', async () => {
    const port = await http(() => undefined);
    await new Promise((resolve) => servers.splice(0)[0]!.close(resolve));
    const sink = await exchange(clientOf(port));
    expect(sink).toMatchObject({ refusal: { code: 'UPSTREAM_UNREACHABLE' }, phase: 'connect', calls: ['failure'] });
  });

  it.each(['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]'])(
    'makes no connection to %s unless private is meant',
    async (host) => {
      let connections = 0;
      const port = await http((_, response) => response.end());
      servers[0]!.on('connection', () => connections++);
      const sink = await exchange(clientOf(port, false, host));
      expect(sink).toMatchObject({ refusal: { code: 'UPSTREAM_UNREACHABLE' }, phase: 'connect' });
      expect(sink.refusal!.reason).toContain('where no upstream is allowed');
      expect(connections).toBe(0);
    },
  );

  it('says too slow when no head comes, and when the body stalls', async () => {
    const port = await http((request, response) => {
      if (request.url === '/stall') response.writeHead(200, { 'content-length': 9 }).write('some');
    });
    const client = clientOf(port);
    const hurried = { timeouts: { ...timeouts, firstByteMs: 200, idleMs: 200 } };
    expect(await exchange(client, hurried)).toMatchObject({
      refusal: { code: 'UPSTREAM_TIMEOUT', params: { seconds: 1 } },
      phase: 'request',
    });
    expect(await exchange(client, { ...hurried, path: '/stall' })).toMatchObject({
      refusal: { code: 'UPSTREAM_TIMEOUT' },
      phase: 'response',
      text: 'some',
    });
  });

  it.each([
    ['closes without an answer', '', 'request'],
    ['speaks something else', 'SSH-2.0-OpenSSH\r\n', 'request'],
    ['sends two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab', 'request'],
    [
      'sends length and encoding',
      'HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
      'request',
    ],
    [
      'sends a control character in a field',
      'HTTP/1.1 200 OK\r\nx-a: a\u0001b\r\ncontent-length: 0\r\n\r\n',
      'request',
    ],
    ['sends a head of more than 32 KiB', `HTTP/1.1 200 OK\r\nx-a: ${'a'.repeat(33_000)}\r\n\r\n`, 'request'],
    ['switches protocols unasked', 'HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n', 'request'],
    ['is cut off', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nsome', 'response'],
    ['is cut off between chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n', 'response'],
    ['breaks its chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nokXX', 'request'],
  ])('says broken when the upstream %s', async (_, answer, phase) => {
    const port = await raw((socket) => socket.end(answer, 'latin1'));
    expect(await exchange(clientOf(port))).toMatchObject({ refusal: { code: 'UPSTREAM_BROKE' }, phase });
  });

  it('takes no answer after which bytes came, and uses its connection for nothing else (rel-T37)', async () => {
    let connections = 0;
    const port = await raw((socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil'),
    );
    servers[0]!.on('connection', () => connections++);
    const client = clientOf(port);
    for (let n = 0; n < 2; n++)
      expect(await exchange(client)).toMatchObject({
        calls: ['failure'],
        text: '',
        refusal: { code: 'UPSTREAM_BROKE' },
      });
    expect(connections).toBe(2);
  });

  it('closes a connection on which bytes come while nobody asked (rel-T37)', async () => {
    let connections = 0;
    let last!: Socket;
    const port = await raw((socket) => {
      last = socket;
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    });
    servers[0]!.on('connection', () => connections++);
    const client = clientOf(port);
    expect((await exchange(client)).text).toBe('ok');
    const closed = new Promise((resolve) => last.on('close', resolve));
    last.write('HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil');
    await closed;
    expect((await exchange(client)).text).toBe('ok');
    expect(connections).toBe(2);
  });

  it.each([
    ['a body to HEAD', 'HEAD', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello'],
    ['a body with 204', 'GET', 'HTTP/1.1 204 No Content\r\n\r\nhello'],
    ['a body with 304', 'GET', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\nhello'],
    [
      'a body with an informational answer',
      'GET',
      'HTTP/1.1 103 Early\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n',
    ],
    ['informational answers without end', 'GET', 'HTTP/1.1 103 Early\r\n\r\n'.repeat(20)],
    ['a bare line feed', 'GET', 'HTTP/1.1 200 OK\r\nx: a\nset-cookie: b\r\ncontent-length: 0\r\n\r\n'],
    ['a bare carriage return', 'GET', 'HTTP/1.1 200 OK\r\nx: a\rset-cookie: b\r\ncontent-length: 0\r\n\r\n'],
    ['another encoding than chunks', 'GET', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['chunks in HTTP/1.0', 'GET', 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
  ])('answers 502 to %s, and closes the connection (rel-T37)', async (_, method, answer) => {
    let closed!: () => void;
    const isClosed = new Promise<void>((resolve) => (closed = resolve));
    const port = await raw((socket) => void socket.on('close', closed).write(answer, 'latin1'));
    expect(await exchange(clientOf(port), { method })).toMatchObject({
      calls: ['failure'],
      refusal: { code: 'UPSTREAM_BROKE' },
    });
    await isClosed;
  });

  it('closes the connection at once when the client is gone, and calls nobody any more', async () => {
    let gone!: () => void;
    const closed = new Promise<void>((resolve) => (gone = resolve));
    const port = await http((request, response) => {
      request.on('close', gone);
      response.writeHead(200).write('a');
    });
    const sink = new Gathered();
    const call = clientOf(port).forward(get, sink);
    await sink.headSeen;
    call.abort();
    await closed;
    expect(sink.calls).toEqual(['head']);
  });

  it('sends nothing when it is given up before the connection stands', async () => {
    let requests = 0;
    const port = await http((_, response) => {
      requests++;
      response.end();
    });
    const sink = new Gathered();
    const body = Readable.from([Buffer.from('a')]);
    const client = clientOf(port);
    const call: Forwarding = client.forward({ ...get, method: 'POST', body }, sink);
    call.abort();
    expect(body.destroyed).toBe(true);
    await exchange(client);
    expect([requests, sink.calls]).toEqual([1, []]);
  });

  it('destroys the body of a request that failed', async () => {
    const port = await raw((socket) => socket.destroy());
    const body = new Readable({ read: () => undefined });
    body.push('a');
    expect(await exchange(clientOf(port), { method: 'POST', body })).toMatchObject({
      refusal: { code: 'UPSTREAM_BROKE' },
    });
    expect(body.destroyed).toBe(true);
  });

  it('calls a defect of ours by its name', async () => {
    const port = await http((_, response) => response.end('a'));
    const sink = new Gathered();
    sink.onHead = () => {
      throw new TypeError('a bug');
    };
    clientOf(port).forward(get, sink);
    await sink.done;
    expect(sink.refusal).toMatchObject({ code: 'INTERNAL', reason: 'a bug' });
  });

  it('lets exchanges end in peace when their origin is retired, and serves a late one', async () => {
    let answer!: ServerResponse;
    const port = await http((_, response) => {
      response.writeHead(200).write('first ');
      answer = response;
    });
    const own = new UpstreamPools();
    pools.push(own);
    const client = own.client({ url: `http://127.0.0.1:${port}`, allowPrivate: true, connectMs: 1_000 });
    const early = new Gathered();
    client.forward(get, early);
    await early.headSeen;
    const earlyAnswer = answer;
    own.keepOnly([]);
    const late = new Gathered();
    client.forward(get, late);
    await late.headSeen;
    answer.end('late');
    earlyAnswer.end('early');
    await Promise.all([early.done, late.done, own.close()]);
    expect([early.text, late.text]).toEqual(['first early', 'first late']);
  });

  it('gives the same client for the same origin and another for another meaning of private', () => {
    const own = new UpstreamPools();
    const origin = { url: 'http://a.example/x', allowPrivate: false, connectMs: 1 };
    expect(own.client(origin)).toBe(own.client({ ...origin, url: 'http://a.example:80/y' }));
    expect(own.client(origin)).not.toBe(own.client({ ...origin, allowPrivate: true }));
  });
});
