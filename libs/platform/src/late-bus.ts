import { setTimeout as pause } from 'node:timers/promises';
import type { StreamName } from '@sallyport/contracts';
import {
  BusUnavailable,
  type Bus,
  type BusLogger,
  type BusMessage,
  type ConsumeOptions,
  type Kv,
  type KvEntry,
  type PublishOptions,
  type Subscription,
  type Verdict,
} from './bus';

/** First pause between two tries; doubled up to the longest, with full jitter: whole clusters come back at once. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 5_000;

/**
 * A bus that is joined as soon as it can be reached. Until then it is a bus without a connection: what needs one is told so, and
 * what is listened to or watched begins when it is there.
 */
export class LateBus implements Bus {
  private bus: Bus | undefined;
  private readonly leaving = new AbortController();
  private readonly joined: Promise<Bus | undefined>;

  /** @param join one try; may take its time, and is made again when it fails. */
  constructor(
    join: () => Promise<Bus>,
    private readonly logger: BusLogger,
  ) {
    this.joined = this.keepJoining(join);
  }

  async publish(subject: string, data: Uint8Array, options?: PublishOptions): Promise<void> {
    return this.reached().publish(subject, data, options);
  }

  async consume(
    stream: StreamName,
    durable: string,
    handler: (message: BusMessage) => Promise<Verdict>,
    options?: ConsumeOptions,
  ): Promise<Subscription> {
    return this.begin((bus) => bus.consume(stream, durable, handler, options));
  }

  async subscribe(subject: string, handler: (message: BusMessage) => void): Promise<Subscription> {
    return this.begin((bus) => bus.subscribe(subject, handler));
  }

  async announce<Item>(
    items: readonly Item[],
    subjectOf: (item: Item) => string,
    dataOf: (item: Item) => Uint8Array,
  ): Promise<void> {
    return this.reached().announce(items, subjectOf, dataOf);
  }

  async kv(bucket: string): Promise<Kv> {
    return this.bus ? this.bus.kv(bucket) : new LateKv(this, bucket);
  }

  health(): { readonly connected: boolean; readonly detail: string } {
    return this.bus?.health() ?? { connected: false, detail: 'not reached yet' };
  }

  async drain(): Promise<void> {
    this.leaving.abort();
    await this.bus?.drain();
  }

  /** @throws BusUnavailable before it is joined. */
  reached(): Bus {
    if (!this.bus) throw new BusUnavailable('the bus has not been reached yet');
    return this.bus;
  }

  /** Begins something that goes on: now, or as soon as there is a bus. */
  async begin(start: (bus: Bus) => Promise<Subscription>): Promise<Subscription> {
    if (this.bus) return start(this.bus);
    const stopping = new AbortController();
    const begun = this.joined.then((bus) => bus && this.keepBeginning(() => start(bus), stopping.signal));
    const stop = async (): Promise<void> => {
      stopping.abort();
      // Before it is joined there is nothing to stop, and nobody knows for how long.
      if (this.bus) await (await begun)?.stop();
    };
    return { stop };
  }

  private async keepJoining(join: () => Promise<Bus>): Promise<Bus | undefined> {
    const bus = await this.keepTrying('the bus is not reached yet', join, this.leaving.signal);
    if (this.leaving.signal.aborted) {
      await bus?.drain();
      return undefined;
    }
    this.logger.info({}, 'the bus is reached');
    return (this.bus = bus);
  }

  /** The connection may be lost again at that very moment. */
  private keepBeginning(start: () => Promise<Subscription>, signal: AbortSignal): Promise<Subscription | undefined> {
    const either = AbortSignal.any([signal, this.leaving.signal]);
    return this.keepTrying('what waited for the bus cannot begin yet', start, either);
  }

  private async keepTrying<T>(failing: string, attempt: () => Promise<T>, signal: AbortSignal): Promise<T | undefined> {
    for (let delay = FIRST_PAUSE_MS; !signal.aborted; delay = Math.min(delay * 2, LONGEST_PAUSE_MS)) {
      try {
        return await attempt();
      } catch (error) {
        this.logger.warn({ reason: (error as Error).message }, failing);
        await pause(Math.random() * delay, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
    return undefined;
  }
}

/** A bucket that was opened before its bus was reached. */
class LateKv implements Kv {
  constructor(
    private readonly late: LateBus,
    private readonly bucket: string,
  ) {}

  get(key: string): Promise<KvEntry | undefined> {
    return this.use((kv) => kv.get(key));
  }

  create(key: string, value: Uint8Array): Promise<number> {
    return this.use((kv) => kv.create(key, value));
  }

  update(key: string, value: Uint8Array, revision: number): Promise<number> {
    return this.use((kv) => kv.update(key, value, revision));
  }

  put(key: string, value: Uint8Array): Promise<number> {
    return this.use((kv) => kv.put(key, value));
  }

  delete(key: string): Promise<void> {
    return this.use((kv) => kv.delete(key));
  }

  purge(key: string): Promise<void> {
    return this.use((kv) => kv.purge(key));
  }

  keys(): Promise<string[]> {
    return this.use((kv) => kv.keys());
  }

  watch(handler: (entry: KvEntry) => void, onCurrent?: () => void, key?: string): Promise<Subscription> {
    return this.late.begin(async (bus) => (await bus.kv(this.bucket)).watch(handler, onCurrent, key));
  }

  private async use<T>(run: (kv: Kv) => Promise<T>): Promise<T> {
    return run(await this.late.reached().kv(this.bucket));
  }
}
