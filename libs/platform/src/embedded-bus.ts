import { streams, type Clock, type StreamName } from '@sallyport/contracts';
import { announceWhereHeard } from './announcing';
import {
  BusUnavailable,
  KvConflict,
  retry,
  StreamFull,
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
import {
  consumerLimits,
  deadLetter,
  MAX_KNOWN_SUBJECTS,
  messageBytes,
  requireFits,
  requireKey,
  requireName,
  requirePattern,
  requireSubject,
  streamOf,
  subjectMatches,
} from './bus-rules';
import { KeptBytes, type Place } from './kept-bytes';

/** As JetStream's default duplicate window. */
const DEDUPE_WINDOW_MS = 120_000;
/** A stream refuses above this, instead of growing: what is not taken stays in its producer's spool. */
const MAX_STREAM_BYTES = 64 * 1024 * 1024;
/** Messages that every durable has finished stay this long for a durable that is made later. */
const FINISHED_BYTES = 4 * 1024 * 1024;

/** The longest delay a Node timer takes; it fires at once above. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

type Handler = (message: BusMessage) => Promise<Verdict>;

interface Kept {
  readonly subject: string;
  readonly place: Place;
  readonly headers: Readonly<Record<string, string>>;
  readonly bytes: number;
  readonly at: number;
}

/** A bus that a durable consumer needs only for burying. */
interface Undertaker {
  bury(message: BusMessage, stream: StreamName, sequence: number, durable: string, reason: string): Promise<void>;
  report(error: unknown, doing: string): void;
}

/** An unreferenced timer: waiting for a verdict keeps no process alive. */
function after(delayMs: number, run: () => void): NodeJS.Timeout {
  return setTimeout(run, Math.min(Math.max(delayMs, 0), LONGEST_TIMER_MS)).unref();
}

/** Resolves with the work, or at the latest when the time is over. */
async function settledWithin(work: Iterable<Promise<unknown>>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, Math.min(limitMs, LONGEST_TIMER_MS))));
  await Promise.race([Promise.allSettled(work), limit]);
  clearTimeout(timer);
}

interface Member {
  readonly handler: Handler;
  readonly running: Set<Promise<void>>;
}

/** One message a durable has seen and not finished. */
interface Pending {
  deliveries: number;
  state: 'out' | 'waiting' | 'due' | 'burying';
  timer?: NodeJS.Timeout;
}

/** A named place in a stream, shared by its members in turn. */
class Durable {
  private next: number;
  private readonly pending = new Map<number, Pending>();
  private readonly due: number[] = [];
  private readonly members: Member[] = [];
  private turn = 0;
  private scheduled = false;
  private limits = consumerLimits();

  constructor(
    private readonly name: string,
    private readonly stream: Stream,
    private readonly undertaker: Undertaker,
  ) {
    this.next = stream.first;
  }

  /** Everything below this is finished here. */
  get floor(): number {
    let floor = this.next;
    for (const sequence of this.pending.keys()) if (sequence < floor) floor = sequence;
    return floor;
  }

  join(handler: Handler, options?: ConsumeOptions): Subscription {
    const member: Member = { handler, running: new Set() };
    this.limits = consumerLimits(options);
    this.members.push(member);
    this.wake();
    return {
      stop: async () => {
        const index = this.members.indexOf(member);
        if (index >= 0) this.members.splice(index, 1);
        // A handler without a verdict after the ack wait has lost its message anyway.
        await settledWithin(member.running, this.limits.ackWaitMs);
      },
    };
  }

  /** Delivers on a later turn of the loop, so that no publisher runs a consumer on its own stack. */
  wake(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      this.pump();
    });
  }

  close(): void {
    for (const { timer } of this.pending.values()) clearTimeout(timer);
    this.pending.clear();
    this.members.length = 0;
  }

  private pump(): void {
    while (this.members.length > 0) {
      const sequence = this.dueSequence() ?? this.newSequence();
      if (sequence === undefined) return;
      this.deliver(sequence);
    }
  }

  private dueSequence(): number | undefined {
    for (let sequence = this.due.shift(); sequence !== undefined; sequence = this.due.shift()) {
      if (this.pending.get(sequence)?.state === 'due') return sequence;
    }
    return undefined;
  }

  private newSequence(): number | undefined {
    if (this.pending.size >= this.limits.maxUnacknowledged) return undefined;
    this.next = Math.max(this.next, this.stream.first);
    return this.next <= this.stream.last ? this.next++ : undefined;
  }

  private deliver(sequence: number): void {
    const kept = this.stream.get(sequence);
    const pending = this.pending.get(sequence) ?? { deliveries: 0, state: 'out' };
    if (!kept) {
      this.finish(sequence);
      return;
    }
    this.pending.set(sequence, pending);
    const { ackWaitMs, maxDeliveries } = this.limits;
    if (pending.deliveries >= maxDeliveries) {
      this.bury(sequence, `no verdict after ${pending.deliveries} deliveries`);
      return;
    }
    pending.state = 'out';
    pending.timer = after(ackWaitMs, () => this.becomeDue(sequence));
    const deliveries = ++pending.deliveries;
    this.turn = (this.turn + 1) % this.members.length;
    const member = this.members[this.turn]!;
    const run = this.run(member.handler, this.stream.messageOf(kept, deliveries)).then((verdict) =>
      this.settle(sequence, deliveries, verdict),
    );
    member.running.add(run);
    void run.finally(() => member.running.delete(run));
  }

  /** Nothing here holds the message until the verdict: its copy would grow old, as `KeptBytes` says. */
  private run(handler: Handler, message: BusMessage): Promise<Verdict> {
    const failed = this.failing(message.subject);
    try {
      return handler(message).catch(failed);
    } catch (error) {
      return Promise.resolve(failed(error));
    }
  }

  private failing(subject: string): (error: unknown) => Verdict {
    return (error) => {
      this.undertaker.report(error, `handling ${subject} for ${this.name}`);
      return retry(1000);
    };
  }

  private settle(sequence: number, deliveries: number, verdict: Verdict): void {
    const pending = this.pending.get(sequence);
    if (!pending || pending.state === 'burying') return;
    if (verdict.verdict === 'ack') this.finish(sequence);
    else if (verdict.verdict === 'dead') this.bury(sequence, verdict.reason);
    // Only the delivery that is out may be put off: a later one has its own verdict to come.
    else if (pending.deliveries === deliveries && pending.state === 'out') {
      if (deliveries >= this.limits.maxDeliveries) {
        this.bury(sequence, `given up after ${deliveries} deliveries`);
      } else {
        clearTimeout(pending.timer);
        pending.state = 'waiting';
        pending.timer = after(verdict.afterMs, () => this.becomeDue(sequence));
      }
    }
  }

  private becomeDue(sequence: number): void {
    const pending = this.pending.get(sequence);
    if (!pending) return;
    pending.state = 'due';
    this.due.push(sequence);
    this.wake();
  }

  private bury(sequence: number, reason: string): void {
    const pending = this.pending.get(sequence)!;
    const kept = this.stream.get(sequence);
    if (!kept) return this.finish(sequence);
    clearTimeout(pending.timer);
    pending.state = 'burying';
    const message = this.stream.messageOf(kept, pending.deliveries);
    this.undertaker.bury(message, this.stream.name, sequence, this.name, reason).then(
      () => this.finish(sequence),
      (error: unknown) => {
        this.undertaker.report(error, `burying a message of ${this.name}`);
        pending.timer = after(1000, () => this.becomeDue(sequence));
      },
    );
  }

  private finish(sequence: number): void {
    const pending = this.pending.get(sequence);
    clearTimeout(pending?.timer);
    this.pending.delete(sequence);
    this.wake();
  }
}

/** What one stream keeps, oldest first. */
class Stream {
  private readonly messages = new Map<number, Kept>();
  private readonly memory = new KeptBytes();
  private readonly ids = new Map<string, number>();
  readonly durables = new Map<string, Durable>();
  private bytes = 0;
  first = 1;
  last = 0;

  constructor(
    readonly name: StreamName,
    private readonly clock: Clock,
  ) {}

  get(sequence: number): Kept | undefined {
    return this.messages.get(sequence);
  }

  /** @returns a message with bytes of its own: who gets it may keep them longer than the stream does. */
  messageOf({ subject, headers, place }: Kept, deliveries: number): BusMessage {
    return { subject, data: this.memory.copyOf(place), owned: true, headers, deliveries };
  }

  /** @throws StreamFull */
  keep(subject: string, data: Uint8Array, options: PublishOptions): void {
    const at = this.clock.now();
    if (this.isDuplicate(options.id, at)) return;
    const bytes = messageBytes(data, options);
    this.makeRoom(bytes, at);
    if (options.id !== undefined) this.ids.set(options.id, at);
    const headers = Object.freeze({ ...options.headers });
    this.messages.set(++this.last, { subject, place: this.memory.keep(data), headers, bytes, at });
    this.bytes += bytes;
    for (const durable of this.durables.values()) durable.wake();
  }

  private isDuplicate(id: string | undefined, at: number): boolean {
    for (const [known, since] of this.ids) {
      if (at - since < DEDUPE_WINDOW_MS) break;
      this.ids.delete(known);
    }
    return id !== undefined && this.ids.has(id);
  }

  private makeRoom(bytes: number, at: number): void {
    const { maxAgeMs, maxBytes }: { readonly maxAgeMs: number; readonly maxBytes?: number } = streams[this.name];
    const finished = this.finishedBelow();
    for (const [sequence, kept] of this.messages) {
      const old = at - kept.at > maxAgeMs;
      const finishedAndMuch = sequence < finished && this.bytes + bytes > FINISHED_BYTES;
      const oldestGoFirst = maxBytes !== undefined && this.bytes + bytes > maxBytes;
      if (!old && !finishedAndMuch && !oldestGoFirst) break;
      this.messages.delete(sequence);
      this.memory.letGo(kept.place);
      this.bytes -= kept.bytes;
      this.first = sequence + 1;
    }
    if (this.bytes + bytes > MAX_STREAM_BYTES) throw new StreamFull(this.name);
  }

  private finishedBelow(): number {
    let lowest = this.durables.size === 0 ? 0 : Infinity;
    for (const durable of this.durables.values()) lowest = Math.min(lowest, durable.floor);
    return lowest;
  }
}

class EmbeddedKv implements Kv {
  private readonly entries = new Map<string, KvEntry>();
  private readonly watchers = new Set<(entry: KvEntry) => void>();
  private revision = 0;

  constructor(
    private readonly name: string,
    private readonly bus: EmbeddedBus,
  ) {}

  async get(key: string): Promise<KvEntry | undefined> {
    this.bus.requireOpen();
    return this.present(key);
  }

  async create(key: string, value: Uint8Array): Promise<number> {
    if (this.present(key)) throw new KvConflict(key);
    return this.set(key, value);
  }

  async update(key: string, value: Uint8Array, revision: number): Promise<number> {
    // The revision of a deleted key is its deletion's, as in JetStream.
    if ((this.entries.get(key)?.revision ?? 0) !== revision) throw new KvConflict(key);
    return this.set(key, value);
  }

  async put(key: string, value: Uint8Array): Promise<number> {
    return this.set(key, value);
  }

  async delete(key: string): Promise<void> {
    requireKey(key);
    this.write({ key, value: new Uint8Array(), revision: ++this.revision, operation: 'delete' });
  }

  async purge(key: string): Promise<void> {
    requireKey(key);
    this.bus.requireOpen();
    this.entries.delete(key);
  }

  async keys(): Promise<string[]> {
    this.bus.requireOpen();
    return [...this.entries.values()].filter(({ operation }) => operation === 'put').map(({ key }) => key);
  }

  async watch(handler: (entry: KvEntry) => void, onCurrent?: () => void, key?: string): Promise<Subscription> {
    if (key !== undefined) requireKey(key);
    this.bus.requireOpen();
    const wanted = (entry: KvEntry) => key === undefined || entry.key === key;
    const mailbox = new Mailbox<KvEntry>((entry) => this.bus.guard(`watching ${this.name}`, () => handler(entry)));
    for (const entry of this.entries.values()) if (entry.operation === 'put' && wanted(entry)) mailbox.push(entry);
    if (onCurrent) mailbox.mark(() => this.bus.guard(`watching ${this.name}`, onCurrent));
    const watcher = (entry: KvEntry) => {
      if (wanted(entry)) mailbox.push(entry);
    };
    this.watchers.add(watcher);
    return {
      stop: async () => {
        this.watchers.delete(watcher);
        mailbox.close();
      },
    };
  }

  close(): void {
    this.watchers.clear();
  }

  private present(key: string): KvEntry | undefined {
    requireKey(key);
    const entry = this.entries.get(key);
    return entry?.operation === 'put' ? entry : undefined;
  }

  private set(key: string, value: Uint8Array): number {
    requireKey(key);
    requireFits(`${this.name}.${key}`, value);
    this.write({ key, value: new Uint8Array(value), revision: ++this.revision, operation: 'put' });
    return this.revision;
  }

  private write(entry: KvEntry): void {
    this.bus.requireOpen();
    // Taken out first, so that the map's order is the order of revisions.
    this.entries.delete(entry.key);
    this.entries.set(entry.key, Object.freeze(entry));
    for (const watcher of this.watchers) watcher(entry);
  }
}

/** Hands values over in order, on a later turn of the loop than the one they came in. */
class Mailbox<T> {
  private queue: Array<() => void> = [];
  private closed = false;

  constructor(private readonly take: (value: T) => void) {}

  push(value: T): void {
    this.mark(() => this.take(value));
  }

  mark(run: () => void): void {
    if (this.closed) return;
    if (this.queue.push(run) === 1) setImmediate(() => this.empty());
  }

  close(): void {
    this.closed = true;
  }

  private empty(): void {
    const batch = this.queue;
    this.queue = [];
    for (const run of batch) if (!this.closed) run();
  }
}

/** Where a subject goes: the stream that keeps it, and whoever listens. */
interface Way {
  readonly stream: StreamName | undefined;
  readonly mailboxes: readonly Mailbox<BusMessage>[];
}

class EmbeddedBus implements HearingBus, Undertaker {
  private readonly streams = new Map<StreamName, Stream>();
  private readonly buckets = new Map<string, EmbeddedKv>();
  private readonly listeners = new Map<Mailbox<BusMessage>, string>();
  /** Subjects are few and each is used without end: where one goes is found once, until somebody comes or goes. */
  private readonly ways = new Map<string, Way>();
  private readonly consumers = new Set<Subscription>();
  private readonly listenerWatches = new Set<(patterns: readonly string[]) => void>();
  private closed = false;

  constructor(
    private readonly clock: Clock,
    private readonly logger: BusLogger | undefined,
  ) {}

  async publish(subject: string, data: Uint8Array, options: PublishOptions = {}): Promise<void> {
    const { stream, mailboxes } = this.wayOf(subject);
    requireFits(subject, data, options);
    this.requireOpen();
    if (stream) this.stream(stream).keep(subject, data, options);
    const message = { subject, data, headers: options.headers ?? {}, deliveries: 1 };
    for (const mailbox of mailboxes) mailbox.push({ ...message, data: new Uint8Array(data) });
  }

  /** @throws TypeError when it is no subject. */
  private wayOf(subject: string): Way {
    const known = this.ways.get(subject);
    if (known) return known;
    requireSubject(subject);
    const listening = [...this.listeners].filter(([, pattern]) => subjectMatches(pattern, subject));
    const way: Way = { stream: streamOf(subject), mailboxes: listening.map(([mailbox]) => mailbox) };
    if (this.ways.size >= MAX_KNOWN_SUBJECTS) this.ways.clear();
    this.ways.set(subject, way);
    return way;
  }

  async consume(
    stream: StreamName,
    durable: string,
    handler: Handler,
    options?: ConsumeOptions,
  ): Promise<Subscription> {
    requireName(durable);
    this.requireOpen();
    const { durables } = this.stream(stream);
    const shared = durables.get(durable) ?? new Durable(durable, this.stream(stream), this);
    durables.set(durable, shared);
    const membership = shared.join(handler, options);
    this.consumers.add(membership);
    return {
      stop: async () => {
        this.consumers.delete(membership);
        await membership.stop();
      },
    };
  }

  async subscribe(subject: string, handler: (message: BusMessage) => void): Promise<Subscription> {
    requirePattern(subject);
    this.requireOpen();
    const mailbox = new Mailbox<BusMessage>((message) => this.guard(`listening to ${subject}`, () => handler(message)));
    this.listeners.set(mailbox, subject);
    this.listenersChanged();
    return {
      stop: async () => {
        this.listeners.delete(mailbox);
        this.listenersChanged();
        mailbox.close();
      },
    };
  }

  announce<Item>(
    items: readonly Item[],
    subjectOf: (item: Item) => string,
    dataOf: (item: Item) => Uint8Array,
  ): Promise<void> {
    return announceWhereHeard(this, items, subjectOf, dataOf);
  }

  isHeard(subject: string): boolean {
    const { stream, mailboxes } = this.wayOf(subject);
    return stream !== undefined || mailboxes.length > 0;
  }

  watchListeners(tell: (patterns: readonly string[]) => void): () => void {
    this.listenerWatches.add(tell);
    tell(this.patterns());
    return () => this.listenerWatches.delete(tell);
  }

  private patterns(): readonly string[] {
    return [...new Set(this.listeners.values())];
  }

  private listenersChanged(): void {
    this.ways.clear();
    for (const tell of this.listenerWatches) tell(this.patterns());
  }

  async kv(bucket: string): Promise<Kv> {
    requireName(bucket);
    this.requireOpen();
    const kv = this.buckets.get(bucket) ?? new EmbeddedKv(bucket, this);
    this.buckets.set(bucket, kv);
    return kv;
  }

  health(): { readonly connected: boolean; readonly detail: string } {
    return this.closed ? { connected: false, detail: 'closed' } : { connected: true, detail: 'in process' };
  }

  async drain(): Promise<void> {
    // Publishing stays open until the handlers are done: what they have in hand may still bury or announce.
    await Promise.all([...this.consumers].map((consumer) => consumer.stop()));
    this.closed = true;
    this.consumers.clear();
    for (const mailbox of this.listeners.keys()) mailbox.close();
    this.listeners.clear();
    this.listenersChanged();
    for (const kv of this.buckets.values()) kv.close();
    for (const stream of this.streams.values()) for (const durable of stream.durables.values()) durable.close();
  }

  async bury(
    message: BusMessage,
    stream: StreamName,
    sequence: number,
    durable: string,
    reason: string,
  ): Promise<void> {
    const { subject, deliveries } = message;
    // A dead letter that its own reader gives up is only logged: it would come back to that reader for ever.
    if (stream !== 'SALLYPORT_DEAD') {
      const letter = deadLetter(message, durable, reason, `${stream}:${durable}:${sequence}`);
      await this.publish(letter.subject, letter.data, letter.options);
    }
    this.logger?.error(
      { stream, durable, subject, deliveries, reason },
      'a message is dead; it is kept in SALLYPORT_DEAD',
    );
  }

  report(error: unknown, doing: string): void {
    if (this.logger) this.logger.error({ err: error }, `failed while ${doing}`);
    else process.emitWarning(error instanceof Error ? error : String(error));
  }

  /** A handler's bug is told and does not stop what others get. */
  guard(doing: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.report(error, doing);
    }
  }

  requireOpen(): void {
    if (this.closed) throw new BusUnavailable('the bus is closed');
  }

  private stream(name: StreamName): Stream {
    const stream = this.streams.get(name) ?? new Stream(name, this.clock);
    this.streams.set(name, stream);
    return stream;
  }
}

/**
 * The bus inside one process. It keeps nothing over a restart, by intention: producers have their spools, and the
 * owners of buckets fill them at start.
 *
 * A stream holds at most 64 MiB that its consumers have not finished and then refuses with StreamFull.
 *
 * @param clock ages messages and ids; waits themselves run on Node's timers.
 * @param logger hears of handlers that throw and of dead letters; without it they are process warnings.
 */
export function createEmbeddedBus(clock: Clock, logger?: BusLogger): HearingBus {
  return new EmbeddedBus(clock, logger);
}
