import type { StreamName } from '@sallyport/contracts';

/** What a consumer's handler says of one message. */
export type Verdict =
  | { readonly verdict: 'ack' }
  | { readonly verdict: 'retry'; readonly afterMs: number }
  | { readonly verdict: 'dead'; readonly reason: string };

export const ack: Verdict = Object.freeze({ verdict: 'ack' });
export const retry = (afterMs: number): Verdict => ({ verdict: 'retry', afterMs });
export const dead = (reason: string): Verdict => ({ verdict: 'dead', reason });

export interface BusMessage {
  readonly subject: string;
  readonly data: Uint8Array;
  /** True when `data` lies alone in its memory and nobody else will look at it: the handler may give it away. */
  readonly owned?: boolean;
  readonly headers: Readonly<Record<string, string>>;
  /** How often this message has been delivered, this time included. */
  readonly deliveries: number;
}

export interface PublishOptions {
  /** A stream takes one message of this id within its de-duplication window (two minutes). */
  readonly id?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface ConsumeOptions {
  /** Redelivered when no verdict comes within this time; default 30 s. */
  readonly ackWaitMs?: number;
  /**
   * Messages without a verdict that one durable may have outstanding, over all who share it; default 64. The handler
   * is started in the order of the stream and runs for that many messages at once: 1 keeps strict order.
   */
  readonly maxUnacknowledged?: number;
  /** Deliveries after which a message is dead by itself; default: none, an outage of any length loses nothing. */
  readonly maxDeliveries?: number;
}

export interface Subscription {
  /** Delivers nothing more; resolves when the handler has finished what it had. */
  stop(): Promise<void>;
}

export interface KvEntry {
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
  readonly operation: 'put' | 'delete';
}

/** A bucket of the bus. Keys are `[A-Za-z0-9._-]+`. */
export interface Kv {
  get(key: string): Promise<KvEntry | undefined>;
  /** @throws KvConflict when the key exists. */
  create(key: string, value: Uint8Array): Promise<number>;
  /** Compare and set. @throws KvConflict when the key's revision is another. */
  update(key: string, value: Uint8Array, revision: number): Promise<number>;
  put(key: string, value: Uint8Array): Promise<number>;
  /** Removes a key; watchers see `delete`. */
  delete(key: string): Promise<void>;
  /** Removes a key without a trace: watchers are not told. For keys that others name and nobody watches. */
  purge(key: string): Promise<void>;
  keys(): Promise<string[]>;
  /**
   * Every present entry first, then every change, without a gap; after the last present entry `onCurrent` is called once.
   * Goes on over reconnects. An adapter calls the handler in order of revision.
   * @param key watch this key alone; without it the whole bucket.
   */
  watch(handler: (entry: KvEntry) => void, onCurrent?: () => void, key?: string): Promise<Subscription>;
}

export class KvConflict extends Error {
  constructor(readonly key: string) {
    super(`the key ${key} is not at the expected revision`);
    this.name = 'KvConflict';
  }
}

/** A message or value above the limit of the bus. */
export class TooLargeForBus extends Error {
  constructor(
    readonly subject: string,
    readonly bytes: number,
    readonly limit = MAX_MESSAGE_BYTES,
  ) {
    super(`${bytes} bytes on ${subject} exceed the bus limit of ${limit}`);
    this.name = 'TooLargeForBus';
  }
}

/** Data and headers of one message, or the value of one key. */
export const MAX_MESSAGE_BYTES = 1024 * 1024;

/** The stream holds all it may until its consumers catch up: keep the message and come again. */
export class StreamFull extends Error {
  constructor(readonly stream: StreamName) {
    super(`the stream ${stream} is full: its consumers are behind`);
    this.name = 'StreamFull';
  }
}

/** The bus cannot be reached, or is closed: come again. */
export class BusUnavailable extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BusUnavailable';
  }
}

/** Where an adapter tells what no caller can be told: a handler that threw, a dead letter, a lost connection. */
export interface BusLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * The port to NATS, and to its stand-in inside one process. Facts only, never request and reply. Neither adapter is
 * trusted to keep anything: every durable fact has a spool or an outbox behind it and is idempotent in Postgres. What needs the
 * transport throws BusUnavailable where there is none.
 */
export interface Bus {
  /**
   * Publishes one message. A subject that a stream keeps resolves when the stream has it; any other resolves at once. `data` is
   * left alone, and once a stream has it the bytes are the caller's again.
   * @throws TooLargeForBus, StreamFull, or an error of the transport.
   */
  publish(subject: string, data: Uint8Array, options?: PublishOptions): Promise<void>;
  /**
   * Shares a durable consumer of a stream; at least once. A handler that throws counts as `retry(1000)`. A dead
   * message is logged as an error and kept, with its reason, in the stream SALLYPORT_DEAD before it is acknowledged.
   */
  consume(
    stream: StreamName,
    durable: string,
    handler: (message: BusMessage) => Promise<Verdict>,
    options?: ConsumeOptions,
  ): Promise<Subscription>;
  /** Listens to what is published from now on, at most once. `*` is one token, `>` the rest. */
  subscribe(subject: string, handler: (message: BusMessage) => void): Promise<Subscription>;
  /**
   * Publishes, in order, a message for each item on whose subject somebody listens at that moment: what nobody would get is not
   * sent, and but for the first of its subject not even made. An item that cannot be sent keeps none of the others from it.
   * @throws TooLargeForBus of the first that was; BusUnavailable at once when the connection is lost.
   */
  announce<Item>(
    items: readonly Item[],
    subjectOf: (item: Item) => string,
    dataOf: (item: Item) => Uint8Array,
  ): Promise<void>;
  /**
   * Tells the patterns that are listened to, now and at each change. Only a bus that knows all its listeners has this.
   * @returns what ends it
   */
  watchListeners?(tell: (patterns: readonly string[]) => void): () => void;
  /** Opens a bucket, making it when it is missing. */
  kv(bucket: string): Promise<Kv>;
  health(): { readonly connected: boolean; readonly detail: string };
  /** Stops consumers, flushes and closes. */
  drain(): Promise<void>;
}

/** A bus that knows by itself who listens. */
export interface HearingBus extends Bus {
  /**
   * Whether a message on a subject may reach anybody, a stream included. One that is lent to another thread learns of a listener
   * a moment after it begins.
   */
  isHeard(subject: string): boolean;
}
