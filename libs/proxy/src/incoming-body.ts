import { Readable } from 'node:stream';
import type { Refusal } from '@sallyport/contracts';
import type { BodyCap } from './body-cap';
import type { UpstreamBody } from './forward';
import { HeldBytes } from './held-bytes';

/** Who follows a body as it comes in. After onRefused or onAborted nothing more is called. */
export interface BodyListener {
  /** Counted, and within the cap. */
  onChunk?(chunk: Buffer): void;
  onEnd?(): void;
  /** The body weighs more than it may. Nothing more is read until `discard`. */
  onRefused(refusal: Refusal): void;
  /** The client went away, or its framing broke, before the body was complete. */
  onAborted(): void;
  /** One of the others threw, or what takes the body on did. The body goes on until `discard`. */
  onDefect(error: unknown): void;
}

const NOTHING = Buffer.alloc(0);

type State = 'held' | 'released' | 'discarded' | 'over';

/**
 * Reads the body of one request: counts it, shows it to a listener, and holds it until it is released to an upstream.
 * The cap bounds what is held. Once released it streams, and is read no faster than the upstream takes it.
 */
export class IncomingBody {
  private state: State = 'held';
  private readonly held = new HeldBytes();
  private complete = false;
  private feed: BodyFeed | undefined;
  private discardable = 0;
  private paused = false;
  private heldUp = false;
  private onExcess: () => void = () => undefined;

  /** @param source the message of the client; it is never destroyed here. */
  constructor(
    private readonly source: Readable,
    private readonly cap: BodyCap,
    private readonly listener: BodyListener,
  ) {}

  /** Begins to read. */
  start(): void {
    this.source.on('data', (chunk: Buffer) => this.take('read', chunk));
    this.source.on('end', () => this.take('end', NOTHING));
    this.source.on('error', () => this.take('breakOff', NOTHING));
    this.source.on('close', () => this.take('breakOff', NOTHING));
  }

  /** A throw out of an event of the source would end the process, where it is about one exchange. */
  private take(step: 'read' | 'end' | 'breakOff', chunk: Buffer): void {
    try {
      this[step](chunk);
    } catch (error) {
      this.listener.onDefect(error);
    }
  }

  /** What was read so far and has not been released, in one piece. */
  bytes(): Buffer {
    return this.held.whole();
  }

  /** Whether the last byte has been read. */
  get isComplete(): boolean {
    return this.complete;
  }

  /** Bytes that were counted so far. */
  get bytesRead(): number {
    return this.cap.bytes;
  }

  /** Whether bytes are wanted that have not come: the sender is late, and not whoever they are for. */
  get isAwaited(): boolean {
    return !this.complete && !this.paused && !this.heldUp && (this.state === 'held' || this.state === 'released');
  }

  /** Hands the body on, once: in one piece when it is complete, else as a stream of what is held and what will come. */
  release(): UpstreamBody {
    if (this.state !== 'held') throw new Error(`a body that is ${this.state} cannot be released`);
    this.state = 'released';
    if (this.complete) return this.held.length === 0 ? undefined : this.bytes();
    this.feed = new BodyFeed(() => {
      this.paused = false;
      if (!this.heldUp) this.source.resume();
    });
    for (const piece of this.held.takePieces()) this.feed.push(piece);
    return this.feed;
  }

  /** Reads nothing more until `carryOn`: whoever looks at the bytes cannot keep up. */
  holdUp(): void {
    if (this.complete || this.state === 'over' || this.state === 'discarded') return;
    this.heldUp = true;
    this.source.pause();
  }

  carryOn(): void {
    if (!this.heldUp) return;
    this.heldUp = false;
    if (!this.paused && this.state !== 'over') this.source.resume();
  }

  /**
   * Reads on without keeping anything, so that a client that still sends sees the answer instead of a reset. To be
   * called after a refusal, and whenever an answer is complete before the body is.
   * @param onExcess called once when more than `maxBytes` come: then cut the connection
   */
  discard(maxBytes: number, onExcess: () => void): void {
    this.feed?.destroy();
    this.held.clear();
    this.state = 'discarded';
    this.heldUp = false;
    this.discardable = maxBytes;
    this.onExcess = onExcess;
    this.source.resume();
  }

  private read(chunk: Buffer): void {
    if (this.state === 'over') return;
    if (this.state === 'discarded') return this.throwAway(chunk);
    const refusal = this.cap.count(chunk.length);
    if (refusal) {
      this.stop();
      return this.listener.onRefused(refusal);
    }
    if (this.state === 'held') this.held.push(chunk);
    else if (this.feed && !this.feed.push(chunk)) {
      this.paused = true;
      this.source.pause();
    }
    this.listener.onChunk?.(chunk);
  }

  private throwAway(chunk: Buffer): void {
    this.discardable -= chunk.length;
    if (this.discardable >= 0) return;
    this.stop();
    this.onExcess();
  }

  private end(): void {
    if (this.state === 'over' || this.complete) return;
    this.complete = true;
    this.feed?.push(null);
    if (this.state !== 'discarded') this.listener.onEnd?.();
  }

  private breakOff(): void {
    if (this.state === 'over' || this.complete) return;
    const wasDiscarded = this.state === 'discarded';
    this.stop();
    if (!wasDiscarded) this.listener.onAborted();
  }

  private stop(): void {
    this.state = 'over';
    this.source.pause();
    this.held.clear();
    this.feed?.destroy();
  }
}

/** A stream of the exchange's own: destroying it leaves the client's connection alone. */
class BodyFeed extends Readable {
  constructor(private readonly onWant: () => void) {
    super();
  }

  override _read(): void {
    this.onWant();
  }
}
