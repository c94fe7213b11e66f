import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Forwarding, ForwardPhase, ForwardSink, UpstreamRequest } from '../../forward';
import { upstreamFailure } from '../../upstream-failure';
import { Alarm } from '../alarm';
import { isBodyAwaited } from '../body-awaited';
import { bodyBroke, ExchangeError, tooSlow, type Wait } from '../exchange-error';
import { framingOf, requestHead } from './request-head';
import { ResponseParser } from './response-parser';

/** One request and its answer, whichever connection carries them. */
export class Http1Exchange implements Forwarding {
  over = false;
  phase: ForwardPhase = 'connect';
  connection: Http1Connection | undefined;
  /** Set while the exchange waits for a connection. */
  leaveQueue: (() => void) | undefined;
  /** Runs until the exchange has a connection. */
  connectTimer: NodeJS.Timeout | undefined;

  constructor(
    readonly request: UpstreamRequest,
    readonly sink: ForwardSink,
  ) {}

  get heldUp(): boolean {
    return this.leaveQueue !== undefined || (this.phase !== 'connect' && isBodyAwaited(this.request.body));
  }

  resume(): void {
    if (!this.over) this.connection?.resume();
  }

  abort(): void {
    if (this.over) return;
    this.over = true;
    this.leaveQueue?.();
    clearTimeout(this.connectTimer);
    this.destroyBody();
    this.connection?.destroy();
  }

  fail(error: Error): void {
    if (this.over) return;
    this.over = true;
    this.leaveQueue?.();
    clearTimeout(this.connectTimer);
    this.destroyBody();
    this.sink.onFailure(upstreamFailure(error, this.phase, this.request.timeouts), this.phase);
  }

  destroyBody(): void {
    const { body } = this.request;
    if (body instanceof Readable) body.destroy();
  }
}

/** Whoever keeps connections, and wants to know when one is free or gone. */
export interface ConnectionOwner {
  onFree(connection: Http1Connection): void;
  onGone(connection: Http1Connection): void;
}

/**
 * One connection, carrying one exchange at a time. What is read of an answer counts a read at a time: an answer whose end
 * is followed by more bytes, or whose framing breaks, in the read that brought its head is never passed on at all.
 */
export class Http1Connection {
  private readonly parser: ResponseParser;
  private exchange: Http1Exchange | undefined;
  private requestSent = true;
  private paused = false;
  private gone = false;
  private waitsFor: Wait | 'idle' = 'idle';
  private readonly alarm = new Alarm(() => this.ring());
  private lastError: Error | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly owner: ConnectionOwner,
    headBytes: number,
    private readonly keepAliveMs: number,
  ) {
    this.parser = new ResponseParser(headBytes);
    socket.on('error', (error: Error) => (this.lastError ??= error));
    socket.on('end', () => this.ended());
    socket.on('close', () => this.closed());
  }

  /**
   * RFC 9112 §9.8: an answer that ends with a TLS connection is complete with a closure alert only, and node:tls shows the end
   * of the connection in the same way without one.
   */
  private get isEncrypted(): boolean {
    return this.socket instanceof TLSSocket;
  }

  /** Whether an exchange may begin on it. */
  get usable(): boolean {
    return !this.gone && !this.socket.destroyed && this.socket.writable && !this.socket.readableEnded;
  }

  /** @throws UnsendableRequest; then nothing was written, and the connection is as it was. */
  start(exchange: Http1Exchange): void {
    const { request } = exchange;
    const framing = framingOf(request);
    const head = requestHead(request, framing);
    this.exchange = exchange;
    exchange.connection = this;
    exchange.phase = 'request';
    this.parser.begin(request.method);
    const { body } = request;
    if (body === undefined) {
      this.socket.write(head, 'latin1');
      return this.sent();
    }
    this.socket.cork();
    this.socket.write(head, 'latin1');
    if (body instanceof Uint8Array) {
      if (body.length > 0) this.socket.write(body);
      this.socket.uncork();
      return this.sent();
    }
    this.socket.uncork();
    this.requestSent = false;
    // The caller has its own time for the body: what rang for an idle connection must not ring for a slow caller.
    this.alarm.rest();
    this.stream(body, framing === 'chunked' ? undefined : Number(lengthOf(request)));
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (this.exchange) this.wait('next byte', this.exchange.request.timeouts.idleMs);
    this.socket.resume();
  }

  destroy(): void {
    this.gone = true;
    this.alarm.stop();
    this.socket.destroy();
  }

  private sent(): void {
    this.requestSent = true;
    // An answer may have begun before the request was out.
    if (this.exchange && this.exchange.phase === 'request')
      this.wait('first byte', this.exchange.request.timeouts.firstByteMs);
  }

  /** Writes a body as it comes, and no faster than the upstream reads it. @param length undefined: in chunks */
  private stream(body: Readable, length: number | undefined): void {
    const { socket, exchange } = this;
    const { sendMs } = exchange!.request.timeouts;
    let written = 0;
    const isOver = () => this.exchange !== exchange || exchange!.over;
    const drained = (): void => {
      if (this.waitsFor === 'send') this.alarm.rest();
      body.resume();
    };
    body.on('data', (chunk: Buffer) => {
      if (isOver() || chunk.length === 0) return;
      written += chunk.length;
      if (length !== undefined && written > length) return this.fail(new Error('more of a body than was announced'));
      if (this.writeChunk(chunk, length === undefined)) return;
      body.pause();
      if (sendMs !== undefined && exchange!.phase === 'request') this.wait('send', sendMs);
      socket.once('drain', drained);
    });
    body.on('end', () => {
      if (isOver()) return;
      if (length !== undefined && written < length) return this.fail(new Error('less of a body than was announced'));
      if (length === undefined) socket.write('0\r\n\r\n', 'latin1');
      this.sent();
    });
    body.on('error', (error: Error) => isOver() || this.fail(bodyBroke(error)));
    // The body is destroyed by whoever gave it: then the request can never be complete.
    body.on('close', () => isOver() || this.requestSent || this.fail(bodyBroke()));
  }

  private writeChunk(chunk: Buffer, framed: boolean): boolean {
    const { socket } = this;
    if (!framed) return socket.write(chunk);
    socket.cork();
    socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
    socket.write(chunk);
    const more = socket.write('\r\n', 'latin1');
    socket.uncork();
    return more;
  }

  /** Takes what the socket brought. */
  read(chunk: Buffer): void {
    const { exchange, parser } = this;
    if (this.gone) return;
    // Nobody asked: whatever this is, it must not become the answer to the next request.
    if (!exchange) return this.destroy();
    parser.feed(chunk);
    if (parser.fault !== undefined) return this.fail(new ExchangeError('SALLYPORT_BAD_ANSWER', parser.fault));
    try {
      this.passOn(exchange);
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  private passOn(exchange: Http1Exchange): void {
    const { parser } = this;
    if (exchange.phase === 'request') {
      if (parser.status === 0) return;
      exchange.phase = 'response';
      exchange.sink.onHead(parser.status, parser.fields, parser.endsWithConnection && this.isEncrypted);
    }
    for (const piece of parser.pieces) {
      if (exchange.over) return;
      if (!exchange.sink.onData(piece)) this.paused = true;
    }
    if (exchange.over) return;
    if (parser.complete) return this.finish(exchange);
    if (this.paused) {
      // The client is slow, not the upstream.
      this.alarm.rest();
      this.socket.pause();
    } else this.wait('next byte', exchange.request.timeouts.idleMs);
  }

  private finish(exchange: Http1Exchange): void {
    exchange.over = true;
    exchange.connection = undefined;
    this.exchange = undefined;
    this.paused = false;
    // RFC 9112 §9.3: an answer to half a request ends the connection; its rest would be read as the next one.
    if (!this.parser.reusable || !this.requestSent) {
      exchange.destroyBody();
      this.destroy();
    } else {
      this.wait('idle', Math.min(this.keepAliveMs, (this.parser.keepAliveMs ?? Infinity) - 1_000));
      this.owner.onFree(this);
    }
    exchange.sink.onEnd();
  }

  private fail(error: Error): void {
    const { exchange } = this;
    this.exchange = undefined;
    this.destroy();
    exchange?.fail(error);
  }

  /** The upstream says that nothing more comes. */
  private ended(): void {
    const { exchange } = this;
    if (exchange && !exchange.over && this.parser.endsWithConnection) return this.finish(exchange);
    if (!exchange) this.destroy();
  }

  private closed(): void {
    const { exchange } = this;
    this.gone = true;
    this.alarm.stop();
    this.exchange = undefined;
    this.owner.onGone(this);
    exchange?.fail(this.lastError ?? new ExchangeError('SALLYPORT_BAD_ANSWER', 'the upstream closed the connection'));
  }

  private wait(what: Http1Connection['waitsFor'], ms: number): void {
    this.waitsFor = what;
    this.alarm.set(ms);
  }

  private ring(): void {
    if (this.gone) return;
    if (this.waitsFor === 'idle') this.destroy();
    else this.fail(tooSlow(this.waitsFor));
  }
}

function lengthOf({ fields }: UpstreamRequest): string {
  return fields[fields.indexOf('content-length') + 1]!;
}
