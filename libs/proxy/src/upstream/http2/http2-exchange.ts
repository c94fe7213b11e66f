import { constants, type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2';
import { Readable } from 'node:stream';
import type { Forwarding, ForwardPhase, ForwardSink, UpstreamRequest } from '../../forward';
import { isSendable } from '../../headers-out';
import { limits } from '../../limits';
import type { RawFields } from '../../raw-fields';
import { upstreamFailure } from '../../upstream-failure';
import { Alarm } from '../alarm';
import { isBodyAwaited } from '../body-awaited';
import { bodyBroke, ExchangeError, tooSlow, UnsendableRequest, type Wait } from '../exchange-error';

/** What an exchange tells the connection it runs on. */
export interface Ground {
  ended(): void;
  /** No answer came in time. */
  late(): void;
  /** What went wrong with the connection, if anything did. */
  why(): Error | undefined;
}

const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;
const MOST_INFORMATIONAL = 8;

/** One request and its answer as a stream of HTTP/2. */
export class Http2Exchange implements Forwarding {
  over = false;
  /** Set while the exchange waits for a connection. */
  leaveQueue: (() => void) | undefined;
  private phase: ForwardPhase = 'connect';
  private stream: ClientHttp2Stream | undefined;
  private ground: Ground | undefined;
  private waitsFor: Wait = 'first byte';
  private paused = false;
  private informational = 0;
  /** The upstream has said itself that its answer ends here. */
  private endSeen = false;
  private readonly alarm = new Alarm(() => this.ring());

  constructor(
    readonly request: UpstreamRequest,
    private readonly sink: ForwardSink,
    private readonly origin: string,
    /** Whether a connection is being made. */
    private readonly isConnecting: () => boolean,
  ) {}

  /** @returns false when the connection has no stream left to give; then nothing has happened. */
  start(session: ClientHttp2Session, ground: Ground): boolean {
    this.ground = ground;
    const { body } = this.request;
    let stream: ClientHttp2Stream;
    try {
      stream = session.request(headOf(this.request, this.origin), { endStream: body === undefined });
    } catch (error) {
      this.fail(notSent(error as Error));
      return true;
    }
    if (stream.destroyed) {
      this.ground = undefined;
      stream.on('error', () => undefined);
      return false;
    }
    this.stream = stream;
    this.follow(stream);
    this.phase = 'request';
    if (body instanceof Readable) this.send(body, stream);
    else {
      if (body !== undefined) stream.end(body);
      this.wait('first byte', this.request.timeouts.firstByteMs);
    }
    return true;
  }

  get heldUp(): boolean {
    if (this.leaveQueue !== undefined) return !this.isConnecting();
    return this.phase !== 'connect' && isBodyAwaited(this.request.body);
  }

  resume(): void {
    if (this.over || !this.paused) return;
    this.paused = false;
    this.wait('next byte', this.request.timeouts.idleMs);
    this.stream?.resume();
  }

  abort(): void {
    if (!this.over) this.end(NGHTTP2_CANCEL);
  }

  fail(error: Error): void {
    if (this.over) return;
    this.end(NGHTTP2_CANCEL);
    this.sink.onFailure(upstreamFailure(error, this.phase, this.request.timeouts), this.phase);
  }

  private follow(stream: ClientHttp2Stream): void {
    let error: Error | undefined;
    const push = stream.push.bind(stream);
    // RFC 9113 §8.1: an answer is complete with END_STREAM, not with a reset, though it be one without an error. Node ends
    // both in the same way, and tells no one but itself: what is complete ends while it is open, what was reset is closed.
    stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
      this.endSeen ||= chunk === null && !stream.closed;
      return push(chunk, encoding);
    };
    stream.on('response', (...[, , raw]: [unknown, unknown, string[]?]) => this.guarded(() => this.head(raw ?? [])));
    stream.on('headers', () => {
      if (++this.informational > MOST_INFORMATIONAL) this.fail(broken('it informs without end'));
    });
    stream.on('data', (chunk: Buffer) => this.guarded(() => this.data(chunk)));
    stream.on('trailers', (...[, , raw]: [unknown, unknown, string[]?]) =>
      this.guarded(() => this.trailers(raw ?? [])),
    );
    stream.on('error', (given: Error) => (error ??= given));
    stream.on('end', () => this.guarded(() => this.ended(stream)));
    stream.on('close', () => {
      if (this.over) return;
      // RFC 9113 §8.7: a refused stream was not looked at, so it is as if it had never been sent.
      if (stream.rstCode === NGHTTP2_REFUSED_STREAM && this.phase === 'request') this.phase = 'connect';
      this.fail(error ?? this.ground?.why() ?? broken('the upstream closed the stream'));
    });
  }

  private head(raw: readonly string[]): void {
    if (this.over || this.phase === 'response') return;
    const status = Number(raw[raw.indexOf(':status') + 1]);
    const fields = readFields(raw);
    if (!fields || !(status >= 200 && status <= 599)) return this.fail(broken('its head is malformed'));
    this.phase = 'response';
    this.wait('next byte', this.request.timeouts.idleMs);
    this.sink.onHead(status, fields);
  }

  private data(chunk: Buffer): void {
    if (this.over) return;
    if (this.sink.onData(chunk)) return this.wait('next byte', this.request.timeouts.idleMs);
    // The client is slow, not the upstream.
    this.paused = true;
    this.alarm.rest();
    this.stream!.pause();
  }

  private trailers(raw: readonly string[]): void {
    if (this.over || !this.sink.onTrailers) return;
    const fields = readFields(raw);
    if (!fields) return this.fail(broken('its trailers are malformed'));
    this.sink.onTrailers(fields);
  }

  /** A stream that was reset ends too: only what the upstream has ended is complete. */
  private ended(stream: ClientHttp2Stream): void {
    if (this.over || this.phase !== 'response') return;
    if (!this.endSeen || (stream.rstCode !== undefined && stream.rstCode !== NGHTTP2_NO_ERROR))
      return this.fail(broken('the upstream broke the stream off'));
    // Half a request may still be on its way; nobody wants it any more.
    this.end(stream.writableFinished ? undefined : NGHTTP2_NO_ERROR);
    this.sink.onEnd();
  }

  /** Writes a body as it comes, and no faster than the upstream takes it. */
  private send(body: Readable, stream: ClientHttp2Stream): void {
    const { sendMs, firstByteMs } = this.request.timeouts;
    body.on('data', (chunk: Buffer) => {
      if (this.over || stream.write(chunk)) return;
      body.pause();
      if (sendMs !== undefined && this.phase === 'request') this.wait('send', sendMs);
      stream.once('drain', () => {
        if (this.over) return;
        if (this.waitsFor === 'send') this.alarm.rest();
        body.resume();
      });
    });
    body.on('end', () => {
      if (this.over) return;
      stream.end();
      if (this.phase === 'request') this.wait('first byte', firstByteMs);
    });
    body.on('error', (error: Error) => this.fail(bodyBroke(error)));
    body.on('close', () => {
      if (!stream.writableEnded) this.fail(bodyBroke());
    });
  }

  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private wait(what: Wait, ms: number): void {
    this.waitsFor = what;
    this.alarm.set(ms);
  }

  private ring(): void {
    if (this.waitsFor === 'first byte') this.ground?.late();
    this.fail(tooSlow(this.waitsFor));
  }

  /** @param code to reset the stream with, where it is not over by itself */
  private end(code: number | undefined): void {
    this.over = true;
    this.leaveQueue?.();
    this.alarm.stop();
    const { body } = this.request;
    if (body instanceof Readable) body.destroy();
    if (code !== undefined) this.stream?.close(code);
    this.ground?.ended();
    this.ground = undefined;
  }
}

/**
 * A connection that is closed is the upstream's affair, and another one may do. Whatever else node:http2 will not send is a
 * defect of ours: without a code, so that no request a caller makes up counts against the upstream.
 */
function notSent(error: Error): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ERR_HTTP2_INVALID_SESSION' || code === 'ERR_HTTP2_GOAWAY_SESSION') return error;
  return error instanceof UnsendableRequest ? error : new UnsendableRequest(error.message, { cause: error });
}

function broken(reason: string): ExchangeError {
  return new ExchangeError('SALLYPORT_BAD_ANSWER', reason);
}

/**
 * RFC 9113 §8.3.1: Host becomes :authority; what concerns a connection has no place here, and node:http2 refuses it.
 * Fields of one name are joined: node:http2 refuses a second one of many names that may well be lists.
 * @throws UnsendableRequest
 */
function headOf(request: UpstreamRequest, origin: string): OutgoingHttpHeaders {
  const { method, path, fields, body } = request;
  if (request.upgrade) throw new UnsendableRequest('a WebSocket');
  // Without a prototype, whose names callers may use as well.
  const head = Object.create(null) as Record<string, string>;
  head[':method'] = method;
  head[':path'] = path;
  head[':scheme'] = origin.startsWith('https:') ? 'https' : 'http';
  for (let at = 0; at < fields.length; at += 2) {
    const given = fields[at]!;
    const value = fields[at + 1]!;
    if (!isSendable(given, value)) throw new UnsendableRequest(`field ${given}`);
    const name = given === 'host' ? ':authority' : given;
    const before = head[name];
    if (before === undefined) head[name] = value;
    else if (isOneOnly(name)) throw new UnsendableRequest(`two of ${given}`);
    // RFC 9110 §5.3: a list in several fields is the same list in one; RFC 9113 §8.2.3 for cookies.
    else head[name] = `${before}${name === 'cookie' ? '; ' : ', '}${value}`;
  }
  if (body instanceof Uint8Array) head['content-length'] ??= String(body.length);
  return head;
}

/** What would be another request if it stood there joined. */
function isOneOnly(name: string): boolean {
  return name === ':authority' || name === 'content-length';
}

/** @returns undefined when the fields could not be passed on as they are, or are more than an answer may have. */
function readFields(raw: readonly string[]): RawFields | undefined {
  const fields: string[] = [];
  let bytes = 0;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at]!;
    const value = raw[at + 1]!;
    bytes += name.length + value.length + 4;
    if (bytes > limits.upstream.headBytes) return undefined;
    if (name === ':status') continue;
    if (!isSendable(name, value) || name === 'connection' || name === 'transfer-encoding') return undefined;
    fields.push(name, value);
  }
  return fields;
}
