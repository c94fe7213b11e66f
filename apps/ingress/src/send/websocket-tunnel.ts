import type { Duplex } from 'node:stream';
import { refuse, type Clock, type RandomBytes, type Refusal } from '@sallyport/contracts';
import {
  closeCodes,
  closeFrame,
  controlFrame,
  FrameGate,
  type ControlFrame,
  type WebSocketFault,
} from '@sallyport/proxy';
import type { Outcome } from '@sallyport/trail';

/** How long each side may take to end after the first close frame. */
const CLOSING_MS = 2_000;
/** A client that was silent for so long is asked for a sign of life, and is gone when none comes in as much again. */
const PING_MS = 30_000;
const CHECK_MS = 1_000;

export interface TunnelOptions {
  readonly client: Duplex;
  readonly upstream: Duplex;
  readonly maxMessageBytes: number;
  readonly idleMs: number;
  /** For tests; else half a minute. */
  readonly pingMs?: number;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Bytes that came from a side. */
  onBytes(from: Side, bytes: number): void;
  /** Once, before the connections end. */
  onEnd(outcome: Outcome, refusal: Refusal | undefined): void;
}

export type Side = 'client' | 'upstream';

/** Two connections that speak WebSocket to each other through us. What one side sends is judged before the other gets it. */
export class WebSocketTunnel {
  private readonly client: End;
  private readonly upstream: End;
  private readonly checking: NodeJS.Timeout;
  private readonly pingMs: number;
  /** Of frames that the sides sent of their own accord. */
  private lastFrame: number;
  /** When the client was asked for a sign of life that has not come yet. */
  private askedAt: number | undefined;
  private sentPing: Buffer | undefined;
  private closing: NodeJS.Timeout | undefined;
  private over = false;

  constructor(private readonly options: TunnelOptions) {
    const { client, upstream, clock } = options;
    this.pingMs = options.pingMs ?? PING_MS;
    this.lastFrame = clock.monotonic();
    this.client = new End('client', client, upstream, this, options);
    this.upstream = new End('upstream', upstream, client, this, options);
    this.checking = setInterval(() => this.check(), Math.min(CHECK_MS, this.pingMs / 2, options.idleMs / 2)).unref();
  }

  /** @param early what the upstream sent right behind its agreement */
  start(early: Buffer): void {
    if (early.length > 0) this.upstream.take(early);
    this.client.start();
    this.upstream.start();
  }

  /** Tells both sides that we go away (RFC 6455 §7.4.1). */
  goAway(): void {
    this.closeBoth({ code: closeCodes.goingAway, reason: 'the gateway is shutting down' }, 'ok');
  }

  /** Ends both connections at once. */
  destroy(): void {
    this.end('client_aborted', undefined);
    this.client.socket.destroy();
    this.upstream.socket.destroy();
  }

  heard(side: Side): void {
    if (side === 'client') this.askedAt = undefined;
  }

  framed(): void {
    this.lastFrame = this.options.clock.monotonic();
  }

  /** @returns whether a control frame goes on; the answer to our own ping does not. */
  passes(side: Side, kind: ControlFrame, payload: Buffer): boolean {
    if (side === 'client' && kind === 'pong' && this.sentPing?.equals(payload)) return false;
    this.framed();
    return true;
  }

  /** A side has sent its close frame, and the other has it. */
  closed(): void {
    if (this.client.closeSeen && this.upstream.closeSeen) return this.finish('ok');
    this.closing ??= setTimeout(() => this.finish('ok'), CLOSING_MS).unref();
  }

  broken(side: Side, fault: WebSocketFault): void {
    const { maxMessageBytes } = this.options;
    const refusal =
      fault.code === closeCodes.tooBig
        ? refuse('BODY_TOO_LARGE', { maxBytes: maxMessageBytes })
        : refuse('REQUEST_MALFORMED', { reason: fault.reason });
    if (side === 'client') {
      this.upstream.tell({ code: closeCodes.goingAway, reason: '' });
      this.client.tell(fault);
      return this.end('refused', refusal);
    }
    this.upstream.tell(fault);
    this.client.tell({ code: closeCodes.badGateway, reason: fault.reason });
    this.end('upstream_error', refuse('UPSTREAM_BROKE', {}, { reason: fault.reason }));
  }

  /** A connection ended. Without close frames from both sides somebody is gone. */
  gone(side: Side): void {
    if (this.over) return;
    if (this.client.closeSeen || this.upstream.closeSeen) return this.finish('ok');
    this[side].socket.end();
    if (side === 'client') {
      this.upstream.tell({ code: closeCodes.goingAway, reason: '' });
      return this.end('client_aborted', undefined);
    }
    this.client.tell({ code: closeCodes.badGateway, reason: 'the upstream is gone' });
    this.end('upstream_error', refuse('UPSTREAM_BROKE', {}, { reason: 'the WebSocket ended without a close frame' }));
  }

  /** Whether a frame of ours may stand behind what a side has got so far. */
  canInterrupt(side: Side): boolean {
    return (side === 'client' ? this.upstream : this.client).atBoundary;
  }

  private check(): void {
    const now = this.options.clock.monotonic();
    if (now - this.lastFrame > this.options.idleMs)
      return this.closeBoth({ code: closeCodes.goingAway, reason: 'nothing was said for too long' }, 'ok');
    if (this.askedAt !== undefined) {
      if (now - this.askedAt > this.pingMs) this.gone('client');
      return;
    }
    if (now - this.client.heardAt < this.pingMs || !this.canInterrupt('client')) return;
    this.sentPing = Buffer.from(this.options.random(8));
    this.askedAt = now;
    this.client.socket.write(controlFrame('ping', this.sentPing, undefined));
  }

  private closeBoth(fault: WebSocketFault, outcome: Outcome): void {
    this.client.tell(fault);
    this.upstream.tell(fault);
    this.end(outcome, undefined);
  }

  private finish(outcome: Outcome): void {
    this.client.socket.end();
    this.upstream.socket.end();
    this.end(outcome, undefined);
  }

  private end(outcome: Outcome, refusal: Refusal | undefined): void {
    if (this.over) return;
    this.over = true;
    clearInterval(this.checking);
    clearTimeout(this.closing);
    this.client.stop();
    this.upstream.stop();
    this.options.onEnd(outcome, refusal);
    // Whoever does not end its half is cut off.
    setTimeout(() => {
      this.client.socket.destroy();
      this.upstream.socket.destroy();
    }, CLOSING_MS).unref();
  }
}

/** One side: what it sends goes through the gate to the other one. */
class End {
  heardAt: number;
  /** Its close frame has come and gone on. */
  closeSeen = false;
  private readonly gate: FrameGate;
  private stopped = false;
  private told = false;
  private readonly read = (chunk: Buffer): void => this.take(chunk);

  constructor(
    private readonly side: Side,
    readonly socket: Duplex,
    private readonly other: Duplex,
    private readonly tunnel: WebSocketTunnel,
    private readonly options: TunnelOptions,
  ) {
    this.heardAt = options.clock.monotonic();
    this.gate = new FrameGate(side === 'client', options.maxMessageBytes, {
      onData: (bytes) => {
        tunnel.framed();
        other.write(bytes);
      },
      onControl: (kind, payload, frame) => {
        if (!tunnel.passes(side, kind, payload)) return;
        other.write(frame);
        if (kind === 'close') this.closeSeen = true;
      },
    });
  }

  /** Whether a frame of ours may be put behind what the other side has got from this one. */
  get atBoundary(): boolean {
    return this.gate.atBoundary;
  }

  start(): void {
    const gone = (): void => this.tunnel.gone(this.side);
    this.socket.on('error', () => undefined);
    this.socket.on('data', this.read);
    this.socket.on('end', gone);
    this.socket.on('close', gone);
    this.socket.on('drain', () => this.resumeOther());
    this.socket.resume();
  }

  take(chunk: Buffer): void {
    if (this.stopped) return;
    this.heardAt = this.options.clock.monotonic();
    this.tunnel.heard(this.side);
    this.options.onBytes(this.side, chunk.length);
    this.other.cork();
    const fault = this.gate.push(chunk);
    this.other.uncork();
    if (fault) return this.tunnel.broken(this.side, fault);
    if (this.closeSeen) this.tunnel.closed();
    // Nothing is gathered for a side that does not read: the one that sends waits.
    if (this.other.writableNeedDrain) this.socket.pause();
  }

  /** Sends a close frame, where one can stand, and ends our half. */
  tell(fault: WebSocketFault): void {
    if (this.told || this.socket.destroyed) return;
    this.told = true;
    const fromUs = this.side === 'upstream' ? this.options.random(4) : undefined;
    if (this.tunnel.canInterrupt(this.side)) this.socket.write(closeFrame(fault, fromUs));
    this.socket.end();
  }

  stop(): void {
    this.stopped = true;
    this.socket.off('data', this.read);
    // What still comes is for nobody, but must be read for the connection to end in peace.
    this.socket.resume();
  }

  private resumeOther(): void {
    if (!this.stopped) this.other.resume();
  }
}
