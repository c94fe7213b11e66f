import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import type { Clock, RandomBytes } from '@sallyport/contracts';
import type { Timers } from '@sallyport/ai';
import type { Removed, Replaced, SharedStore } from '@sallyport/pipeline';
import { KvConflict, type Kv, type KvEntry } from '@sallyport/platform';

/** How long a request waits for the bus before it is told that nobody can say. */
const DEADLINE_MS = 1_000;
/** How often a claim that meets others begins again. */
const TRIES = 5;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const TIME_BYTES = 8;
const NOTHING = Buffer.alloc(0);

export interface BusStoreParts {
  readonly open: () => Promise<Kv>;
  /** What the keys are derived from; the same for all who share the store, and never on the bus. */
  readonly secret: Uint8Array;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly timers: Timers;
}

interface Found {
  readonly value: Buffer;
  readonly revision: number;
}

/**
 * The store that all gateways of a cluster share: a bucket of the bus. Names are MACs and values are sealed, so that the
 * disk of the bus holds neither a caller's keys nor an answer in clear. What cannot be opened counts as unavailable.
 */
export class BusStore implements SharedStore {
  private readonly nameKey: Buffer;
  private readonly valueKey: Buffer;
  private bucket: Promise<Kv> | undefined;

  constructor(private readonly parts: BusStoreParts) {
    this.nameKey = derived(parts.secret, 'names');
    this.valueKey = derived(parts.secret, 'values');
  }

  get(key: string, done: (found: Buffer | undefined | 'unavailable') => void): void {
    this.within(async (kv) => (await this.read(kv, this.nameOf(key)))?.value, 'unavailable', done);
  }

  set(key: string, value: Buffer, ttlMs: number, done: (stored: boolean) => void = () => undefined): void {
    const name = this.nameOf(key);
    this.within(async (kv) => (await kv.put(name, this.seal(name, value, ttlMs))) > 0, false, done);
  }

  claim(key: string, value: Buffer, ttlMs: number, done: (before: Buffer | undefined | 'unavailable') => void): void {
    const name = this.nameOf(key);
    this.within(
      async (kv, isAwaited) => {
        for (let tries = 0; tries < TRIES; tries++) {
          const entry = await kv.get(name);
          const found = entry && this.unseal(entry);
          if (found) return found.value;
          if (!isAwaited()) break;
          const sealed = this.seal(name, value, ttlMs);
          const made = await unlessConflict(entry ? kv.update(name, sealed, entry.revision) : kv.create(name, sealed));
          if (made) return undefined;
        }
        return 'unavailable' as const;
      },
      'unavailable',
      done,
    );
  }

  replace(key: string, before: Buffer, value: Buffer, ttlMs: number, done: (outcome: Replaced) => void): void {
    this.exchange(key, before, value, ttlMs, 'replaced', done);
  }

  /**
   * A bucket deletes without a comparison only. So nothing takes the place of the value, for a time that was over before
   * any clock began: nobody finds it, the next one to claim the key writes over it, and the bucket forgets it like all it keeps.
   */
  remove(key: string, before: Buffer, done: (outcome: Removed) => void = () => undefined): void {
    this.exchange(key, before, NOTHING, Number.NEGATIVE_INFINITY, 'removed', done);
  }

  /** Writes where the value is still the one that was seen. */
  private exchange<Done>(
    key: string,
    before: Buffer,
    value: Buffer,
    ttlMs: number,
    exchanged: Done,
    done: (outcome: Done | 'changed' | 'unavailable') => void,
  ): void {
    const name = this.nameOf(key);
    this.within<Done | 'changed' | 'unavailable'>(
      async (kv, isAwaited) => {
        const found = await this.read(kv, name);
        if (!found?.value.equals(before)) return 'changed';
        if (!isAwaited()) return 'unavailable';
        const sealed = this.seal(name, value, ttlMs);
        return (await unlessConflict(kv.update(name, sealed, found.revision))) ? exchanged : 'changed';
      },
      'unavailable',
      done,
    );
  }

  /**
   * Runs something on the bucket; `otherwise` when that fails or takes too long.
   * @param run asks before it writes whether it is still waited for: a claim that nobody knows of would lock its key
   */
  private within<Value>(
    run: (kv: Kv, isAwaited: () => boolean) => Promise<Value>,
    otherwise: Value,
    done: (value: Value) => void,
  ): void {
    let over = false;
    const finish = (value: Value): void => {
      if (over) return;
      over = true;
      stop();
      done(value);
    };
    const stop = this.parts.timers.after(DEADLINE_MS, () => finish(otherwise));
    this.opened()
      .then((kv) => run(kv, () => !over))
      .then(finish, () => finish(otherwise));
  }

  private opened(): Promise<Kv> {
    this.bucket ??= this.parts.open().catch((error: unknown) => {
      this.bucket = undefined;
      throw error;
    });
    return this.bucket;
  }

  private async read(kv: Kv, name: string): Promise<Found | undefined> {
    const entry = await kv.get(name);
    return entry && this.unseal(entry);
  }

  private nameOf(key: string): string {
    return createHmac('sha256', this.nameKey).update(key).digest('base64url');
  }

  private seal(name: string, value: Buffer, ttlMs: number): Buffer {
    const until = Buffer.alloc(TIME_BYTES);
    until.writeDoubleBE(this.parts.clock.now() + ttlMs);
    const nonce = this.parts.random(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', this.valueKey, nonce).setAAD(Buffer.from(name));
    const sealed = Buffer.concat([cipher.update(until), cipher.update(value), cipher.final()]);
    return Buffer.concat([nonce, sealed, cipher.getAuthTag()]);
  }

  /**
   * @returns undefined when its time is over
   * @throws when it was sealed with another key, or under another name
   */
  private unseal({ key: name, value, revision }: KvEntry): Found | undefined {
    const bytes = Buffer.from(value);
    const decipher = createDecipheriv('aes-256-gcm', this.valueKey, bytes.subarray(0, NONCE_BYTES)).setAAD(
      Buffer.from(name),
    );
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    const opened = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
    if (opened.readDoubleBE(0) <= this.parts.clock.now()) return undefined;
    return { value: opened.subarray(TIME_BYTES), revision };
  }
}

function derived(secret: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), `sallyport policy store ${purpose}`, 32));
}

/** @returns false when somebody else was faster. */
async function unlessConflict(change: Promise<number>): Promise<boolean> {
  try {
    await change;
    return true;
  } catch (error) {
    if (error instanceof KvConflict) return false;
    throw error;
  }
}
