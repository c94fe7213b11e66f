import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { apiKeyRecord, buckets, type ApiKeyRecord, type Clock } from '@sallyport/contracts';
import { z } from 'zod';
import type { Closable } from './address';
import type { Bus, KvEntry } from './bus';
import type { Logger } from './logger';

/**
 * Key of the bucket of API keys that auth writes every second, after everything it had decided until then: a reader that
 * has it has all of it. The value is `{"at": <milliseconds since the epoch>}`.
 */
export const KEY_HEARTBEAT = '_heartbeat';

/** What follows the list of keys; the directory of `libs/identity` is one. */
export interface KeyDirectorySink {
  put(record: ApiKeyRecord): void;
  remove(kid: string): void;
  /** Auth vouched for the list at this moment, milliseconds since the epoch. */
  confirm(at: number): void;
}

export interface KeyDirectoryWatchOptions {
  readonly bus: Bus;
  /** The last copy is kept in `keys` below it, for a start without bus; absent: none is kept. */
  readonly dataDir?: string;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn' | 'error'>;
  readonly apply: KeyDirectorySink;
}

const SAVE_EVERY_MS = 5_000;
const RECORDS = 'api-keys.json';
const CONFIRMED = 'api-keys-confirmed.json';

/**
 * Follows the bucket of API keys into a directory: first what the last run left on disk, with the moment it was last
 * confirmed, then every change. What the bucket lacks is forgotten only once auth has vouched for the bucket, so that a
 * bus that lost its memory takes no key away.
 */
export async function watchKeyDirectory(options: KeyDirectoryWatchOptions): Promise<Closable> {
  const watch = new KeyDirectoryWatch(options);
  await watch.start();
  return watch;
}

class KeyDirectoryWatch implements Closable {
  private readonly records = new Map<string, ApiKeyRecord>();
  /** Ids the bucket holds, until it was vouched for; then what is gone from it is told as a deletion. */
  private inBucket: Set<string> | undefined = new Set();
  private current = false;
  private heartbeat: number | undefined;
  private confirmedAt: number | undefined;
  private changed = false;
  private saving: Promise<void> = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;
  private stop: () => Promise<void> = async () => undefined;
  private readonly folder: string | undefined;

  constructor(private readonly options: KeyDirectoryWatchOptions) {
    this.folder = options.dataDir === undefined ? undefined : join(options.dataDir, 'keys');
  }

  async start(): Promise<void> {
    await this.load();
    const bucket = await this.options.bus.kv(buckets.apiKeys);
    const subscription = await bucket.watch(
      (entry) => this.take(entry),
      () => {
        this.current = true;
        this.vouch();
      },
    );
    this.stop = () => subscription.stop();
    if (this.folder === undefined) return;
    this.timer = setInterval(() => void this.save(), SAVE_EVERY_MS);
    this.timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.stop();
    await this.save();
  }

  private take(entry: KvEntry): void {
    if (entry.key === KEY_HEARTBEAT) {
      this.heartbeat = entry.operation === 'put' ? momentOf(entry.value) : undefined;
      this.vouch();
      return;
    }
    const record = entry.operation === 'put' ? this.read(entry) : undefined;
    if (!record) return this.forget(entry.key);
    this.inBucket?.add(record.kid);
    this.records.set(record.kid, record);
    this.changed = true;
    this.options.apply.put(record);
  }

  /** A record nobody here can read may be a revocation: the key is not known any more. */
  private read(entry: KvEntry): ApiKeyRecord | undefined {
    const result = apiKeyRecord.safeParse(parseJson(entry.value));
    if (result.success && result.data.kid === entry.key) return result.data;
    this.options.logger.error({ kid: entry.key }, 'an API key record on the bus cannot be read');
    return undefined;
  }

  private forget(kid: string): void {
    this.inBucket?.delete(kid);
    this.changed = this.records.delete(kid) || this.changed;
    this.options.apply.remove(kid);
  }

  /** Passes a heartbeat on once everything that was written before it has been taken. */
  private vouch(): void {
    if (!this.current || this.heartbeat === undefined) return;
    if (this.inBucket) {
      const held = this.inBucket;
      this.inBucket = undefined;
      for (const kid of [...this.records.keys()]) if (!held.has(kid)) this.forget(kid);
    }
    // Another host's clock may run ahead; it cannot vouch for what has not happened here yet.
    this.confirmedAt = Math.min(this.heartbeat, this.options.clock.now());
    this.options.apply.confirm(this.confirmedAt);
  }

  private async load(): Promise<void> {
    const { folder } = this;
    const { apply, logger } = this.options;
    if (folder === undefined) return;
    const [records, confirmed] = await Promise.all([
      readJson(join(folder, RECORDS)),
      readJson(join(folder, CONFIRMED)),
    ]);
    if (records === undefined) return;
    const result = z.array(apiKeyRecord).safeParse(records);
    if (!result.success) return logger.warn('the last copy of the API keys cannot be read and is not used');
    for (const record of result.data) {
      this.records.set(record.kid, record);
      apply.put(record);
    }
    const moment = heartbeatValue.safeParse(confirmed);
    if (!moment.success) return;
    this.confirmedAt = moment.data.at;
    apply.confirm(moment.data.at);
  }

  /** Records first: the moment on disk never vouches for what is not on disk. */
  private save(): Promise<void> {
    this.saving = this.saving.then(async () => {
      const { folder, changed, confirmedAt } = this;
      if (folder === undefined || confirmedAt === undefined) return;
      try {
        await mkdir(folder, { recursive: true, mode: 0o700 });
        this.changed = false;
        if (changed) await replaceFile(join(folder, RECORDS), JSON.stringify([...this.records.values()]));
        await replaceFile(join(folder, CONFIRMED), JSON.stringify({ at: confirmedAt }));
      } catch (error) {
        this.changed ||= changed;
        this.options.logger.warn({ err: error }, 'the last copy of the API keys cannot be kept');
      }
    });
    return this.saving;
  }
}

const heartbeatValue = z.object({ at: z.int().min(0) });

function momentOf(value: Uint8Array): number | undefined {
  return heartbeatValue.safeParse(parseJson(value)).data?.at;
}

function parseJson(value: Uint8Array | string): unknown {
  try {
    return JSON.parse(typeof value === 'string' ? value : Buffer.from(value).toString('utf8'));
  } catch {
    return undefined;
  }
}

async function readJson(path: string): Promise<unknown> {
  try {
    return parseJson(await readFile(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** A crash leaves the old file or the new one, never half of one; two writers never share a draft. */
async function replaceFile(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}
