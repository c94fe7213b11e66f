/**
 * One alarm for the many waits of a connection. Most waits end before their time, so the timer behind it is set anew only
 * when it would ring too late; when it rings too early it asks how much is left.
 */
export class Alarm {
  private deadline = Infinity;
  private ringsAt = Infinity;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly onRing: () => void) {}

  /** @param ms milliseconds from now; whatever was waited for before is over */
  set(ms: number): void {
    this.deadline = performance.now() + ms;
    if (this.deadline < this.ringsAt) this.arm(ms);
  }

  /** Nothing is waited for. */
  rest(): void {
    this.deadline = Infinity;
  }

  /** For good. */
  stop(): void {
    this.deadline = Infinity;
    clearTimeout(this.timer);
  }

  private arm(ms: number): void {
    clearTimeout(this.timer);
    this.ringsAt = performance.now() + ms;
    this.timer = setTimeout(() => this.ring(), Math.max(1, ms));
    this.timer.unref();
  }

  private ring(): void {
    this.ringsAt = Infinity;
    if (this.deadline === Infinity) return;
    const left = this.deadline - performance.now();
    if (left > 0) return this.arm(left);
    this.deadline = Infinity;
    this.onRing();
  }
}
