import type { Clock } from '@sallyport/contracts';

/** A message may be late, and never early: the least late of so many says how far apart two clocks are. */
const SAMPLES = 3;
/** Who has said nothing for so long has ended, or cannot be reached. */
export const FORGOTTEN_MS = 20_000;
/** More than any cluster has nodes; what is heard may come from anybody on the bus. */
const MOST_HEARD = 4_096;
/** One other node alone may itself be wrong. */
const FEWEST = 2;

interface Heard {
  /** Own time less theirs, in milliseconds, the latest last. */
  readonly samples: number[];
  /** Monotonic milliseconds. */
  lastAt: number;
}

/** How the clock of this process stands to those of other nodes, from what they say the time is. */
export class ClockComparison {
  private readonly others = new Map<string, Heard>();

  constructor(private readonly clock: Clock) {}

  /**
   * @param at milliseconds since the epoch, as the other had them when it said so
   * @returns whether nothing was known of it.
   */
  heard(other: string, at: number): boolean {
    const known = this.others.get(other);
    if (!known && !this.hasRoom()) return false;
    const samples = known?.samples ?? [];
    samples.push(this.clock.now() - at);
    if (samples.length > SAMPLES) samples.shift();
    this.others.set(other, { samples, lastAt: this.clock.monotonic() });
    return !known;
  }

  /**
   * By how many milliseconds this clock is ahead of most others: of two that stand in the middle the one that is nearer. Undefined
   * while nobody is heard.
   */
  offset(): number | undefined {
    const offsets = this.offsets().sort((one, other) => one - other);
    if (offsets.length === 0) return undefined;
    const [lower, upper] = [offsets[(offsets.length - 1) >> 1]!, offsets[offsets.length >> 1]!];
    return Math.abs(lower) <= Math.abs(upper) ? lower : upper;
  }

  /** Whether most others, and two at least, are away by more than that, and all to the same side. */
  isOffForMost(byMs: number): boolean {
    return this.most((offset) => offset > byMs) || this.most((offset) => offset < -byMs);
  }

  /** Whether most others, and two at least, are no further away. Between this and {@link isOffForMost} nobody knows. */
  isRightForMost(withinMs: number): boolean {
    return this.most((offset) => Math.abs(offset) <= withinMs);
  }

  private most(holds: (offset: number) => boolean): boolean {
    const offsets = this.offsets();
    const holding = offsets.filter(holds).length;
    return holding >= FEWEST && holding > offsets.length / 2;
  }

  private offsets(): number[] {
    this.forget();
    return [...this.others.values()].map(({ samples }) => Math.min(...samples));
  }

  private hasRoom(): boolean {
    if (this.others.size >= MOST_HEARD) this.forget();
    return this.others.size < MOST_HEARD;
  }

  private forget(): void {
    const oldest = this.clock.monotonic() - FORGOTTEN_MS;
    for (const [other, { lastAt }] of this.others) if (lastAt < oldest) this.others.delete(other);
  }
}
