import {
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  status,
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  Client,
  type MethodDefinition,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { createServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import { someRoute } from '@sallyport/testkit';
import { answering } from '../../../../libs/proxy/src/upstream/http2/frames.suite';
import { GOOD_KEY, IngressUnderTest, someUpstream, until } from '../ingress-under-test';
import {
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  framesOf,
  HEADERS,
  literal,
  PREFACE,
  SETTINGS,
} from '../listeners/http2-under-test';

jest.setTimeout(30_000);

const identity = (bytes: Buffer): Buffer => bytes;
const method = (name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Buffer, Buffer> => ({
  path: `/orders.Orders/${name}`,
  requestStream,
  responseStream,
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
});
const service = {
  Unary: method('Unary', false, false),
  Gather: method('Gather', true, false),
  List: method('List', false, true),
  Chat: method('Chat', true, true),
};

let upstream: Server;
let upstreamPort: number;
let ingress: IngressUnderTest;
let client: Client;
let heard: { metadata: Metadata; cancelled: boolean; deadline: unknown }[];
let unary: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => void;
let list: (call: ServerWritableStream<Buffer, Buffer>) => void;

beforeAll(async () => {
  upstream = new Server();
  const hear = (call: {
    metadata: Metadata;
    getDeadline(): unknown;
    on(event: 'cancelled', listener: () => void): unknown;
  }) => {
    const entry = { metadata: call.metadata, cancelled: false, deadline: call.getDeadline() };
    heard.push(entry);
    call.on('cancelled', () => (entry.cancelled = true));
  };
  upstream.addService(service, {
    Unary: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
      hear(call);
      unary(call, done);
    },
    Gather: (call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
      hear(call);
      let size = 0;
      call.on('data', (bytes: Buffer) => (size += bytes.length));
      call.on('end', () => done(null, Buffer.from(String(size))));
    },
    List: (call: ServerWritableStream<Buffer, Buffer>) => {
      hear(call);
      list(call);
    },
    Chat: (call: ServerDuplexStream<Buffer, Buffer>) => {
      hear(call);
      call.sendMetadata(new Metadata());
      call.on('data', (bytes: Buffer) => call.write(Buffer.concat([Buffer.from('re: '), bytes])));
      call.on('end', () => call.end());
    },
  });
  upstreamPort = await new Promise<number>((resolve, reject) =>
    upstream.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
      error ? reject(error) : resolve(port),
    ),
  );
  ingress = await IngressUnderTest.start({ doors: { test: { http2: true } } });
  await serve();
});
afterAll(async () => {
  await ingress.close();
  upstream.forceShutdown();
});

beforeEach(() => {
  heard = [];
  ingress.runtime.trail.events.length = 0;
  client = new Client(`127.0.0.1:${ingress.port}`, credentials.createInsecure());
  unary = ({ request }, done) => done(null, Buffer.concat([Buffer.from('re: '), request]));
  list = (call) => {
    for (const text of ['a', 'b', 'c']) call.write(Buffer.from(text));
    call.end();
  };
});
afterEach(() => client.close());

describe('a call of gRPC', () => {
  it('goes through with its message, its metadata and its trailers', async () => {
    unary = (call, done) => {
      const trailers = new Metadata();
      trailers.set('x-cost', '7');
      done(null, call.request, trailers);
    };
    const { message, trailers } = await ask(Buffer.from('hello'), { 'x-tag': 'blue' });
    expect([message?.toString(), trailers.get('x-cost')]).toEqual(['hello', ['7']]);
    const { metadata } = heard[0]!;
    expect([metadata.get('x-tag'), metadata.get('x-sallyport-subject')]).toEqual([['blue'], ['billing-bot']]);
    expect(metadata.get('authorization')).toEqual([]);
    await until(() => ingress.records().length === 1);
    expect(ingress.records()).toMatchObject([{ status: '200', outcome: 'ok', grpc_status: 0 }]);
  });

  it('takes nothing over from the trailers of its upstream that is not for its caller (RFC 9113 §8.2.2)', async () => {
    const origin = await trailingOrigin({
      'http2-settings': 'AAMAAABk',
      'x-sallyport-tenant': 'forged',
      server: 'secret/1.0',
      'x-cost': '7',
      'grpc-status': '0',
    });
    await serve({}, 'http2', (origin.address() as AddressInfo).port);
    const { error, trailers } = await ask();
    expect([error, trailers.getMap()]).toEqual([null, { 'x-cost': '7' }]);
    await serve();
    origin.close();
  });

  it('streams from the client', async () => {
    const answer = new Promise<Buffer>((resolve, reject) => {
      const call: ClientWritableStream<Buffer> = client.makeClientStreamRequest(
        service.Gather.path,
        identity,
        identity,
        meta(),
        (error, message) => (error ? reject(error) : resolve(message!)),
      );
      for (let sent = 0; sent < 100; sent++) call.write(Buffer.alloc(30_000));
      call.end();
    });
    expect((await answer).toString()).toBe('3000000');
  });

  it('streams from the server', async () => {
    expect(
      await gather(client.makeServerStreamRequest(service.List.path, identity, identity, Buffer.alloc(0), meta())),
    ).toEqual(['a', 'b', 'c']);
  });

  it('streams both ways at once, each answer while the caller waits for it', async () => {
    const call: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(
      service.Chat.path,
      identity,
      identity,
      meta(),
    );
    await new Promise((resolve) => call.on('metadata', resolve));
    for (const text of ['one', 'two', 'three']) {
      const answer = new Promise<Buffer>((resolve) => call.once('data', resolve));
      call.write(Buffer.from(text));
      expect((await answer).toString()).toBe(`re: ${text}`);
    }
    call.end();
    expect(await new Promise((resolve) => call.on('status', ({ code }) => resolve(code)))).toBe(status.OK);
  });

  it('brings the status and the words of the upstream back, and has it on record', async () => {
    unary = (_, done) => done({ code: status.FAILED_PRECONDITION, details: 'zu spät: 100 %' });
    const { error } = await ask();
    expect([error?.code, error?.details]).toEqual([status.FAILED_PRECONDITION, 'zu spät: 100 %']);
    await until(() => ingress.records().length === 1);
    expect(ingress.records()).toMatchObject([{ outcome: 'ok', grpc_status: 9 }]);
  });

  it('that its upstream cannot serve is an error of the upstream on record', async () => {
    unary = (_, done) => done({ code: status.UNAVAILABLE, details: 'gone fishing' });
    expect((await ask()).error?.code).toBe(status.UNAVAILABLE);
    await until(() => ingress.records().length === 1);
    expect(ingress.records()).toMatchObject([{ outcome: 'upstream_error', grpc_status: 14 }]);
  });

  it('breaks off with a status when the upstream breaks off in the middle', async () => {
    list = (call) => {
      call.write(Buffer.from('a'));
      setTimeout(() => call.emit('error', { code: status.DATA_LOSS, details: 'half' }), 20);
    };
    const call = client.makeServerStreamRequest(service.List.path, identity, identity, Buffer.alloc(0), meta());
    await expect(gather(call)).rejects.toMatchObject({ code: status.DATA_LOSS });
  });

  it('has failed where the upstream resets it without an error in the middle, and so has any other call', async () => {
    const sockets = new Set<Socket>();
    const message = Buffer.from('\0\0\0\0\x01a', 'latin1');
    const head = frame(1, END_HEADERS, 1, Buffer.from([0x88]));
    const server = answering([head, frame(0, 0, 1, message), frame(3, 0, 1, Buffer.alloc(4))], sockets);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await serve({}, 'http2', (server.address() as AddressInfo).port);
    try {
      const call = client.makeServerStreamRequest(service.List.path, identity, identity, Buffer.alloc(0), meta());
      await expect(gather(call)).rejects.toMatchObject({ details: expect.stringContaining('no usable answer') });
      for (const socket of sockets) socket.destroy();
      const fields = { authorization: GOOD_KEY, 'content-type': 'text/plain' };
      const plain = ingress.ask(service.List.path, { method: 'POST', fields, body: 'a' });
      await expect(plain).rejects.toThrow('aborted');
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await serve();
    }
  });

  it('passes its deadline on, less what was spent, and is over when that has come', async () => {
    unary = () => undefined;
    const begun = Date.now();
    const { error } = await ask(Buffer.alloc(0), {}, begun + 400);
    expect(error?.code).toBe(status.DEADLINE_EXCEEDED);
    expect(Number(heard[0]!.deadline) - begun).toBeLessThanOrEqual(450);
    await until(() => heard[0]!.cancelled && ingress.records().length === 1);
    expect(['upstream_timeout', 'client_aborted']).toContain(ingress.records()[0]!['outcome']);
  });

  it('that its caller gives up is cancelled upstream', async () => {
    unary = () => undefined;
    const call = client.makeUnaryRequest(
      service.Unary.path,
      identity,
      identity,
      Buffer.alloc(0),
      meta(),
      () => undefined,
    );
    await until(() => heard.length === 1);
    call.cancel();
    await until(() => heard[0]!.cancelled && ingress.records().length === 1);
    expect(ingress.records()).toMatchObject([{ outcome: 'client_aborted' }]);
  });

  it.each([
    ['without a credential', { authorization: '' }, status.UNAUTHENTICATED, 'AUTH_REQUIRED'],
    ['with a bad one', { authorization: 'Bearer bad' }, status.UNAUTHENTICATED, 'AUTH_TOKEN_INVALID'],
    ['with a timeout that is none', { 'grpc-timeout': 'soon' }, status.INVALID_ARGUMENT, 'REQUEST_MALFORMED'],
  ])('is refused %s, in the words of gRPC', async (_, fields, code, reason) => {
    const { error } = await ask(Buffer.alloc(0), fields);
    expect(error?.code).toBe(code);
    expect(error?.details).not.toBe('');
    expect(reasonOf(error!)).toBe(reason);
    expect(heard).toEqual([]);
  });

  it('is refused where no route is, and over the limit with the wait', async () => {
    const { error } = await ask(Buffer.alloc(0), {}, undefined, '/nothing.Here/At');
    expect(error?.code).toBe(status.NOT_FOUND);
    await serve({ policies: [{ policy: 'rate-limit', config: { limit: 1, window: '60s' } }] });
    await ask();
    const refused = await ask();
    expect([refused.error?.code, reasonOf(refused.error!)]).toEqual([status.RESOURCE_EXHAUSTED, 'LIMIT_EXCEEDED']);
    await serve();
  });

  it('has no status without an upstream that speaks HTTP/2, or any upstream', async () => {
    await serve({}, 'http1');
    expect((await ask()).error?.code).toBe(status.UNAVAILABLE);
    await serve({}, 'http2', 1);
    expect((await ask()).error?.code).toBe(status.UNAVAILABLE);
    await serve();
  });
});

// ---- the bench ----------------------------------------------------------------------------------------------------

async function serve(route: object = {}, protocol: 'http1' | 'http2' = 'http2', port = upstreamPort): Promise<void> {
  const match = { host: null, pathPrefix: '/orders.Orders', methods: ['POST'] };
  await ingress.publish([someRoute({ match, ...route })], someUpstream(`http://127.0.0.1:${port}`, { protocol }));
}

/** An upstream that answers every call with an empty message, and with trailers that no library would send. */
async function trailingOrigin(trailers: Readonly<Record<string, string>>): Promise<TcpServer> {
  const ended = Object.entries(trailers).map(([name, value]) => literal(name, value));
  const head = Buffer.concat([Buffer.from([0x88]), literal('content-type', 'application/grpc')]);
  const origin = createServer((socket) => {
    let received = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.write(frame(SETTINGS, 0, 0));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const call = framesOf(received.subarray(PREFACE.length)).find(({ type }) => type === HEADERS);
      if (!call) return;
      received = Buffer.alloc(0);
      socket.write(frame(HEADERS, END_HEADERS, call.id, head));
      socket.write(frame(DATA, 0, call.id, Buffer.alloc(5)));
      socket.write(frame(HEADERS, END_HEADERS | END_STREAM, call.id, Buffer.concat(ended)));
    });
  });
  await new Promise<void>((resolve) => origin.listen(0, '127.0.0.1', resolve));
  return origin;
}

function meta(more: Record<string, string> = {}): Metadata {
  const metadata = new Metadata();
  const fields = { authorization: GOOD_KEY, ...more };
  for (const [name, value] of Object.entries(fields)) if (value) metadata.set(name, value);
  return metadata;
}

interface Asked {
  readonly message: Buffer | undefined;
  readonly error: ServiceError | null;
  readonly trailers: Metadata;
}

function ask(
  bytes: Buffer = Buffer.alloc(0),
  fields: Record<string, string> = {},
  deadline?: number,
  path = service.Unary.path,
): Promise<Asked> {
  return new Promise((resolve) => {
    let answered: Pick<Asked, 'message' | 'error'>;
    const options = deadline === undefined ? {} : { deadline };
    const call = client.makeUnaryRequest(path, identity, identity, bytes, meta(fields), options, (error, message) => {
      answered = { error, message };
    });
    call.on('status', ({ metadata }) => setImmediate(() => resolve({ ...answered, trailers: metadata })));
  });
}

async function gather(call: ClientReadableStream<Buffer>): Promise<string[]> {
  const messages: string[] = [];
  for await (const bytes of call) messages.push((bytes as Buffer).toString());
  return messages;
}

/** `ErrorInfo.reason` of `google.rpc.Status`, read by hand: field 3 is an Any, whose field 2 is the ErrorInfo. */
function reasonOf(error: ServiceError): string {
  const [bytes] = error.metadata.get('grpc-status-details-bin') as Buffer[];
  const field = (from: Uint8Array, wanted: number): Uint8Array => {
    const reader = new BinaryReader(from);
    while (reader.pos < reader.len) {
      const [number, wire] = reader.tag();
      if (number === wanted) return reader.bytes();
      reader.skip(wire);
    }
    throw new Error(`no field ${wanted}`);
  };
  return Buffer.from(field(field(field(bytes!, 3), 2), 1)).toString();
}
