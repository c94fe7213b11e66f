/** Work that stops at places of its own choice, so that others may go on; run it with `drain` or `inSlices`. */
export type Work = Generator<void, void, void>;

export interface BudgetSettings {
  /** Milliseconds after which work stops for others. */
  readonly slice: number;
  /** Milliseconds of processor time a transaction may take, whatever it brings. */
  readonly base: number;
  /** Milliseconds more for each KiB that is inspected. */
  readonly perKib: number;
  /** Milliseconds no transaction may go beyond. */
  readonly most: number;
}

export const defaultBudget: BudgetSettings = { slice: 4, base: 20, perKib: 2, most: 400 };

/** Bytes scanned, or their equivalent, between two looks at the clock. */
const UNITS_PER_LOOK = 4096;
/** What a visit of a rule counts for: 64 of them make one look at the clock. */
export const VISIT = 64;

/** Measures the work of one transaction by the clock, and looks at that seldom. */
export class Meter {
  private units = 0;
  private sliceBegan = 0;
  private spent = 0;
  private kib = 0;
  /** Whether the transaction has used up what it may take. */
  exhausted = false;

  private readonly usedBefore: number;

  /**
   * @param now milliseconds of a clock that only goes forward
   * @param used milliseconds of processor time this process has had. On a busy machine the clock goes on while nothing of ours
   *   runs, and nobody is refused for that.
   */
  constructor(
    private readonly now: () => number,
    private readonly settings: BudgetSettings,
    private readonly used?: () => number,
  ) {
    this.usedBefore = used?.() ?? 0;
  }

  get spentMillis(): number {
    return this.spent;
  }

  /** Gives what a body of this many bytes may take beside the rest. */
  grant(bytes: number): void {
    this.kib += bytes / 1024;
  }

  resume(): void {
    this.sliceBegan = this.now();
    this.units = 0;
  }

  pause(): void {
    this.spent += this.now() - this.sliceBegan;
    this.sliceBegan = this.now();
  }

  private usedSince(): number {
    return this.used ? this.used() - this.usedBefore : Number.POSITIVE_INFINITY;
  }

  /** @returns whether it is time to stop for others. */
  isDue(units: number): boolean {
    this.units += units;
    if (this.units < UNITS_PER_LOOK) return false;
    this.units = 0;
    const slice = this.now() - this.sliceBegan;
    const { base, perKib, most, slice: longest } = this.settings;
    const allowance = Math.min(most, base + perKib * this.kib);
    if (this.spent + slice > allowance && this.usedSince() > allowance) this.exhausted = true;
    return slice >= longest || this.exhausted;
  }
}

/** Does all of it at once. */
export function drain(work: Work): void {
  while (!work.next().done);
}

/**
 * Does it slice by slice.
 * @param later runs a function when others had their turn, as setImmediate does
 * @param done called when all of it is done, at once where one slice is enough
 */
export function inSlices(work: Work, later: (next: () => void) => void, done: () => void): void {
  if (work.next().done) done();
  else later(() => inSlices(work, later, done));
}
