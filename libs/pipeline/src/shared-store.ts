import type { Clock } from '@sallyport/contracts';

/**
 * Values that outlive a request: stored answers, keys that were seen. Keys are made of tenant, route and policy by whoever
 * asks. Callbacks may come at once; a store that cannot answer in time says so and never keeps a request waiting.
 */
export interface SharedStore {
  /** `found` is undefined where there is nothing; `unavailable` where nobody can say. */
  get(key: string, done: (found: Buffer | undefined | 'unavailable') => void): void;
  /** Stores for so many milliseconds, over what is there. */
  set(key: string, value: Buffer, ttlMs: number, done?: (stored: boolean) => void): void;
  /** Stores where nothing is, and says what was there: of many who try at once, one finds `undefined`. */
  claim(key: string, value: Buffer, ttlMs: number, done: (before: Buffer | undefined | 'unavailable') => void): void;
  /** Stores where the value is still the one that was seen: what somebody else wrote meanwhile stays. */
  replace(key: string, before: Buffer, value: Buffer, ttlMs: number, done: (outcome: Replaced) => void): void;
  /** Forgets where the value is still the one that was seen: what somebody else wrote meanwhile stays. */
  remove(key: string, before: Buffer, done?: (outcome: Removed) => void): void;
}

export type Replaced = 'replaced' | 'changed' | 'unavailable';
export type Removed = 'removed' | 'changed' | 'unavailable';

interface Kept {
  readonly value: Buffer;
  readonly until: number;
  /** Promised to whoever claimed it: such an entry never makes room for another one. */
  readonly claimed: boolean;
}

/** What an entry weighs beside its key and value. */
const ENTRY_BYTES = 128;

/** A store of this process alone, of bounded size; the entry that was written longest ago goes first. */
export class MemoryStore implements SharedStore {
  private readonly entries = new Map<string, Kept>();
  private bytes = 0;

  constructor(
    private readonly clock: Clock,
    private readonly maxBytes: number,
  ) {}

  get(key: string, done: (found: Buffer | undefined) => void): void {
    done(this.read(key));
  }

  set(key: string, value: Buffer, ttlMs: number, done?: (stored: boolean) => void): void {
    const stored = this.write(key, value, ttlMs, false);
    done?.(stored);
  }

  claim(key: string, value: Buffer, ttlMs: number, done: (before: Buffer | undefined | 'unavailable') => void): void {
    const before = this.read(key);
    if (before) return done(before);
    done(this.write(key, value, ttlMs, true) ? undefined : 'unavailable');
  }

  replace(key: string, before: Buffer, value: Buffer, ttlMs: number, done: (outcome: Replaced) => void): void {
    if (!this.read(key)?.equals(before)) return done('changed');
    done(this.write(key, value, ttlMs, this.entries.get(key)!.claimed) ? 'replaced' : 'unavailable');
  }

  remove(key: string, before: Buffer, done?: (outcome: Removed) => void): void {
    const isSame = this.read(key)?.equals(before) ?? false;
    if (isSame) this.drop(key);
    done?.(isSame ? 'removed' : 'changed');
  }

  private drop(key: string): void {
    const kept = this.entries.get(key);
    if (!kept) return;
    this.entries.delete(key);
    this.bytes -= weightOf(key, kept.value);
  }

  /** @returns false when there is no room; then what was there stays. */
  private write(key: string, value: Buffer, ttlMs: number, claimed: boolean): boolean {
    const before = this.entries.get(key);
    const more = weightOf(key, value) - (before ? weightOf(key, before.value) : 0);
    if (!this.makeRoom(more, key)) return false;
    this.drop(key);
    this.entries.set(key, { value, until: this.clock.now() + ttlMs, claimed });
    this.bytes += weightOf(key, value);
    return true;
  }

  /** @returns false, and then nothing has gone, when only claimed entries are left. */
  private makeRoom(bytes: number, except: string): boolean {
    let missing = this.bytes + bytes - this.maxBytes;
    if (missing <= 0) return true;
    const now = this.clock.now();
    const going: string[] = [];
    for (const [key, { value, until, claimed }] of this.entries) {
      if (key === except || (claimed && until > now)) continue;
      going.push(key);
      missing -= weightOf(key, value);
      if (missing <= 0) break;
    }
    if (missing > 0) return false;
    for (const key of going) this.drop(key);
    return true;
  }

  private read(key: string): Buffer | undefined {
    const kept = this.entries.get(key);
    if (!kept) return undefined;
    if (kept.until > this.clock.now()) return kept.value;
    this.drop(key);
    return undefined;
  }
}

function weightOf(key: string, value: Buffer): number {
  return key.length * 2 + value.length + ENTRY_BYTES;
}
