import { apiKeyRecord, type Clock } from '@sallyport/contracts';
import type { KeyDirectory } from '@sallyport/identity';
import { KEY_HEARTBEAT, KvConflict, type Closable, type Kv, type Logger } from '@sallyport/platform';
import { recordOf, type ApiKey } from './api-key';

export interface KeyPublisherPorts {
  readonly bucket: Kv;
  /** The directory of this process: filled from the database, so that auth itself does not depend on the bus. */
  readonly directory: KeyDirectory;
  /** Every key that somebody may still present, from the database. */
  readonly presentable: () => Promise<ApiKey[]>;
  /** What else has to be on the bus; a bus that lost its memory lost it too. */
  readonly beforeReconcile?: () => Promise<void>;
  readonly clock: Clock;
  readonly logger: Pick<Logger, 'warn' | 'info'>;
}

const BEAT_MS = 1_000;
const RECONCILE_MS = 30_000;

/**
 * Writes keys into the bucket that every verifier follows. The database is the truth and the bucket its shadow: at the
 * start, every half minute, and as soon as a write has failed, the two are compared. The heartbeat, by which readers
 * know how fresh their list is, rests while they may differ.
 */
export class KeyPublisher implements Closable {
  /** Revoked keys of which the bucket is known to say so. */
  private toldRevoked: ReadonlySet<string> = new Set();
  private inStep = false;
  private complained = false;
  private reconciledAt = -Infinity;
  private beating: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly ports: KeyPublisherPorts) {}

  /** Compares once, without failing when the bus is away, then goes on by itself. */
  async start(): Promise<void> {
    await this.beat();
    this.timer = setInterval(() => void this.beat(), BEAT_MS);
    this.timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
    await this.beating;
  }

  /** Makes a committed change known. Never rejects: what could not be written is written by the next comparison. */
  async publish(key: ApiKey): Promise<void> {
    this.ports.directory.put(recordOf(key));
    try {
      await this.write(key);
    } catch (error) {
      this.inStep = false;
      this.ports.logger.warn({ err: error, kid: key.kid }, 'an API key could not be published and will be again');
    }
  }

  /** One turn: compare when it is time or needed, then vouch. Turns never overlap. */
  beat(): Promise<void> {
    this.beating ??= this.turn().finally(() => (this.beating = undefined));
    return this.beating;
  }

  private async turn(): Promise<void> {
    const { bucket, clock, logger } = this.ports;
    try {
      if (!this.inStep || clock.monotonic() - this.reconciledAt >= RECONCILE_MS) await this.reconcile();
      // A write may have failed since.
      if (!this.inStep) return;
      await bucket.put(KEY_HEARTBEAT, encode({ at: clock.now() }));
      this.complained = false;
    } catch (error) {
      this.inStep = false;
      if (!this.complained) logger.warn({ err: error }, 'the list of API keys cannot be vouched for at the moment');
      this.complained = true;
    }
  }

  private async reconcile(): Promise<void> {
    const { bucket, directory, presentable, clock } = this.ports;
    // Asked before the database: what a replica publishes in between is in the database by then, and is not removed.
    const published: Set<string> | Error = await this.publishedKeys().catch((error: Error) => error);
    const askedAt = clock.now();
    const keys = await presentable();
    for (const key of keys) directory.put(recordOf(key));
    directory.confirm(askedAt);
    if (!(published instanceof Set)) throw published;
    this.inStep = true;
    for (const key of keys) {
      const isThere = published.delete(key.kid);
      const isDone = isThere && (key.status !== 'revoked' || this.toldRevoked.has(key.kid));
      if (!isDone) await this.write(key);
    }
    published.delete(KEY_HEARTBEAT);
    for (const kid of published) await bucket.delete(kid);
    this.toldRevoked = new Set(keys.filter(({ status }) => status === 'revoked').map(({ kid }) => kid));
    this.reconciledAt = clock.monotonic();
  }

  private async publishedKeys(): Promise<Set<string>> {
    await this.ports.beforeReconcile?.();
    return new Set(await this.ports.bucket.keys());
  }

  /**
   * An active key is only ever created: if there is something already, it is the same or a later word. A revocation is
   * the last word and replaces whatever stands there.
   */
  private async write(key: ApiKey): Promise<void> {
    const { bucket } = this.ports;
    const record = encode(apiKeyRecord.parse(recordOf(key)));
    if (key.status === 'revoked') {
      await bucket.put(key.kid, record);
      return;
    }
    await bucket.create(key.kid, record).catch((error: unknown) => {
      if (!(error instanceof KvConflict)) throw error;
    });
  }
}

function encode(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
