const SLICES = 10;

/** Counts calls and failures of the last while, in ten slices: what leaves the window leaves a tenth at a time. */
export class SlidingCounts {
  /** Of the window, as of the last `add` or `advance`. */
  calls = 0;
  failures = 0;
  private readonly callsOf = new Uint32Array(SLICES);
  private readonly failuresOf = new Uint32Array(SLICES);
  private readonly sliceMs: number;
  /** Number of the slice that is being filled. */
  private slice = 0;

  constructor(windowMs: number) {
    this.sliceMs = windowMs / SLICES;
  }

  add(now: number, failed: boolean): void {
    this.advance(now);
    const at = this.slice % SLICES;
    this.calls++;
    this.callsOf[at]!++;
    if (!failed) return;
    this.failures++;
    this.failuresOf[at]!++;
  }

  /** Forgets what is older than the window. */
  advance(now: number): void {
    const slice = Math.floor(now / this.sliceMs);
    if (slice <= this.slice) return;
    const passed = Math.min(slice - this.slice, SLICES);
    for (let step = 1; step <= passed; step++) {
      const at = (this.slice + step) % SLICES;
      this.calls -= this.callsOf[at]!;
      this.failures -= this.failuresOf[at]!;
      this.callsOf[at] = 0;
      this.failuresOf[at] = 0;
    }
    // After a pause of more than a window every slice is empty, whichever number it had.
    this.slice = slice;
  }

  clear(): void {
    this.calls = this.failures = 0;
    this.callsOf.fill(0);
    this.failuresOf.fill(0);
  }
}
