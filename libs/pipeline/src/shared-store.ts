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
  delete(key: string): void;
}

interface Kept {
  readonly value: Buffer;
  readonly until: number;
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
    this.delete(key);
    const weight = weightOf(key, value);
    const fits = weight <= this.maxBytes;
    if (fits) {
      this.entries.set(key, { value, until: this.clock.now() + ttlMs });
      this.bytes += weight;
      for (const oldest of this.entries.keys()) {
        if (this.bytes <= this.maxBytes) break;
        this.delete(oldest);
      }
    }
    done?.(fits);
  }

  claim(key: string, value: Buffer, ttlMs: number, done: (before: Buffer | undefined | 'unavailable') => void): void {
    const before = this.read(key);
    if (before) return done(before);
    this.set(key, value, ttlMs, (stored) => done(stored ? undefined : 'unavailable'));
  }

  delete(key: string): void {
    const kept = this.entries.get(key);
    if (!kept) return;
    this.entries.delete(key);
    this.bytes -= weightOf(key, kept.value);
  }

  private read(key: string): Buffer | undefined {
    const kept = this.entries.get(key);
    if (!kept) return undefined;
    if (kept.until > this.clock.now()) return kept.value;
    this.delete(key);
    return undefined;
  }
}

function weightOf(key: string, value: Buffer): number {
  return key.length * 2 + value.length + ENTRY_BYTES;
}
