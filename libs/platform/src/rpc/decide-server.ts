import { EventEmitter } from 'node:events';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { ServerGrpc } from '@nestjs/microservices';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { Address } from '../address';
import { HEADROOM, MessageConnection, ONE_STREAM_SETTING, PREFACE } from './message-connection';

type StreamMethod = (call: DecideCall) => unknown;
type ServiceMethod = ReturnType<ServerGrpc['createServiceMethod']>;

/** What a `Decide` handler needs of its call: grpc-js's duplex stream of bytes has it, and so has our own connection. */
export interface DecideCall {
  on(event: 'data', take: (message: Buffer) => void): unknown;
  on(event: 'drain' | 'end' | 'cancelled' | 'error' | 'close', hear: () => void): unknown;
  write(message: Buffer): boolean;
  /** The same for a message behind `HEADROOM` free bytes; absent where that is of no use. */
  writeRoomy?(roomy: Buffer): boolean;
  pause(): unknown;
  resume(): unknown;
  end(): unknown;
}

/** How long a new connection may take to show what it is. */
const SHOW_MS = 10_000;
const SETTINGS_HEADER = 9;
/** How long peers that were asked for an end may take to get the answers they wait for. */
const LEAVE_MS = 1_000;

/**
 * The gRPC listener of a service. A connection of our own client, which says so in its first frame, is served by
 * `MessageConnection`; any other is handed to grpc-js as it came.
 */
export class DecideServer extends ServerGrpc {
  private readonly streams = new Map<string, StreamMethod>();
  private readonly open = new Set<{ destroy(): unknown }>();
  private readonly calls = new Set<ConnectionCall>();
  private listener: NetServer | undefined;

  constructor(
    options: ConstructorParameters<typeof ServerGrpc>[0],
    private readonly address: Address,
    private readonly maxMessageBytes: number,
    private readonly channelOptions: object,
  ) {
    super(options);
  }

  override createServiceMethod(...parts: Parameters<ServerGrpc['createServiceMethod']>): ServiceMethod {
    const method = super.createServiceMethod(...parts);
    const { path, requestStream, responseStream } = parts[1] as Record<string, unknown>;
    if (requestStream && responseStream) this.streams.set(String(path), method as StreamMethod);
    return method;
  }

  override async createClient(): Promise<Server> {
    const server = new Server(this.channelOptions);
    const others = server.createConnectionInjector(ServerCredentials.createInsecure());
    const listener = createServer({ noDelay: true, highWaterMark: 256 * 1024 }, (socket) =>
      this.receive(socket, (known) => others.injectConnection(known)),
    );
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      const { address } = this;
      listener.listen('path' in address ? { path: address.path } : { host: address.host, port: address.port }, () => {
        listener.removeListener('error', reject);
        resolve();
      });
    });
    this.listener = listener;
    return server;
  }

  override async close(): Promise<void> {
    const { listener } = this;
    this.listener = undefined;
    const closed = listener && new Promise<void>((resolve) => listener.close(() => resolve()));
    for (const call of this.calls) call.connection.goAway();
    for (const end = Date.now() + LEAVE_MS; this.calls.size > 0 && Date.now() < end;)
      await new Promise((resolve) => setTimeout(resolve, 10));
    for (const connection of [...this.open]) connection.destroy();
    await super.close();
    await closed;
  }

  /** Looks at the first bytes of a connection, and leaves them where they were for whoever takes it. */
  private receive(socket: Socket, handOver: (socket: Socket) => void): void {
    this.open.add(socket);
    const leave = (): void => void this.open.delete(socket);
    const timer = setTimeout(() => socket.destroy(), SHOW_MS).unref();
    let seen: Buffer | undefined;
    const look = (): void => {
      const more = socket.read() as Buffer | null;
      if (more === null) return;
      seen = seen ? Buffer.concat([seen, more]) : more;
      const kind = kindOf(seen);
      if (kind === 'unclear') return;
      clearTimeout(timer);
      socket.removeListener('readable', look).removeListener('error', ignore);
      if (kind === 'ours') return this.serve(socket, seen);
      socket.unshift(seen);
      handOver(socket);
    };
    socket.on('readable', look).on('error', ignore);
    socket.once('close', () => {
      clearTimeout(timer);
      leave();
    });
  }

  private serve(socket: Socket, first: Buffer): void {
    const call = new ConnectionCall((ears) => new MessageConnection(socket, 'server', ears, this.maxMessageBytes));
    this.calls.add(call);
    socket.once('close', () => this.calls.delete(call));
    call.begin((path) => {
      const method = this.streams.get(path);
      if (!method) return false;
      method(call);
      return true;
    });
    socket.on('data', (chunk: Buffer) => call.connection.received(chunk));
    call.connection.welcome();
    call.connection.received(first.subarray(PREFACE.length));
  }
}

const ignore = (): void => {};

/** Whose connection it is that begins so. */
function kindOf(bytes: Buffer): 'ours' | 'another' | 'unclear' {
  const preface = bytes.subarray(0, PREFACE.length);
  if (!preface.equals(PREFACE.subarray(0, preface.length))) return 'another';
  const start = PREFACE.length + SETTINGS_HEADER;
  if (bytes.length < start) return 'unclear';
  const end = start + bytes.readUIntBE(PREFACE.length, 3);
  // An ordinary SETTINGS frame has a handful of entries; what is longer is looked at no further.
  if (end - start > 1_024) return 'another';
  if (bytes.length < end) return 'unclear';
  for (let at = start; at + 6 <= end; at += 6) if (bytes.readUInt16BE(at) === ONE_STREAM_SETTING) return 'ours';
  return 'another';
}

/** One stream of our own client, with as much of grpc-js's face as a handler sees. */
class ConnectionCall extends EventEmitter implements DecideCall {
  readonly connection: MessageConnection;
  private take: (path: string) => boolean = () => false;

  constructor(connect: (ears: ConstructorParameters<typeof MessageConnection>[2]) => MessageConnection) {
    super();
    this.connection = connect({
      ready: ignore,
      opened: (path) => this.opened(path),
      message: (bytes) => this.emit('data', bytes),
      drain: () => this.emit('drain'),
      leaving: ignore,
      ended: () => this.emit('end'),
      lost: () => this.emit('cancelled'),
    });
  }

  begin(take: (path: string) => boolean): void {
    this.take = take;
  }

  write(message: Buffer): boolean {
    const roomy = Buffer.allocUnsafe(HEADROOM + message.length);
    message.copy(roomy, HEADROOM);
    return this.connection.send(roomy);
  }

  writeRoomy(roomy: Buffer): boolean {
    return this.connection.send(roomy);
  }

  pause(): void {
    this.connection.pause();
  }

  resume(): void {
    this.connection.resume();
  }

  end(): void {
    this.connection.end();
  }

  private opened(path: string): void {
    if (this.take(path)) this.connection.accept();
    else this.connection.destroy();
  }
}
