const SIZE = 256;
const EVERY = 64;

/** The 95th percentile of the last latencies, worked out again every 64 of them. */
export class LatencySample {
  /** Undefined until enough was seen. */
  p95: number | undefined;
  private readonly last = new Float64Array(SIZE);
  private seen = 0;

  /** @param latencyMs to the first byte */
  add(latencyMs: number): void {
    this.last[this.seen++ % SIZE] = latencyMs;
    if (this.seen % EVERY !== 0) return;
    const sorted = this.last.slice(0, Math.min(this.seen, SIZE)).sort();
    this.p95 = sorted[Math.floor(sorted.length * 0.95)]!;
  }
}
