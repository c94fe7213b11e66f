import type { JetStreamManager, KV, KvEntry as NatsKvEntry, QueuedIterator } from 'nats';
import { KvConflict, type BusLogger, type Kv, type KvEntry, type Subscription } from './bus';
import { requireFits, requireKey } from './bus-rules';
import { apiCode, Backoff, reasonOf, withRepair } from './nats-repair';

/** NATS: "wrong last sequence", the answer to a failed compare-and-set. */
const WRONG_LAST_SEQUENCE = 10071;

/** What a bucket needs of the bus that it belongs to. */
interface BucketHost {
  readonly manager: JetStreamManager;
  readonly logger: BusLogger;
  /** Opens the bucket in the client's terms, making it when it is missing. */
  view(bucket: string): Promise<KV>;
  /** @throws BusUnavailable */
  requireConnection(): void;
  /** Remembers what has to be stopped before the connection goes. */
  track(subscription: Subscription): Subscription;
  /** Runs on every reconnect. @returns stops that. */
  reconnected(run: () => void): () => void;
  /** A handler's bug is told and does not stop what others get. */
  guard(doing: string, run: () => void): void;
}

/** A bucket of JetStream, made anew when the server has lost it. */
export class NatsKv implements Kv {
  private view: KV | undefined;

  constructor(
    readonly name: string,
    private readonly bus: BucketHost,
  ) {}

  async open(): Promise<KV> {
    this.view = await this.bus.view(this.name);
    return this.view;
  }

  /** Name of the stream behind the bucket. */
  get stream(): string {
    return `KV_${this.name}`;
  }

  async get(key: string): Promise<KvEntry | undefined> {
    requireKey(key);
    const entry = await this.use((view) => view.get(key));
    return entry && entry.operation === 'PUT' ? toEntry(entry) : undefined;
  }

  create(key: string, value: Uint8Array): Promise<number> {
    return this.write(key, value, (view) => view.create(key, value));
  }

  update(key: string, value: Uint8Array, revision: number): Promise<number> {
    return this.write(key, value, (view) => view.put(key, value, { previousSeq: revision }));
  }

  put(key: string, value: Uint8Array): Promise<number> {
    return this.write(key, value, (view) => view.put(key, value));
  }

  async delete(key: string): Promise<void> {
    requireKey(key);
    await this.use((view) => view.delete(key));
  }

  async purge(key: string): Promise<void> {
    requireKey(key);
    await this.use(() => this.bus.manager.streams.purge(this.stream, { filter: `$KV.${this.name}.${key}` }));
  }

  async keys(): Promise<string[]> {
    const keys: string[] = [];
    for await (const key of await this.use((view) => view.keys())) keys.push(key);
    return keys;
  }

  async watch(handler: (entry: KvEntry) => void, onCurrent?: () => void, key?: string): Promise<Subscription> {
    if (key !== undefined) requireKey(key);
    this.bus.requireConnection();
    const watch = new Watch(this, this.bus, handler, onCurrent, key);
    await watch.start();
    return this.bus.track(watch);
  }

  private async write(key: string, value: Uint8Array, run: (view: KV) => Promise<number>): Promise<number> {
    requireKey(key);
    requireFits(`${this.name}.${key}`, value);
    try {
      return await this.use(run);
    } catch (error) {
      if (apiCode(error) === WRONG_LAST_SEQUENCE) throw new KvConflict(key);
      throw error;
    }
  }

  private async use<T>(run: (view: KV) => Promise<T>): Promise<T> {
    this.bus.requireConnection();
    return withRepair(
      async () => run(this.view ?? (await this.open())),
      () => this.open(),
    );
  }
}

function toEntry(entry: NatsKvEntry): KvEntry {
  const operation = entry.operation === 'PUT' ? 'put' : 'delete';
  return { key: entry.key, value: entry.value, revision: entry.revision, operation };
}

/** Follows a bucket; what breaks is taken up again behind the last revision that was told. */
class Watch implements Subscription {
  private readonly backoff = new Backoff();
  private entries: QueuedIterator<NatsKvEntry> | undefined;
  private loop: Promise<void> = Promise.resolve();
  private stopped = false;
  private last = 0;
  /** Of the stream; another one means that revisions count from the beginning again. */
  private createdAt: string | undefined;
  private current = false;
  /** Until current: keys that were told, so that the deletion of no other is. */
  private readonly told = new Set<string>();
  private forgetReconnects: () => void = () => undefined;

  constructor(
    private readonly kv: NatsKv,
    private readonly bus: BucketHost,
    private readonly handler: (entry: KvEntry) => void,
    private readonly onCurrent: (() => void) | undefined,
    private readonly key: string | undefined,
  ) {}

  async start(): Promise<void> {
    const first = await this.open();
    // The server's side of it does not outlive the connection.
    this.forgetReconnects = this.bus.reconnected(() => this.entries?.stop());
    this.loop = this.follow(first);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.forgetReconnects();
    this.backoff.stop();
    this.entries?.stop();
    await this.loop;
  }

  private async follow(first: () => Promise<void>): Promise<void> {
    let listen: (() => Promise<void>) | undefined = first;
    while (!this.stopped) {
      try {
        listen ??= await this.open();
        this.backoff.reset();
        await listen();
      } catch (error) {
        if (this.stopped) return;
        this.bus.logger.warn({ bucket: this.kv.name, reason: reasonOf(error) }, 'watching is interrupted');
        await this.backoff.wait();
      }
      listen = undefined;
    }
  }

  /** @returns listens until the iterator ends. */
  private async open(): Promise<() => Promise<void>> {
    const view = await this.kv.open();
    await this.noticeNewStream();
    let handled = 0;
    let listed: number | undefined;
    const becomeCurrent = () => {
      if (listed === undefined || handled < listed || this.current) return;
      this.current = true;
      this.told.clear();
      if (this.onCurrent) this.bus.guard(`watching ${this.kv.name}`, this.onCurrent);
    };
    let entries: QueuedIterator<NatsKvEntry> | undefined;
    let early = false;
    // The client may say "listed" while what it lists still waits in its queue: count up to what had come by then.
    const initializedFn = () => {
      early = true;
      if (!entries) return;
      listed = entries.getReceived();
      becomeCurrent();
    };
    entries = await view.watch({
      ...(this.key === undefined ? {} : { key: this.key }),
      ...(this.last > 0 ? { resumeFromRevision: this.last + 1 } : {}),
      initializedFn,
    });
    this.entries = entries;
    if (this.stopped) entries.stop();
    const opened = entries;
    return async () => {
      if (early) {
        listed = opened.getReceived();
        becomeCurrent();
      }
      for await (const entry of opened) {
        this.tell(toEntry(entry));
        handled++;
        becomeCurrent();
      }
    };
  }

  private tell(entry: KvEntry): void {
    if (entry.revision <= this.last || this.stopped) return;
    this.last = entry.revision;
    // Before it is current a watch lists what is there, and a deleted key is not.
    if (!this.current) {
      if (entry.operation === 'delete' && !this.told.has(entry.key)) return;
      this.told.add(entry.key);
    }
    this.bus.guard(`watching ${this.kv.name}`, () => this.handler(entry));
  }

  private async noticeNewStream(): Promise<void> {
    const { created } = await this.bus.manager.streams.info(this.kv.stream);
    if (this.createdAt !== undefined && this.createdAt !== created) {
      this.bus.logger.warn({ bucket: this.kv.name }, 'the bucket was made anew; watching it from its beginning');
      this.last = 0;
    }
    this.createdAt = created;
  }
}
