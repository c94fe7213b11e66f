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

/**
 * Measures the work of one transaction, slice by slice, and looks at clocks seldom.
 *
 * What is charged is what the transaction itself used. Its slices run on one thread with nothing of others in between, so the
 * clock around a slice counts nobody else's work; but it goes on while the machine runs something else, and nobody is refused
 * for that. The processor time of the process does not, but counts its other threads. The smaller of the two, taken around
 * each slice, is off only by what other threads did while this one was kept waiting within the same slice.
 *
 * Reading processor time costs more than most transactions take for a rule, so it is read from the moment on at which a
 * transaction has taken a whole slice. Before, a slice is charged by the clock and for no more than a slice may take.
 */
export class Meter {
  private units = 0;
  private sliceBegan = 0;
  /** Processor time when this slice began; undefined where the clock alone measures. */
  private usedBefore: number | undefined;
  private spent = 0;
  private kib = 0;
  /** Whether the transaction has used up what it may take. */
  exhausted = false;
  /** Whether others should have their turn. */
  due = false;

  /**
   * @param now milliseconds of a clock that only goes forward
   * @param used milliseconds of processor time of this thread, or of its process where no less can be told; absent: the clock
   *   alone measures
   */
  constructor(
    private readonly now: () => number,
    private readonly settings: BudgetSettings,
    private readonly used?: () => number,
  ) {}

  /** What was charged so far. */
  get spentMillis(): number {
    return this.spent;
  }

  /** Gives what a body of this many bytes may take beside the rest. */
  grant(bytes: number): void {
    this.kib += bytes / 1024;
  }

  resume(): void {
    this.units = 0;
    this.due = false;
    if (this.used && this.spent >= this.settings.slice) this.usedBefore = this.used();
    this.sliceBegan = this.now();
  }

  pause(): void {
    const slice = this.now() - this.sliceBegan;
    this.spent += this.charge(slice);
    this.sliceBegan += slice;
    if (this.usedBefore !== undefined) this.usedBefore = this.used!();
  }

  /** @returns whether it is time to stop for others. */
  isDue(units: number): boolean {
    this.units += units;
    if (this.units < UNITS_PER_LOOK) return false;
    this.units = 0;
    const slice = this.now() - this.sliceBegan;
    const { base, perKib, most, slice: longest } = this.settings;
    const allowance = Math.min(most, base + perKib * this.kib);
    if (this.spent + slice > allowance && this.spent + this.charge(slice) > allowance) this.exhausted = true;
    this.due = slice >= longest || this.exhausted;
    return this.due;
  }

  /** @param slice milliseconds by the clock */
  private charge(slice: number): number {
    if (!this.used) return slice;
    if (this.usedBefore === undefined) return Math.min(slice, this.settings.slice);
    return Math.min(slice, this.used() - this.usedBefore);
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
