import { constants, type ServerHttp2Stream } from 'node:http2';
import { readHttp2Head, type RawFields } from '@sallyport/proxy';
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
    socket: { remoteAddress, destroySoon: () => stream.close(NGHTTP2_NO_ERROR) },
  });
  Object.defineProperty(incoming, 'complete', { get: () => !bodyFollows || stream.readableEnded });
  return incoming as typeof incoming & { readonly complete: boolean };
}

/** RFC 9113 §8.2.2: what HTTP/2 has no place for in an answer. */
const ofTheConnection: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

type Fields = Record<string, string | number | string[]>;

/** A stream of an HTTP/2 connection as the response of the gateway. The head leaves with the first byte of the body. */
export class Http2Answer implements Outgoing {
  sendDate = true;
  /** Whether it was we who cut the answer off, for a reason that is not the client's. */
  cut = false;
  private head: Fields | undefined;
  private last = false;
  private awaitsTrailers = false;
  private trailing: Fields = {};

  constructor(private readonly stream: ServerHttp2Stream) {}

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

  writeHead(status: number, fields: string[]): void {
    const head: Fields = { ':status': status };
    for (let at = 0; at < fields.length; at += 2) {
      const name = fields[at]!;
      // RFC 9113 §8.1: a body nobody reads ends with the answer, and with it alone; the connection lives on.
      if (name === 'connection' && fields[at + 1] === 'close') this.last = true;
      if (!ofTheConnection.has(name)) add(head, name, fields[at + 1]!);
    }
    this.head = head;
  }

  expectTrailers(): void {
    this.awaitsTrailers = true;
  }

  trailers(fields: RawFields): void {
    for (let at = 0; at < fields.length; at += 2) add(this.trailing, fields[at]!, fields[at + 1]!);
  }

  flushHeaders(): void {
    this.respond(false);
  }

  write(chunk: Buffer | string, encoding: BufferEncoding = 'utf8'): boolean {
    if (this.closed) return true;
    this.respond(false);
    return this.stream.write(chunk, encoding);
  }

  end(chunk?: Buffer | string, encoding: BufferEncoding = 'utf8'): void {
    if (this.closed) return;
    if (this.last && !this.stream.readableEnded) this.stream.once('finish', () => this.stream.close(NGHTTP2_NO_ERROR));
    if (chunk === undefined && this.head && Object.keys(this.trailing).length === 0) return this.respond(true);
    this.respond(false);
    this.stream.end(chunk, encoding);
  }

  on(event: 'close' | 'drain', listener: () => void): void {
    this.stream.on(event, listener);
  }

  destroy(): void {
    if (this.closed) return;
    this.cut = true;
    this.stream.close(NGHTTP2_INTERNAL_ERROR);
  }

  private get closed(): boolean {
    return this.stream.destroyed || this.stream.closed;
  }

  private respond(endStream: boolean): void {
    const { head } = this;
    this.head = undefined;
    if (!head || this.closed) return;
    const waitForTrailers = this.awaitsTrailers && !endStream;
    if (waitForTrailers) this.stream.once('wantTrailers', () => this.stream.sendTrailers(this.trailing));
    this.stream.respond(head, { endStream, waitForTrailers });
    if (endStream) this.stream.end();
  }
}

/** RFC 9110 §5.3: several lines of one field are one list, but for cookies. */
function add(fields: Fields, name: string, value: string): void {
  const before = fields[name];
  if (before === undefined) fields[name] = value;
  else if (name === 'set-cookie') fields[name] = Array.isArray(before) ? [...before, value] : [String(before), value];
  else fields[name] = `${String(before)}, ${value}`;
}
