import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';

/** A request as Node's parser reads it from bytes. */
export interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  /** Names and values in turn, as received. */
  readonly rawHeaders: readonly string[];
  /** What there is of it; it may have been announced longer. */
  readonly body: Buffer;
  /** The parser complained about the body. */
  readonly broken: boolean;
}

/** The parser as the data door sets it up: strict, and without its silent limit on the number of fields. */
const parser = createServer({
  insecureHTTPParser: false,
  requireHostHeader: false,
  maxHeaderSize: 24 * 1024,
  highWaterMark: 1 << 20,
});
parser.maxHeadersCount = 0;
parser.on('request', take);
parser.on('checkContinue', take);
parser.on('checkExpectation', take);
parser.on('upgrade', (incoming: IncomingMessage) => connectionOf(incoming.socket).settle(requestOf(incoming, [])));
parser.on('connect', (incoming: IncomingMessage) => connectionOf(incoming.socket).settle(requestOf(incoming, [])));
parser.on('clientError', (_, socket) => connectionOf(socket).complain());

/**
 * Lets Node's HTTP parser read bytes, without a socket.
 * @returns the first request; undefined where the parser rejects it
 */
export function readRequest(bytes: Buffer): Promise<ReadRequest | undefined> {
  return new Promise((settle) => new MemoryConnection(parser, settle).send(bytes));
}

function take(incoming: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  incoming.on('error', () => undefined);
  const connection = connectionOf(incoming.socket);
  connection.begin((broken) => {
    // What follows a request that is complete is another one, and no fault of this.
    connection.settle(requestOf(incoming, chunks, broken && !incoming.complete));
    response.destroy();
  });
}

function requestOf(
  { method, url, httpVersion, rawHeaders }: IncomingMessage,
  chunks: readonly Buffer[],
  broken = false,
): ReadRequest {
  return { method: method!, target: url!, httpVersion, rawHeaders, body: Buffer.concat(chunks), broken };
}

function connectionOf(socket: unknown): MemoryConnection {
  return socket as MemoryConnection;
}

/** A connection with a client that sends once and then waits. */
class MemoryConnection extends Duplex {
  private settleEnd: ((broken: boolean) => void) | undefined;
  private settled = false;

  constructor(
    server: Server,
    private readonly done: (request: ReadRequest | undefined) => void,
  ) {
    super();
    this.on('error', () => undefined);
    server.emit('connection', this);
  }

  send(bytes: Buffer): void {
    this.push(bytes);
    // Whatever has not come by now never comes; the parser reads within the turn in which it gets bytes.
    setImmediate(() => setImmediate(() => this.finish(false)));
  }

  /** @param end is told once when nothing more comes, and whether the parser complained */
  begin(end: (broken: boolean) => void): void {
    this.settleEnd ??= end;
  }

  complain(): void {
    if (!this.settleEnd) this.settle(undefined);
    else setImmediate(() => this.finish(true));
  }

  private finish(broken: boolean): void {
    if (this.settleEnd) this.settleEnd(broken);
    else this.settle(undefined);
  }

  settle(request: ReadRequest | undefined): void {
    if (this.settled) return;
    this.settled = true;
    this.done(request);
    this.destroy();
  }

  override _read(): void {
    return;
  }

  override _write(_chunk: unknown, _encoding: BufferEncoding, done: () => void): void {
    done();
  }

  /** Node sets these on every socket. */
  setTimeout(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }
}
