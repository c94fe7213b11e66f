import { setTimeout as pause } from 'node:timers/promises';
import { buckets, snapshotHead, subjects, type Snapshot, type SnapshotHead } from '@sallyport/contracts';
import type { Bus, Kv, KvEntry, Subscription } from '../bus';
import type { Runtime } from '../runtime';
import { openSnapshotDisk, snapshotFolder, type SnapshotDisk } from './disk';
import { inSlices } from '../slices';
import { requireSize, SnapshotDamaged, SnapshotDecoder, SnapshotRejected, type EncodedSnapshot } from './document';
import { CHUNK_KEY, HEAD, MAX_CHUNK_BYTES } from './publish';

/** First pause before what failed on the way is fetched again; doubled up to the longest, with full jitter. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** How often to ask the catalog while the bus has no head, not all of what it names, or is out of reach. */
const PULL_EVERY_MS = 5_000;

/** Something of the document was not there; what is there now may be whole a moment later. */
class Incomplete extends Error {}

export interface SnapshotReaderOptions {
  readonly bus: Bus;
  /** Two documents are kept in `snapshot/<app>` below it. */
  readonly dataDir: string;
  /**
   * Asks the catalog itself while the bus has nothing to say.
   * @param known revision in use, or ''.
   * @returns undefined when that is the current one.
   */
  readonly pull?: (known: string) => Promise<EncodedSnapshot | undefined>;
  /** Milliseconds between two questions to the catalog, about; 5 s unless given. */
  readonly pullEveryMs?: number;
  readonly runtime: Pick<Runtime, 'app' | 'config' | 'clock' | 'logger' | 'metrics'>;
  /** Takes a configuration into use, or throws and leaves the old one in use. Never called while it runs. */
  readonly apply: (snapshot: Snapshot) => void | Promise<void>;
}

export interface SnapshotReader {
  /** Revision in use; undefined before the first. */
  revision(): string | undefined;
  close(): Promise<void>;
}

/**
 * Keeps a process on the current configuration: from disk at once, then from the bus, from the catalog where the bus
 * has none. A document that is not sound, or that `apply` refuses, is dropped whole with one error that names the
 * field, and the one in use stays.
 *
 * Resolves when the disk has been read; the bus is followed from then on.
 */
export async function openSnapshotReader(options: SnapshotReaderOptions): Promise<SnapshotReader> {
  const disk = await openSnapshotDisk(snapshotFolder(options.dataDir, options.runtime.app));
  const reader = new Reader(options, disk);
  await reader.startFromDisk();
  reader.follow();
  return reader;
}

interface Running {
  readonly revision: string;
  readonly sha256: string;
  readonly bytes: number;
}

class Reader implements SnapshotReader {
  private readonly decoder = new SnapshotDecoder();
  private running: Running | undefined;
  /** Hash of the last one refused: it is not tried, nor complained of, twice. */
  private refused: string | undefined;
  private newestHead: Uint8Array | undefined;
  /** Whether the bus has what its newest head names: chunks may be lost, or damaged, where a head is not. */
  private isWhole = true;
  private work: Promise<void> = Promise.resolve();
  private keeping: Promise<void> = Promise.resolve();
  private following: Promise<Subscription | undefined> = Promise.resolve(undefined);
  private current = false;
  private lastSeen: number;
  private readonly timers = new Set<NodeJS.Timeout>();
  private closed = false;
  private readonly stopping = new AbortController();
  private readonly meters;

  constructor(
    private readonly options: SnapshotReaderOptions,
    private readonly disk: SnapshotDisk,
  ) {
    const { metrics, clock } = options.runtime;
    this.lastSeen = clock.now();
    this.meters = {
      rejected: metrics.counter(
        'sallyport_config_rejected_total',
        'Configurations refused; the one before stayed in use.',
      ),
      version: metrics.gauge(
        'sallyport_config_version_info',
        'Number n of the configuration revision c_n in use.',
        [],
        'min',
      ),
    };
    metrics
      .gauge('sallyport_config_connected', '1 while the source of configurations is in reach.', [], 'min')
      .observe(() => (this.isConnected() ? 1 : 0));
    metrics
      .gauge(
        'sallyport_config_last_seen_seconds',
        'Seconds since the source of configurations was last in reach.',
        [],
        'max',
      )
      .observe(() => (this.isConnected() ? 0 : (clock.now() - this.lastSeen) / 1000));
  }

  revision(): string | undefined {
    return this.running?.revision;
  }

  async startFromDisk(): Promise<void> {
    for (const encoded of await this.disk.read()) {
      if (await this.take(encoded, 'disk')) return;
    }
  }

  follow(): void {
    this.following = this.watch();
    if (this.options.pull) this.pullLater(0);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.stopping.abort();
    for (const timer of this.timers) clearTimeout(timer);
    await (await this.following)?.stop();
    await this.work;
    await this.keeping;
  }

  private isConnected(): boolean {
    return this.current && this.options.bus.health().connected;
  }

  private async watch(): Promise<Subscription | undefined> {
    for (let delay = FIRST_PAUSE_MS; !this.closed; delay = Math.min(delay * 2, LONGEST_PAUSE_MS)) {
      try {
        const kv = await this.options.bus.kv(buckets.snapshots);
        return await kv.watch(
          (entry) => this.headMoved(kv, entry),
          () => this.seen(),
          HEAD,
        );
      } catch (error) {
        this.options.runtime.logger.warn({ err: error }, 'the bucket of configurations cannot be followed yet');
        await this.wait(delay);
      }
    }
    return undefined;
  }

  private seen(): void {
    this.current = true;
    this.lastSeen = this.options.runtime.clock.now();
  }

  private headMoved(kv: Kv, entry: KvEntry): void {
    this.seen();
    if (entry.operation === 'delete') return;
    this.newestHead = entry.value;
    this.enqueue(() => this.fetchHead(kv, entry.value, FIRST_PAUSE_MS));
  }

  /** One at a time, in order: `apply` never overlaps itself. */
  private enqueue(run: () => Promise<void>): void {
    this.work = this.work.then(() => (this.closed ? undefined : run()));
  }

  private async fetchHead(kv: Kv, value: Uint8Array, delay: number): Promise<void> {
    // Of heads that queued up behind a slow one, only the last is worth fetching.
    if (value !== this.newestHead) return;
    try {
      const head = readHead(value);
      if (head.sha256 === this.running?.sha256 || head.sha256 === this.refused) return;
      const encoded = await this.fetchDocument(kv, head);
      this.isWhole = true;
      await this.take(encoded, 'bus');
    } catch (error) {
      if (error instanceof SnapshotRejected) {
        this.reject(error, 'bus');
        return;
      }
      this.isWhole = false;
      this.options.runtime.logger.warn({ err: error }, 'a configuration could not be fetched whole; trying again');
      this.later(Math.random() * delay, () =>
        this.enqueue(() => this.fetchHead(kv, value, Math.min(delay * 2, LONGEST_PAUSE_MS))),
      );
    }
  }

  /** Reads the chunks a head names, and never more bytes than it announced. */
  private async fetchDocument(kv: Kv, { revision, sha256, bytes, chunks }: SnapshotHead): Promise<EncodedSnapshot> {
    requireSize(bytes, this.running?.bytes);
    if (chunks.length !== Math.ceil(bytes / MAX_CHUNK_BYTES)) {
      throw new SnapshotRejected('head.chunks', `${chunks.length} chunks cannot be ${bytes} bytes`);
    }
    const document = new Uint8Array(bytes);
    let filled = 0;
    for (const [index, key] of chunks.entries()) {
      const chunk = (await kv.get(key))?.value;
      if (!chunk) throw new Incomplete(`the chunk ${key} of ${revision} is missing`);
      if (filled + chunk.length > bytes)
        throw new SnapshotRejected(`head.chunks[${index}]`, 'more bytes than the head announces');
      document.set(chunk, filled);
      filled += chunk.length;
    }
    if (filled !== bytes)
      throw new SnapshotRejected('head.bytes', `${bytes} bytes are announced, the chunks have ${filled}`);
    return { revision, sha256, document };
  }

  /** @returns whether the document is in use now. */
  private async take(encoded: EncodedSnapshot, source: 'disk' | 'bus' | 'catalog'): Promise<boolean> {
    const { revision, sha256, document } = encoded;
    const { clock, logger } = this.options.runtime;
    const begin = clock.monotonic();
    try {
      const snapshot = await inSlices(this.decoder.decode(encoded, this.running?.bytes), { clock });
      await this.options.apply(snapshot);
    } catch (error) {
      const isDamaged = error instanceof SnapshotDamaged;
      if (!isDamaged) this.refused = sha256;
      else if (source === 'bus') this.isWhole = false;
      this.reject(error, source, revision);
      return false;
    }
    this.running = { revision, sha256, bytes: document.length };
    this.refused = undefined;
    const milliseconds = Math.round(clock.monotonic() - begin);
    this.meters.version.set(Number(revision.slice('c_'.length)));
    logger.info({ revision, source, milliseconds }, 'a configuration is in use');
    this.report({ revision, milliseconds });
    if (source !== 'disk') this.keepSoon(encoded);
    return true;
  }

  /** A slow disk must not hold the next configuration up; of those that wait for it, only the newest is worth keeping. */
  private keepSoon(encoded: EncodedSnapshot): void {
    this.keeping = this.keeping.then(async () => {
      if (this.running?.sha256 === encoded.sha256) await this.keep(encoded);
    });
  }

  /** A full disk costs the next start its head start, and this process nothing. */
  private async keep(encoded: EncodedSnapshot): Promise<void> {
    try {
      await this.disk.keep(encoded);
    } catch (error) {
      this.options.runtime.logger.error({ err: error }, 'the configuration could not be kept on disk');
    }
  }

  private reject(error: unknown, source: string, revision?: string): void {
    const field = error instanceof SnapshotRejected ? error.field : undefined;
    const reason = error instanceof Error ? error.message : String(error);
    const about = { revision, source, field, reason, kept: this.running?.revision };
    this.options.runtime.logger.error(about, 'a configuration is refused; the one before stays in use');
    this.meters.rejected.add();
    this.report({ revision, error: reason });
  }

  /** Tells the catalog how this node fares; nobody waits for it, and nothing depends on it. */
  private report(outcome: {
    readonly revision?: string;
    readonly milliseconds?: number;
    readonly error?: string;
  }): void {
    const { app, config } = this.options.runtime;
    const message = { node: config.nodeName, app, ...outcome };
    this.options.bus
      .publish(subjects.snapshotApplied, new TextEncoder().encode(JSON.stringify(message)))
      .catch(() => undefined);
  }

  private pullLater(delay: number): void {
    const every = this.options.pullEveryMs ?? PULL_EVERY_MS;
    this.later(delay, () => {
      if (this.newestHead && this.isWhole && this.isConnected()) this.pullLater(every);
      else this.enqueue(() => this.pullOnce().finally(() => this.pullLater(every * (0.5 + Math.random()))));
    });
  }

  private async pullOnce(): Promise<void> {
    try {
      const encoded = await this.options.pull!(this.revision() ?? '');
      if (!encoded || encoded.sha256 === this.running?.sha256 || encoded.sha256 === this.refused) return;
      await this.take(encoded, 'catalog');
    } catch (error) {
      if (!this.running) this.options.runtime.logger.warn({ err: error }, 'the catalog gives no configuration yet');
    }
  }

  private later(delay: number, run: () => void): void {
    if (this.closed) return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      run();
    }, delay).unref();
    this.timers.add(timer);
  }

  private async wait(delay: number): Promise<void> {
    await pause(delay, undefined, { signal: this.stopping.signal, ref: false }).catch(() => undefined);
  }
}

/** @throws SnapshotRejected */
function readHead(value: Uint8Array): SnapshotHead {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(value));
  } catch {
    throw new SnapshotRejected('head', 'it is not JSON in UTF-8');
  }
  const { data, error } = snapshotHead.safeParse(parsed);
  if (!data) throw new SnapshotRejected(['head', ...error.issues[0]!.path].join('.'), error.issues[0]!.message);
  const strange = data.chunks.findIndex((key) => !CHUNK_KEY.test(key));
  if (strange >= 0) throw new SnapshotRejected(`head.chunks[${strange}]`, 'it is not the name of a chunk');
  return data;
}
