import type { Socket } from 'node:net';
import { refuse, type Clock, type Refusal } from '@sallyport/contracts';
import type { Closable } from '@sallyport/platform';
import { limits } from '@sallyport/proxy';
import type { Exchange } from './exchange';
import type { OpenExchanges } from './open-exchanges';
import type { GatewayParts } from './gateway-parts';

/** What is remembered of an exchange that takes longer than a look; all times in milliseconds of the monotonic clock. */
export interface Watched {
  readonly since: number;
  upload: Window;
  reader: Window;
  /** When the head of the answer was first seen. */
  answeredAt: number | undefined;
  /** Bytes of the answer, and when their number last changed. */
  answered: { bytes: number; at: number };
}

/** A stretch of time over which a rate is judged, and the count at its beginning. */
interface Window {
  readonly at: number;
  readonly bytes: number;
}

/**
 * Looks at all exchanges under way in one go, so that none needs a timer of its own: who is slow in sending or reading is
 * cut off, what takes too long is ended, and streams of events that are silent get a comment that keeps them open.
 */
export class ExchangeWatch implements Closable {
  private readonly timer: NodeJS.Timeout;

  /** @param everyMs how often to look */
  constructor(
    private readonly open: OpenExchanges,
    private readonly parts: Pick<GatewayParts, 'refuse'> & { readonly clock: Clock },
    everyMs: number,
  ) {
    this.timer = setInterval(() => this.look(), everyMs);
    this.timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
  }

  /** One look at everything. */
  look(): void {
    const now = this.parts.clock.monotonic();
    for (const exchange of this.open) this.judge(exchange, now);
  }

  private judge(exchange: Exchange, now: number): void {
    const watched = (exchange.watched ??= {
      since: now,
      upload: { at: now, bytes: 0 },
      reader: { at: now, bytes: flushedBytes(exchange) },
      answeredAt: undefined,
      answered: { bytes: 0, at: now },
    });
    if (!exchange.over) this.judgeUpload(exchange, watched, now);
    if (exchange.answer.status === 0 || exchange.answer.isSwitched) return;
    watched.answeredAt ??= now;
    if (isReadTooSlowly(exchange, watched, now)) return cut(exchange);
    if (now - watched.answeredAt >= exchange.bounds.streamSeconds * 1000) return this.endLongAnswer(exchange);
    if (!exchange.over) keepOpen(exchange, watched, now);
  }

  private judgeUpload(exchange: Exchange, watched: Watched, now: number): void {
    const { reading, bounds } = exchange;
    // Who waits for us, or for an upstream that does not take more, is not slow.
    if (!reading?.isAwaited) {
      watched.upload = { at: now, bytes: reading?.bytesRead ?? 0 };
      return;
    }
    const wholeMs = wholeRequestMs(exchange);
    if (now - watched.since >= wholeMs) return this.refuse(exchange, timedOut(wholeMs / 1000));
    const window = now - watched.upload.at;
    if (window < limits.upload.graceMs) return;
    const received = reading.bytesRead - watched.upload.bytes;
    if (received < (bounds.uploadBytesPerSecond * window) / 1000) this.refuse(exchange, timedOut(window / 1000));
    watched.upload = { at: now, bytes: reading.bytesRead };
  }

  private endLongAnswer(exchange: Exchange): void {
    if (exchange.over) return cut(exchange);
    exchange.outcome ??= 'upstream_timeout';
    this.parts.refuse(exchange, refuse('UPSTREAM_TIMEOUT', { seconds: exchange.bounds.streamSeconds }), 'close');
  }

  private refuse(exchange: Exchange, refusal: Refusal): void {
    this.parts.refuse(exchange, refusal, 'close');
  }
}

const timedOut = (seconds: number): Refusal => refuse('REQUEST_TIMEOUT', { seconds: Math.round(seconds) });

/** What the route says, or the listener where it says nothing. */
function wholeRequestMs({ bounds, compiled, connection, dialect }: Exchange): number {
  // What a client streams in a call of gRPC lasts as long as the call.
  if (dialect === 'grpc') return bounds.requestSeconds * 1000;
  const seconds = compiled?.route.limits?.requestSeconds;
  return seconds === undefined ? connection.limits.requestMs : seconds * 1000;
}

function isReadTooSlowly(exchange: Exchange, watched: Watched, now: number): boolean {
  const flushed = flushedBytes(exchange);
  if (!exchange.answer.isPending) {
    watched.reader = { at: now, bytes: flushed };
    return false;
  }
  const window = now - watched.reader.at;
  if (window < limits.reader.windowMs) return false;
  const read = flushed - watched.reader.bytes;
  watched.reader = { at: now, bytes: flushed };
  return read < (exchange.bounds.readerBytesPerSecond * window) / 1000;
}

/** A caller that does not read could not be told anything. */
function cut(exchange: Exchange): void {
  exchange.outcome ??= 'client_aborted';
  exchange.answer.destroy();
  exchange.response.destroy();
}

function keepOpen({ answer, bounds }: Exchange, watched: Watched, now: number): void {
  if (answer.bytes !== watched.answered.bytes) {
    watched.answered = { bytes: answer.bytes, at: now };
    return;
  }
  if (bounds.heartbeatSeconds === 0 || now - watched.answered.at < bounds.heartbeatSeconds * 1000) return;
  watched.answered = { bytes: answer.bytes, at: now };
  if (answer.takesEvents && !answer.isPending) answer.comment();
}

/** What Node keeps of a socket's output; no part of its documented interface, so all of it may be missing. */
interface FlushingSocket extends Partial<Pick<Socket, 'bytesWritten'>> {
  readonly _bytesDispatched?: number;
  readonly _handle?: { readonly writeQueueSize?: number } | null;
}

/** Bytes that have left for the caller: what the kernel holds counts as read. */
function flushedBytes({ incoming }: Exchange): number {
  const { _bytesDispatched: dispatched, _handle: handle, bytesWritten = 0 } = incoming.socket as FlushingSocket;
  return dispatched === undefined ? bytesWritten : dispatched - (handle?.writeQueueSize ?? 0);
}
