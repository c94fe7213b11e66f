import type { Clock } from '@sallyport/contracts';
import { debtAt, emptyAfter, waitFor, type Rate } from './gcra';
import type { Draw, Drawn, LimitSource } from './source';

interface Entry {
  debt: number;
  at: number;
  rate: Rate;
}

/** How many buckets one look for a victim examines: what a new bucket costs when the table is full. */
const LOOK = 32;

/**
 * Buckets of one process. Bounded without a timer: a new bucket in a full table takes the place of one that owes
 * nothing, which loses nothing, or of the one of those examined that would soonest owe nothing.
 */
export class MemorySource implements LimitSource {
  private readonly buckets = new Map<string, Entry>();
  private hand = this.buckets.entries();

  /** @param maxBuckets about 200 bytes each. */
  constructor(
    private readonly clock: Clock,
    private readonly maxBuckets = 200_000,
  ) {}

  /** Buckets held now. */
  get size(): number {
    return this.buckets.size;
  }

  draw(tenant: string, draws: readonly Draw[], done: (drawn: Drawn) => void): void {
    const now = Math.floor(this.clock.monotonic());
    // What each draw met: what earlier draws of this call put into the same bucket counts for the later ones.
    const entries: Entry[] = [];
    const met: number[] = [];
    let taken = true;
    for (const { key, rate, cost } of draws) {
      const entry = this.drained(`${tenant}:${key}`, rate, now);
      entries.push(entry);
      met.push(entry.debt);
      const room = waitFor(rate, entry.debt, cost) === 0;
      if (room) entry.debt += cost * rate.perRequest;
      else taken = false;
    }
    if (!taken) this.giveBack(draws, entries, met);
    // Not before the debts are known: the new buckets must not look like those that owe nothing.
    while (this.buckets.size > this.maxBuckets) this.evict(now);
    done({ taken, debts: taken ? entries.map(({ debt }) => debt) : met });
  }

  /** All draws of a call are taken, or none. */
  private giveBack(draws: readonly Draw[], entries: readonly Entry[], met: readonly number[]): void {
    for (let at = draws.length - 1; at >= 0; at--) {
      const { rate, cost } = draws[at]!;
      if (waitFor(rate, met[at]!, cost) === 0) entries[at]!.debt -= cost * rate.perRequest;
    }
  }

  /** Takes over what a bucket owes elsewhere, where it owes less here. @param debt in ticks of the draw's rate. */
  owe(tenant: string, { key, rate }: Draw, debt: number): void {
    const now = Math.floor(this.clock.monotonic());
    const entry = this.drained(`${tenant}:${key}`, rate, now);
    entry.debt = Math.max(entry.debt, debt);
    while (this.buckets.size > this.maxBuckets) this.evict(now);
  }

  private drained(key: string, rate: Rate, now: number): Entry {
    const known = this.buckets.get(key);
    if (!known) {
      const entry = { debt: 0, at: now, rate };
      this.buckets.set(key, entry);
      return entry;
    }
    known.debt = debtAt(rate, known, now);
    known.at = Math.max(known.at, now);
    known.rate = rate;
    return known;
  }

  private evict(now: number): void {
    let victim = '';
    let soonest = Infinity;
    for (let looked = 0; looked < LOOK && soonest > 0; looked++) {
      const [key, entry] = this.advance();
      const wait = emptyAfter(entry.rate, debtAt(entry.rate, entry, now));
      if (wait < soonest) [victim, soonest] = [key, wait];
    }
    this.buckets.delete(victim);
  }

  /** The next bucket of a walk that begins again at its end; the table is never empty here. */
  private advance(): [string, Entry] {
    const step = this.hand.next();
    if (!step.done) return step.value;
    this.hand = this.buckets.entries();
    return this.hand.next().value!;
  }
}
