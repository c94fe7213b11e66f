import type { MessagePort } from 'node:worker_threads';
import type { StreamName } from '@sallyport/contracts';
import type { Closable } from './address';
import { announceWhereHeard } from './announcing';
import { MAX_KNOWN_SUBJECTS, requireSubject, streamOf, subjectMatches } from './bus-rules';
import {
  BusUnavailable,
  KvConflict,
  retry,
  StreamFull,
  TooLargeForBus,
  type Bus,
  type BusLogger,
  type BusMessage,
  type ConsumeOptions,
  type HearingBus,
  type Kv,
  type KvEntry,
  type PublishOptions,
  type Subscription,
  type Verdict,
} from './bus';

/**
 * The bus of one process, lent to another thread of it. One end of a channel serves the bus that this thread has, the other
 * is a bus to whoever works there. What is published or delivered belongs to the other side
 * from then on, and is copied before where somebody here still has it.
 */

/** What the borrowing thread asks for; each is answered once, under the same number. */
type Ask =
  | { readonly what: 'publish'; readonly subject: string; readonly data: Uint8Array; readonly options?: PublishOptions }
  | { readonly what: 'subscribe'; readonly flow: number; readonly subject: string }
  | {
      readonly what: 'consume';
      readonly flow: number;
      readonly stream: StreamName;
      readonly durable: string;
      readonly options?: ConsumeOptions;
    }
  | { readonly what: 'watch'; readonly flow: number; readonly bucket: string; readonly key?: string }
  | { readonly what: 'stop'; readonly flow: number }
  | { readonly what: 'kv'; readonly bucket: string }
  | { readonly what: 'kv-call'; readonly bucket: string; readonly call: KvCall; readonly args: readonly unknown[] };

type KvCall = 'get' | 'create' | 'update' | 'put' | 'delete' | 'purge' | 'keys';

type FromBorrower =
  { readonly ask: number; readonly asked: Ask } | { readonly verdict: Verdict; readonly delivery: number };

/** What flows to the borrowing thread unasked, under the number of its flow. */
type Flowing =
  | { readonly message: BusMessage; readonly delivery?: number }
  | { readonly entry: KvEntry }
  | { readonly current: true };

type FromLender =
  | { readonly answer: number; readonly value?: unknown; readonly error?: BusError }
  | { readonly flow: number; readonly flowing: Flowing }
  | { readonly listened: readonly string[] };

/** An error of the bus as it crosses: its class is told by name, since a copy has none. */
type BusError =
  | { readonly is: 'conflict'; readonly key: string }
  | { readonly is: 'full'; readonly stream: StreamName }
  | { readonly is: 'too-large'; readonly subject: string; readonly bytes: number; readonly limit: number }
  | { readonly is: 'unavailable' | 'other'; readonly message: string };

/** Serves a bus to the thread at the other end of the port, until it is closed or the port is. */
export function lendBus(bus: Bus, port: MessagePort): Closable {
  const lender = new Lender(bus, port);
  port.on('message', (messages: readonly FromBorrower[]) => messages.forEach((message) => lender.take(message)));
  port.on('close', () => void lender.close());
  return lender;
}

class Lender implements Closable {
  private readonly buckets = new Map<string, Promise<Kv>>();
  private readonly flows = new Map<number, Promise<Subscription>>();
  private readonly undecided = new Map<number, (verdict: Verdict) => void>();
  private deliveries = 0;

  private readonly outbox: PortOutbox<FromLender>;
  private readonly stopWatching: (() => void) | undefined;

  constructor(
    private readonly bus: Bus,
    private readonly port: MessagePort,
  ) {
    this.outbox = new PortOutbox(port);
    this.stopWatching = bus.watchListeners?.((listened) => this.post({ listened }));
  }

  take(message: FromBorrower): void {
    if ('verdict' in message) return this.decide(message.delivery, message.verdict);
    const { ask, asked } = message;
    this.answer(asked).then(
      (value) => this.post({ answer: ask, value }),
      (error: unknown) => this.post({ answer: ask, error: toBusError(error) }),
    );
  }

  async close(): Promise<void> {
    this.stopWatching?.();
    const flows = [...this.flows.values()];
    this.flows.clear();
    // Nobody is left to say what became of them: they come again.
    for (const delivery of [...this.undecided.keys()]) this.decide(delivery, retry(0));
    await Promise.allSettled(flows.map(async (flow) => (await flow).stop()));
    this.outbox.flush();
    this.port.close();
  }

  private async answer(asked: Ask): Promise<unknown> {
    switch (asked.what) {
      case 'publish':
        return this.bus.publish(asked.subject, asked.data, asked.options);
      case 'subscribe':
        return this.begin(asked.flow, this.subscribe(asked.flow, asked.subject));
      case 'consume':
        return this.begin(asked.flow, this.consume(asked));
      case 'watch':
        return this.begin(asked.flow, this.watch(asked.flow, asked.bucket, asked.key));
      case 'stop':
        return this.stop(asked.flow);
      case 'kv':
        return void (await this.bucket(asked.bucket));
      case 'kv-call':
        return this.callBucket(await this.bucket(asked.bucket), asked.call, asked.args);
    }
  }

  private async begin(flow: number, subscription: Promise<Subscription>): Promise<void> {
    this.flows.set(flow, subscription);
    await subscription.catch((error: unknown) => {
      this.flows.delete(flow);
      throw error;
    });
  }

  private async stop(flow: number): Promise<void> {
    const subscription = await this.flows.get(flow);
    this.flows.delete(flow);
    await subscription?.stop();
  }

  private subscribe(flow: number, subject: string): Promise<Subscription> {
    return this.bus.subscribe(subject, (message) => this.flow(flow, { message: toBeGiven(message) }));
  }

  private consume({ flow, stream, durable, options }: Extract<Ask, { what: 'consume' }>): Promise<Subscription> {
    const deliver = (message: BusMessage): Promise<Verdict> =>
      new Promise((resolve) => {
        const delivery = ++this.deliveries;
        this.undecided.set(delivery, resolve);
        this.flow(flow, { message: toBeGiven(message), delivery });
      });
    return this.bus.consume(stream, durable, deliver, options);
  }

  private async watch(flow: number, bucket: string, key: string | undefined): Promise<Subscription> {
    const kv = await this.bucket(bucket);
    return kv.watch(
      (entry) => this.flow(flow, { entry: { ...entry, value: copyOf(entry.value) } }),
      () => this.flow(flow, { current: true }),
      key,
    );
  }

  private bucket(name: string): Promise<Kv> {
    let bucket = this.buckets.get(name);
    if (!bucket) this.buckets.set(name, (bucket = this.bus.kv(name)));
    return bucket;
  }

  private callBucket(kv: Kv, call: KvCall, args: readonly unknown[]): Promise<unknown> {
    return (kv[call] as (...given: readonly unknown[]) => Promise<unknown>).apply(kv, [...args]);
  }

  private decide(delivery: number, verdict: Verdict): void {
    this.undecided.get(delivery)?.(verdict);
    this.undecided.delete(delivery);
  }

  private flow(flow: number, flowing: Flowing): void {
    this.post({ flow, flowing });
  }

  private post(message: FromLender): void {
    this.outbox.push(message, bytesOf(message));
  }
}

/** The bus that the thread at the other end of the port lends. Draining it ends what was begun here, and not that bus. */
export function borrowBus(port: MessagePort, logger: BusLogger): HearingBus {
  return new BorrowedBus(port, logger);
}

/** Something that was begun here and goes on. */
interface Flow {
  readonly take: (flowing: Flowing, working: Set<Promise<void>>) => void;
  /** Handlers under way. */
  readonly working: Set<Promise<void>>;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

class BorrowedBus implements HearingBus {
  private readonly waiting = new Map<number, Waiting>();
  private readonly flows = new Map<number, Flow>();
  private asks = 0;
  private nextFlow = 0;
  private closed = false;
  private readonly outbox: PortOutbox<FromBorrower>;
  private readonly hearing = new Hearing();

  constructor(
    private readonly port: MessagePort,
    private readonly logger: BusLogger,
  ) {
    this.outbox = new PortOutbox(port);
    port.on('message', (messages: readonly FromLender[]) => messages.forEach((message) => this.take(message)));
    port.on('close', () => this.end());
  }

  async publish(subject: string, data: Uint8Array, options?: PublishOptions): Promise<void> {
    await this.ask({ what: 'publish', subject, data: copyOf(data), ...(options && { options }) });
  }

  async subscribe(subject: string, handler: (message: BusMessage) => void): Promise<Subscription> {
    return this.begin(
      (flow) => ({ what: 'subscribe', flow, subject }),
      (flowing) => 'message' in flowing && handler(flowing.message),
    );
  }

  announce<Item>(
    items: readonly Item[],
    subjectOf: (item: Item) => string,
    dataOf: (item: Item) => Uint8Array,
  ): Promise<void> {
    return announceWhereHeard(this, items, subjectOf, dataOf);
  }

  isHeard(subject: string): boolean {
    return this.hearing.hears(subject);
  }

  async consume(
    stream: StreamName,
    durable: string,
    handler: (message: BusMessage) => Promise<Verdict>,
    options?: ConsumeOptions,
  ): Promise<Subscription> {
    return this.begin(
      (flow) => ({ what: 'consume', flow, stream, durable, ...(options && { options }) }),
      (flowing, working) => {
        if (!('message' in flowing) || flowing.delivery === undefined) return;
        const work = this.handle(flowing.message, flowing.delivery, handler);
        working.add(work);
        void work.finally(() => working.delete(work));
      },
    );
  }

  async kv(bucket: string): Promise<Kv> {
    await this.ask({ what: 'kv', bucket });
    const call = (name: KvCall, ...args: readonly unknown[]): Promise<unknown> =>
      this.ask({ what: 'kv-call', bucket, call: name, args });
    return {
      get: async (key) => (await call('get', key)) as KvEntry | undefined,
      create: async (key, value) => (await call('create', key, copyOf(value))) as number,
      update: async (key, value, revision) => (await call('update', key, copyOf(value), revision)) as number,
      put: async (key, value) => (await call('put', key, copyOf(value))) as number,
      delete: async (key) => void (await call('delete', key)),
      purge: async (key) => void (await call('purge', key)),
      keys: async () => (await call('keys')) as string[],
      watch: (handler, onCurrent, key) =>
        this.begin(
          (flow) => ({ what: 'watch', flow, bucket, ...(key !== undefined && { key }) }),
          (flowing) => {
            if ('entry' in flowing) handler(flowing.entry);
            else if ('current' in flowing) onCurrent?.();
          },
        ),
    };
  }

  health(): { readonly connected: boolean; readonly detail: string } {
    return { connected: !this.closed, detail: 'lent by another thread of this process' };
  }

  async drain(): Promise<void> {
    await Promise.allSettled([...this.flows.keys()].map((flow) => this.stop(flow)));
    this.end();
    this.outbox.flush();
    this.port.close();
  }

  /** A handler that throws says to come again, as it does on every bus. */
  private async handle(
    message: BusMessage,
    delivery: number,
    handler: (message: BusMessage) => Promise<Verdict>,
  ): Promise<void> {
    const verdict = await handler(message).catch((error: unknown) => {
      this.threw(error);
      return retry(1000);
    });
    if (!this.closed) this.outbox.push({ verdict, delivery });
  }

  private async begin(asked: (flow: number) => Ask, take: Flow['take']): Promise<Subscription> {
    const flow = ++this.nextFlow;
    // Before the answer: what flows may come with it.
    this.flows.set(flow, { take, working: new Set() });
    await this.ask(asked(flow)).catch((error: unknown) => {
      this.flows.delete(flow);
      throw error;
    });
    return { stop: () => this.stop(flow) };
  }

  private async stop(flow: number): Promise<void> {
    const begun = this.flows.get(flow);
    if (!begun) return;
    // What is on its way is still taken: the other side waits for its verdicts before it says that it has stopped.
    await this.ask({ what: 'stop', flow });
    this.flows.delete(flow);
    await Promise.allSettled(begun.working);
  }

  private take(message: FromLender): void {
    if ('listened' in message) {
      this.hearing.learn(message.listened);
      return;
    }
    if ('flow' in message) {
      try {
        const flow = this.flows.get(message.flow);
        flow?.take(message.flowing, flow.working);
      } catch (error) {
        this.threw(error);
      }
      return;
    }
    const waiting = this.waiting.get(message.answer);
    this.waiting.delete(message.answer);
    if (message.error) waiting?.reject(fromBusError(message.error));
    else waiting?.resolve(message.value);
  }

  private threw(error: unknown): void {
    this.logger.error({ err: error }, 'a handler of a message threw');
  }

  private ask(asked: Ask): Promise<unknown> {
    if (this.closed) return Promise.reject(new BusUnavailable('the bus of the other thread is closed'));
    return new Promise((resolve, reject) => {
      const ask = ++this.asks;
      this.waiting.set(ask, { resolve, reject });
      this.outbox.push({ ask, asked }, asked.what === 'publish' ? asked.data : undefined);
    });
  }

  private end(): void {
    this.closed = true;
    this.flows.clear();
    for (const { reject } of this.waiting.values()) reject(new BusUnavailable('the bus of the other thread is closed'));
    this.waiting.clear();
  }
}

/** What the borrowing thread knows of who listens: everybody may until it is told. */
class Hearing {
  private patterns: readonly string[] | undefined;
  /** Subjects are few, and each is asked for without end. */
  private readonly known = new Map<string, boolean>();

  learn(patterns: readonly string[]): void {
    this.patterns = patterns;
    this.known.clear();
  }

  /** @throws TypeError when it is no subject. */
  hears(subject: string): boolean {
    let heard = this.known.get(subject);
    if (heard !== undefined) return heard;
    requireSubject(subject);
    if (!this.patterns) return true;
    heard = streamOf(subject) !== undefined || this.patterns.some((pattern) => subjectMatches(pattern, subject));
    if (this.known.size >= MAX_KNOWN_SUBJECTS) this.known.clear();
    this.known.set(subject, heard);
    return heard;
  }
}

/** A view may lie in a buffer that is much larger and goes on being used: what crosses is bytes of its own. */
function copyOf(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(data);
}

/** The message with bytes that may be given away. */
function toBeGiven(message: BusMessage): BusMessage {
  return message.owned ? message : { ...message, data: copyOf(message.data), owned: true };
}

/** The bytes that flow with a message. */
function bytesOf(message: FromLender): Uint8Array | undefined {
  if (!('flow' in message)) return undefined;
  if ('message' in message.flowing) return message.flowing.message.data;
  return 'entry' in message.flowing ? message.flowing.entry.value : undefined;
}

/** Sends all messages of one turn as one: a crossing costs more than most of what crosses. */
class PortOutbox<Message> {
  private messages: Message[] = [];
  private given: ArrayBuffer[] = [];

  constructor(private readonly port: MessagePort) {}

  /** @param bytes of the message, which cross without another copy and are gone here. */
  push(message: Message, bytes?: Uint8Array): void {
    if (this.messages.push(message) === 1) setImmediate(() => this.flush());
    // An empty array may share the one empty buffer, which must not be given away.
    if (bytes && bytes.byteLength > 0) this.given.push(bytes.buffer as ArrayBuffer);
  }

  flush(): void {
    const { messages, given } = this;
    if (messages.length === 0) return;
    this.messages = [];
    this.given = [];
    this.port.postMessage(messages, given);
  }
}

function toBusError(error: unknown): BusError {
  if (error instanceof KvConflict) return { is: 'conflict', key: error.key };
  if (error instanceof StreamFull) return { is: 'full', stream: error.stream };
  if (error instanceof TooLargeForBus) {
    const { subject, bytes, limit } = error;
    return { is: 'too-large', subject, bytes, limit };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { is: error instanceof BusUnavailable ? 'unavailable' : 'other', message };
}

function fromBusError(error: BusError): Error {
  switch (error.is) {
    case 'conflict':
      return new KvConflict(error.key);
    case 'full':
      return new StreamFull(error.stream);
    case 'too-large':
      return new TooLargeForBus(error.subject, error.bytes, error.limit);
    case 'unavailable':
      return new BusUnavailable(error.message);
    case 'other':
      return new Error(error.message);
  }
}
