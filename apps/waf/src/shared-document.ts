import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Bus, Kv, KvEntry, Logger, Subscription } from '@sallyport/platform';
import type { z } from 'zod';

export interface SharedDocumentOptions<T> {
  readonly bus: Bus;
  readonly bucket: string;
  readonly key: string;
  readonly schema: z.ZodType<T>;
  /** Where the last one is kept, for a start without the bus and for a bus that forgets. */
  readonly file: string;
  /** What holds until anybody has said anything. */
  readonly initial: T;
  readonly logger: Logger;
  /** Told of each change, also of one that was made here. */
  readonly onChange: (value: T) => void;
}

/** A small document that every replica of a service follows: in a bucket of the bus, with a copy on disk. */
export class SharedDocument<T> {
  private current: T;
  private revision = 0;
  private stop: Subscription | undefined;
  private saving: Promise<void> = Promise.resolve();

  private constructor(
    private readonly options: SharedDocumentOptions<T>,
    private readonly kv: Kv,
  ) {
    this.current = options.initial;
  }

  /**
   * Reads what was kept, then follows the bucket; a bucket that is empty is given what was kept. Without the bus what was kept
   * holds, and the bucket is followed once there is one.
   */
  static async open<T>(options: SharedDocumentOptions<T>): Promise<SharedDocument<T>> {
    const document = new SharedDocument(options, await options.bus.kv(options.bucket));
    await document.start();
    return document;
  }

  get value(): T {
    return this.current;
  }

  /** @param change makes the new document of the one that is there; made again where another replica was faster. */
  async change(change: (value: T) => T): Promise<T> {
    const { key } = this.options;
    for (let attempt = 1; ; attempt++) {
      const next = change(this.current);
      const bytes = Buffer.from(JSON.stringify(next));
      try {
        const revision =
          this.revision === 0 ? await this.kv.create(key, bytes) : await this.kv.update(key, bytes, this.revision);
        this.take(next, revision);
        return next;
      } catch (error) {
        if (attempt === MOST_ATTEMPTS) throw error;
        const entry = await this.kv.get(key);
        if (entry) this.read(entry);
        else this.revision = 0;
      }
    }
  }

  async close(): Promise<void> {
    await this.stop?.stop();
    await this.saving;
  }

  private async start(): Promise<void> {
    const { bus, file, key, schema, logger } = this.options;
    const kept = await readFile(file, 'utf8').catch(() => undefined);
    const parsed = kept === undefined ? undefined : schema.safeParse(parseJson(kept));
    if (parsed?.success) this.current = parsed.data;
    let becomeCurrent!: () => void;
    const current = new Promise<void>((resolve) => (becomeCurrent = resolve));
    this.stop = await this.kv.watch((entry) => this.read(entry), becomeCurrent, key);
    const followed = current.then(() => this.giveBack(parsed?.success === true));
    if (bus.health().connected) return followed;
    this.options.onChange(this.current);
    followed.catch((error: unknown) => logger.error({ err: error, key }, 'a document could not be given to the bus'));
  }

  /** @param isKept whether there is more to give than what holds for everybody who has heard nothing. */
  private async giveBack(isKept: boolean): Promise<void> {
    if (this.revision > 0) return;
    this.options.onChange(this.current);
    if (isKept) await this.change((value) => value);
  }

  private read(entry: KvEntry): void {
    if (entry.revision <= this.revision) return;
    const parsed = this.options.schema.safeParse(parseJson(Buffer.from(entry.value).toString()));
    if (entry.operation === 'put' && parsed.success) return this.take(parsed.data, entry.revision);
    this.options.logger.error({ key: entry.key }, 'a document on the bus cannot be read, and is not followed');
  }

  private take(value: T, revision: number): void {
    if (revision <= this.revision) return;
    this.revision = revision;
    this.current = value;
    this.saving = this.saving.then(() => this.save(value));
    this.options.onChange(value);
  }

  private async save(value: T): Promise<void> {
    const { file, logger } = this.options;
    try {
      await mkdir(dirname(file), { recursive: true });
      await writeFile(`${file}.new`, JSON.stringify(value), { mode: 0o600 });
      await rename(`${file}.new`, file);
    } catch (error) {
      logger.error({ err: error, file }, 'a document could not be kept on disk');
    }
  }
}

const MOST_ATTEMPTS = 5;

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
