import { lookup as systemLookup } from 'node:dns';
import http2, {
  createServer,
  type ClientHttp2Session,
  type Http2Server,
  type Http2Session,
  type ServerHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { UpstreamPools } from '../pool';
import { fieldValue } from '../raw-fields';
import { answering, END_HEADERS, END_STREAM, frame } from './http2/frames.suite';
import { Http2Client } from './http2/http2-client';
import { exchangeWith, Gathered, quickTimeouts } from './gathered.suite';

type Handler = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void;

/** `grpc-status: 0`, as a literal that nobody remembers (RFC 7541 §6.2.2). */
const STATUS_0 = Buffer.from('\x00\x0bgrpc-status\x010', 'latin1');

describe('an upstream over HTTP/2 without TLS', () => {
  const pools: { destroy(): Promise<void> }[] = [];
  const servers: (Http2Server | Server)[] = [];
  const sessions = new Set<Http2Session>();
  const sockets = new Set<Socket>();

  async function listen(server: Http2Server | Server): Promise<number> {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  async function upstream(handler: Handler, settings = {}): Promise<number> {
    const server = createServer({ settings });
    server.on('session', (session) => {
      sessions.add(session);
      session.on('close', () => sessions.delete(session));
      session.on('error', () => undefined);
    });
    server.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      handler(stream, headers);
    });
    return listen(server);
  }

  function clientOf(port: number, more = {}) {
    const own = new UpstreamPools();
    pools.push(own);
    return own.client({
      url: `http://127.0.0.1:${port}`,
      allowPrivate: true,
      connectMs: 2_000,
      protocol: 'http2',
      ...more,
    });
  }

  afterEach(async () => {
    await Promise.all(pools.splice(0).map((one) => one.destroy()));
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
    await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  });

  it('gets the request as it was given, with Host as its authority, and passes the answer on', async () => {
    let seen: IncomingHttpHeaders = {};
    const port = await upstream((stream, headers) => {
      seen = headers;
      stream.respond({ ':status': 201, 'x-answer': 'yes', 'set-cookie': ['a=1', 'b=2'] });
      stream.end('body');
    });
    const fields = ['host', 'orders.internal', 'x-tag', '1', 'x-tag', '2'];
    const sink = await exchangeWith(clientOf(port), { path: '/a?b=%zz', fields });
    expect(sink).toMatchObject({ status: 201, text: 'body', calls: ['head', 'end'] });
    expect(seen).toMatchObject({
      ':method': 'GET',
      ':path': '/a?b=%zz',
      ':authority': 'orders.internal',
      'x-tag': '1, 2',
    });
    expect(sink.fields.filter((one) => one === 'set-cookie')).toHaveLength(2);
    expect(fieldValue(sink.fields, 'x-answer')).toBe('yes');
  });

  it.each([
    ['if-none-match', '"a", "b"'],
    ['if-match', '"a", "b"'],
    ['dnt', '"a", "b"'],
    ['content-language', '"a", "b"'],
    ['etag', '"a", "b"'],
    ['upgrade-insecure-requests', '"a", "b"'],
    ['cookie', '"a"; "b"'],
    ['constructor', '"a", "b"'],
    ['__proto__', '"a", "b"'],
  ])('gets %s in one field where the caller sent it in two (RFC 9110 §5.3)', async (name, joined) => {
    const seen: string[] = [];
    const port = await upstream((stream) => stream.respond({ ':status': 200 }, { endStream: true }));
    servers[0]!.on('stream', (...[, , , raw]: [unknown, unknown, unknown, string[]]) => seen.push(...raw));
    const fields = ['host', 'a', name, '"a"', 'x-between', '1', name, '"b"'];
    expect(await exchangeWith(clientOf(port), { fields })).toMatchObject({ status: 200, calls: ['head', 'end'] });
    expect(fieldValue(seen, name)).toBe(joined);
  });

  it.each([
    ['a field that node:http2 refuses', ['host', 'a', 'te', 'gzip']],
    ['a name that is none', ['host', 'a', 'a b', '1']],
    ['two hosts', ['host', 'a', 'host', 'b']],
    ['two lengths', ['host', 'a', 'content-length', '0', 'content-length', '0']],
  ])('is not asked with %s, and that is our failure alone', async (_, fields) => {
    const port = await upstream((stream) => stream.respond({ ':status': 200 }, { endStream: true }));
    const client = clientOf(port);
    expect((await exchangeWith(client, { fields })).refusal).toMatchObject({ code: 'INTERNAL' });
    expect((await exchangeWith(client)).status).toBe(200);
  });

  it('sends bodies at hand and bodies that stream, both ways', async () => {
    const port = await upstream((stream) => {
      stream.respond({ ':status': 200 });
      stream.pipe(stream);
    });
    const client = clientOf(port);
    expect((await exchangeWith(client, { method: 'POST', body: Buffer.from('hello') })).text).toBe('hello');
    const body = Readable.from(Array.from({ length: 50 }, () => Buffer.alloc(10_000, 'x')));
    expect((await exchangeWith(client, { method: 'POST', body })).text).toHaveLength(500_000);
  });

  it('carries many exchanges over one connection, and opens another when it is full', async () => {
    let connections = 0;
    const port = await upstream(
      (stream) => void setTimeout(() => (stream.respond({ ':status': 200 }), stream.end()), 50),
      {
        maxConcurrentStreams: 10,
      },
    );
    servers[0]!.on('connection', () => connections++);
    const client = clientOf(port);
    await exchangeWith(client);
    const many = (count: number) => Promise.all(Array.from({ length: count }, () => exchangeWith(client)));
    expect((await many(10)).every(({ status }) => status === 200)).toBe(true);
    expect(connections).toBe(1);
    expect((await many(15)).every(({ status }) => status === 200)).toBe(true);
    expect(connections).toBe(2);
  });

  it('passes trailers on to whoever wants them', async () => {
    const port = await upstream((stream) => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end('message');
    });
    const sink = await exchangeWith(clientOf(port));
    expect(sink.calls).toEqual(['head', 'trailers', 'end']);
    expect(sink.trailers).toEqual(['grpc-status', '0']);
  });

  it('stops reading while the client is slow, and goes on after', async () => {
    const size = 8 * 1024 * 1024;
    const port = await upstream((stream) => {
      stream.respond({ ':status': 200 });
      stream.end(Buffer.alloc(size));
    });
    let received = 0;
    let paused = true;
    const sink = new Gathered((chunk) => {
      received += chunk.length;
      return !paused;
    });
    const client = clientOf(port);
    const call = client.forward(
      { method: 'GET', path: '/', fields: ['host', 'a'], body: undefined, timeouts: quickTimeouts },
      sink,
    );
    await sink.headSeen;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(received).toBeLessThan(size / 8);
    paused = false;
    call.resume();
    await sink.done;
    expect(received).toBe(size);
  });

  it('says too slow when no head comes, and when the body stalls', async () => {
    const port = await upstream((stream, headers) => {
      if (headers[':path'] !== '/stall') return;
      stream.respond({ ':status': 200 });
      stream.write('some');
    });
    const hurried = { timeouts: { ...quickTimeouts, firstByteMs: 150, idleMs: 150 } };
    const client = clientOf(port);
    expect(await exchangeWith(client, hurried)).toMatchObject({
      refusal: { code: 'UPSTREAM_TIMEOUT' },
      phase: 'request',
    });
    expect(await exchangeWith(client, { ...hurried, path: '/stall' })).toMatchObject({
      refusal: { code: 'UPSTREAM_TIMEOUT' },
      phase: 'response',
      text: 'some',
    });
  });

  it('leaves a connection that no longer answers, not only the exchange on it', async () => {
    const port = await listen(
      createTcpServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => undefined).resume();
      }),
    );
    let closed = 0;
    servers[0]!.on('connection', (socket: Socket) => socket.on('close', () => closed++));
    const hurried = { timeouts: { ...quickTimeouts, firstByteMs: 100 } };
    const client = clientOf(port);
    expect((await exchangeWith(client, hurried)).refusal!.code).toBe('UPSTREAM_TIMEOUT');
    const until = Date.now() + 5_000;
    while (closed === 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(closed).toBe(1);
  });

  it.each([
    ['resets the stream at once', (stream: ServerHttp2Stream) => stream.close(2), 'request'],
    [
      'refuses the stream, which is then as if it had never been sent',
      (stream: ServerHttp2Stream) => stream.close(7),
      'connect',
    ],
    [
      'breaks its answer off',
      (stream: ServerHttp2Stream) => {
        stream.respond({ ':status': 200 });
        stream.write('some');
        setTimeout(() => stream.destroy(new Error('broken')), 20);
      },
      'response',
    ],
    [
      'closes the connection',
      (stream: ServerHttp2Stream) => {
        stream.respond({ ':status': 200 });
        stream.write('some');
        setTimeout(() => stream.session?.destroy(), 20);
      },
      'response',
    ],
    [
      'sends a head of more than 32 KiB',
      (stream: ServerHttp2Stream) => {
        stream.respond({
          ':status': 200,
          ...Object.fromEntries([1, 2, 3, 4].map((n) => [`x-${n}`, 'a'.repeat(10_000)])),
        });
        stream.end();
      },
      'request',
    ],
    [
      'says less than it announced',
      (stream: ServerHttp2Stream) => {
        stream.respond({ ':status': 200, 'content-length': '10' });
        stream.end('short');
      },
      'response',
    ],
  ])('says broken when the upstream %s', async (_, handler, phase) => {
    const port = await upstream(handler);
    const sink = await exchangeWith(clientOf(port));
    expect(sink.calls.at(-1)).toBe('failure');
    expect(sink.phase).toBe(phase);
    expect(sink.refusal!.code).toBe(phase === 'connect' ? 'UPSTREAM_UNREACHABLE' : 'UPSTREAM_BROKE');
  });

  describe('that resets its stream without an error (RFC 9113 §8.1)', () => {
    const head = frame(1, END_HEADERS, 1, Buffer.from([0x88]));
    const reset = frame(3, 0, 1, Buffer.alloc(4));
    const posted = () => ({ method: 'POST', body: new PassThrough().on('error', () => undefined) });

    it.each([
      ['in the middle of a body', [head, frame(0, 0, 1, Buffer.from('half of it')), reset], {}],
      ['behind its head', [head, reset], {}],
      [
        'in the middle of a body, while the request still goes',
        [head, frame(0, 0, 1, Buffer.from('half')), reset],
        posted,
      ],
    ])('has not given a whole answer %s', async (_, frames, more) => {
      const port = await listen(answering(frames, sockets));
      const sink = await exchangeWith(clientOf(port), typeof more === 'function' ? more() : more);
      expect(sink).toMatchObject({ refusal: { code: 'UPSTREAM_BROKE' }, phase: 'response' });
    });

    it.each([
      ['at once', [head, frame(0, END_STREAM, 1, Buffer.from('whole')), reset], 'whole', 200],
      ['with its head', [frame(1, END_HEADERS | END_STREAM, 1, Buffer.from([0x8d])), reset], '', 404],
      [
        'with trailers',
        [head, frame(0, 0, 1, Buffer.from('whole')), frame(1, END_HEADERS | END_STREAM, 1, STATUS_0), reset],
        'whole',
        200,
      ],
    ])('has, when it ended its answer %s while the request still goes', async (_, frames, text, status) => {
      const sink = await exchangeWith(clientOf(await listen(answering(frames, sockets))), posted());
      expect(sink).toMatchObject({ status, text });
      expect(sink.calls.at(-1)).toBe('end');
    });
  });

  it('says broken when the upstream speaks HTTP/1.1', async () => {
    const port = await listen(
      createTcpServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.end('HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n');
      }),
    );
    const sink = await exchangeWith(clientOf(port));
    expect(sink.calls).toEqual(['failure']);
  });

  it('says unreachable when nobody listens', async () => {
    const port = await upstream(() => undefined);
    await new Promise((resolve) => servers.splice(0)[0]!.close(resolve));
    expect(await exchangeWith(clientOf(port))).toMatchObject({
      refusal: { code: 'UPSTREAM_UNREACHABLE' },
      phase: 'connect',
    });
  });

  it('resets the stream when the client is gone, and calls nobody any more', async () => {
    let reset!: (code: number | undefined) => void;
    const closed = new Promise<number | undefined>((resolve) => (reset = resolve));
    const port = await upstream((stream) => {
      stream.respond({ ':status': 200 });
      stream.write('a');
      stream.on('close', () => reset(stream.rstCode));
    });
    const sink = new Gathered();
    const client = clientOf(port);
    const call = client.forward(
      { method: 'GET', path: '/', fields: ['host', 'a'], body: undefined, timeouts: quickTimeouts },
      sink,
    );
    await sink.headSeen;
    call.abort();
    expect(await closed).toBe(8);
    expect(sink.calls).toEqual(['head']);
  });

  describe('whose connection has few streams left (RFC 9113 §5.1.1)', () => {
    let connections: number;
    const counted = async (): Promise<number> => {
      connections = 0;
      const port = await upstream((stream) => {
        stream.respond({ ':status': 200 });
        setTimeout(() => stream.end('ok'), 20);
      });
      servers[0]!.on('connection', () => connections++);
      return port;
    };
    const origin = (port: number) => ({ url: `http://127.0.0.1:${port}`, allowPrivate: true, connectMs: 2_000 });

    it('is called over another one before they are used up, and what runs on the first comes to its end', async () => {
      const client = new Http2Client(origin(await counted()), systemLookup, 3);
      pools.push(client);
      await exchangeWith(client);
      const many = await Promise.all(Array.from({ length: 4 }, () => exchangeWith(client)));
      expect(many.map(({ text }) => text)).toEqual(['ok', 'ok', 'ok', 'ok']);
      expect(connections).toBe(2);
    });

    it('is called over another one when they are used up, without a caller who notices', async () => {
      const opened = jest.spyOn(http2, 'connect');
      const client = clientOf(await counted());
      await exchangeWith(client);
      const session = opened.mock.results[0]!.value as ClientHttp2Session & { setNextStreamID(id: number): void };
      session.setNextStreamID(2 ** 31 - 1);
      opened.mockRestore();
      for (let n = 0; n < 3; n++) expect((await exchangeWith(client)).text).toBe('ok');
      expect(connections).toBe(2);
    });
  });

  it('goes on elsewhere when the upstream says goodbye', async () => {
    let connections = 0;
    const port = await upstream((stream, headers) => {
      stream.respond({ ':status': 200 });
      stream.end('ok');
      if (headers[':path'] === '/bye') stream.session!.goaway();
    });
    servers[0]!.on('connection', () => connections++);
    const client = clientOf(port);
    expect((await exchangeWith(client, { path: '/bye' })).text).toBe('ok');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await exchangeWith(client)).text).toBe('ok');
    expect(connections).toBe(2);
  });
});
