import { constants, type ServerHttp2Stream } from 'node:http2';
import { isSendable, ofTheConnection, readHttp2Head, type RawFields } from '@sallyport/proxy';
import type { Connection, Incoming, Outgoing } from './connection';

const { NGHTTP2_FLAG_END_STREAM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = constants;

/**
 * Makes the request of a stream what the gateway takes a request for. The stream itself becomes it, so that its body is
 * read without a stream in between.
 */
export function incomingOf(
  stream: ServerHttp2Stream,
  flags: number,
  raw: readonly string[],
  remoteAddress: string | undefined,
  { encrypted }: Connection,
  answer: Http2Answer,
): ServerHttp2Stream & Incoming {
  const { method, target, rawHeaders, fault } = readHttp2Head(raw, encrypted);
  const bodyFollows = (flags & NGHTTP2_FLAG_END_STREAM) === 0;
  const incoming = Object.assign(stream, {
    method,
    url: target,
    rawHeaders,
    httpVersion: '2',
    body: stream,
    bodyFollows,
    fault,
    socket: { remoteAddress, destroySoon: () => answer.leaveBody() },
  });
  Object.defineProperty(incoming, 'complete', { get: () => !bodyFollows || stream.readableEnded });
  return incoming as typeof incoming & { readonly complete: boolean };
}

type Fields = Record<string, string | number | string[]>;

/** Without a prototype: an upstream may call a field `constructor` or `__proto__`. */
const noFields = (): Fields => Object.create(null) as Fields;

/** Who is told of what only our own fault can have brought about. */
export interface DefectWatcher {
  /** A stream or a connection was given up, and nothing else came of it. */
  onDefect(error: unknown): void;
}

/** A stream of an HTTP/2 connection as the response of the gateway. The head leaves with the first byte of the body. */
export class Http2Answer implements Outgoing {
  sendDate = true;
  /** Whether it was we who ended the stream, for a reason that is not the client's. */
  private cut = false;
  private head: Fields | undefined;
  private last = false;
  private ended = false;
  private awaitsTrailers = false;
  /** RFC 9110 §15.3.6: a 205 has no content, and node:http2 ends the stream with its head, whatever an upstream has sent. */
  private bodiless = false;
  private trailing: Fields | undefined;

  constructor(
    private readonly stream: ServerHttp2Stream,
    private readonly watcher: DefectWatcher,
  ) {}

  /**
   * Of a stream that is closed: whether its client gave it up, or made us do so, while work was done for it. What happens to a
   * body that is still sent when the answer is complete does not matter (RFC 9113 §8.1).
   */
  get wasAbandoned(): boolean {
    return !this.cut && !(this.ended && (this.last || this.stream.writableFinished));
  }

  /** True as soon as there is a head: another one could not take its place. */
  get headersSent(): boolean {
    return this.head !== undefined || this.stream.headersSent;
  }

  get destroyed(): boolean {
    return this.stream.destroyed;
  }

  get writableLength(): number {
    return this.stream.writableLength;
  }

  /** @throws when a field holds what no field may hold. */
  writeHead(status: number, fields: string[]): void {
    const head = noFields();
    head[':status'] = status;
    this.bodiless = status === 205;
    for (let at = 0; at < fields.length; at += 2) {
      const name = fields[at]!;
      // RFC 9113 §8.1: a body nobody reads ends with the answer, and with it alone; the connection lives on.
      if (name === 'connection' && fields[at + 1] === 'close') this.last = true;
      if (name === 'content-length' && this.bodiless) continue;
      add(head, name, fields[at + 1]!);
    }
    this.head = head;
  }

  expectTrailers(): void {
    this.awaitsTrailers = true;
  }

  /** @throws when a field holds what no field may hold. */
  trailers(fields: RawFields): void {
    const trailing = (this.trailing ??= noFields());
    for (let at = 0; at < fields.length; at += 2) add(trailing, fields[at]!, fields[at + 1]!);
  }

  flushHeaders(): void {
    this.respond(false);
  }

  write(chunk: Buffer | string, encoding: BufferEncoding = 'utf8'): boolean {
    if (this.bodiless || !this.respond(false)) return true;
    return this.stream.write(chunk, encoding);
  }

  end(chunk?: Buffer | string, encoding: BufferEncoding = 'utf8'): void {
    if (this.closed) return;
    this.ended = true;
    if (this.last && !this.stream.readableEnded) this.stream.once('finish', () => this.stream.close(NGHTTP2_NO_ERROR));
    if ((chunk === undefined || this.bodiless) && this.head && !this.trailing) return void this.respond(true);
    if (this.respond(false)) this.stream.end(chunk, encoding);
  }

  on(event: 'close' | 'drain', listener: () => void): void {
    this.stream.on(event, listener);
  }

  destroy(): void {
    if (this.closed) return;
    this.cut = true;
    this.stream.close(NGHTTP2_INTERNAL_ERROR);
  }

  /** Ends the stream once what was written has left, since nobody reads what its client still sends (RFC 9113 §8.1). */
  leaveBody(): void {
    if (this.closed) return;
    this.cut = true;
    this.stream.close(NGHTTP2_NO_ERROR);
  }

  private get closed(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  /** @returns whether more can be sent: false when the stream is over, be it because of its very head. */
  private respond(endStream: boolean): boolean {
    const { head } = this;
    this.head = undefined;
    if (this.closed) return false;
    if (!head) return true;
    const waitForTrailers = this.awaitsTrailers && !endStream;
    if (waitForTrailers) this.stream.once('wantTrailers', () => this.sendTrailers());
    try {
      this.stream.respond(head, { endStream, waitForTrailers });
    } catch (error) {
      return this.fail(error);
    }
    if (endStream) this.stream.end();
    return true;
  }

  private sendTrailers(): void {
    try {
      this.stream.sendTrailers(this.trailing ?? noFields());
    } catch (error) {
      this.fail(error);
    }
  }

  /** Nobody waits above for what node:http2 throws here: it costs this stream, and not the process. */
  private fail(error: unknown): false {
    this.watcher.onDefect(error);
    this.destroy();
    return false;
  }
}

/**
 * RFC 9110 §5.3: several lines of one field are one list, but for cookies.
 * @throws when the field could end or begin another one.
 */
function add(fields: Fields, name: string, value: string): void {
  // node:http2 throws at each of these.
  if (ofTheConnection.has(name) || name === 'te') return;
  if (!isSendable(name, value)) throw new Error(`the field ${JSON.stringify(name)} cannot be sent`);
  const before = fields[name];
  if (before === undefined) fields[name] = value;
  else if (name === 'set-cookie') fields[name] = Array.isArray(before) ? [...before, value] : [String(before), value];
  else fields[name] = `${String(before)}, ${value}`;
}
