import type { BreakerSettings } from '@sallyport/contracts';
import { SlidingCounts } from './sliding-counts';
import type { Verdict } from './verdict';

/**
 * Stops the calls to one target that fails, but for a probe now and then; a probe that is answered lets all through
 * again. Times are milliseconds of any clock that does not run backwards.
 */
export class Breaker {
  private counts: SlidingCounts;
  private inARow = 0;
  private opened = false;
  private nextProbe = 0;

  constructor(private settings: BreakerSettings) {
    this.counts = new SlidingCounts(settings.windowMs);
  }

  get open(): boolean {
    return this.opened;
  }

  /** Takes other settings over; what was counted stays, unless the window changed. */
  use(settings: BreakerSettings): void {
    if (settings.windowMs !== this.settings.windowMs) this.counts = new SlidingCounts(settings.windowMs);
    this.settings = settings;
  }

  /** Whether a call may go out. */
  admits(now: number): boolean {
    return !this.opened || now >= this.nextProbe;
  }

  /** Milliseconds until the next call may go out. */
  wait(now: number): number {
    return this.opened ? Math.max(0, this.nextProbe - now) : 0;
  }

  /**
   * A call goes out.
   * @returns whether it is a probe; then `record` needs to know.
   */
  begin(now: number): boolean {
    if (!this.opened) return false;
    this.nextProbe = now + this.settings.probeMs;
    return true;
  }

  /** @returns whether the breaker opened or closed. */
  record(verdict: Verdict, probe: boolean, now: number): boolean {
    if (verdict === 'none') return false;
    // What was under way when it opened says nothing new.
    if (this.opened) return probe && verdict === 'ok' && this.close();
    this.counts.add(now, verdict !== 'ok');
    if (verdict === 'ok') this.inARow = 0;
    else if (verdict === 'gateway') this.inARow++;
    return this.tripped() && this.trip(now);
  }

  private tripped(): boolean {
    const { consecutive, percent, minimum } = this.settings;
    if (consecutive > 0 && this.inARow >= consecutive) return true;
    const { calls, failures } = this.counts;
    return percent > 0 && calls >= minimum && failures * 100 > calls * percent;
  }

  private trip(now: number): true {
    this.opened = true;
    this.nextProbe = now + this.settings.probeMs;
    return true;
  }

  private close(): true {
    this.opened = false;
    this.inARow = 0;
    this.counts.clear();
    return true;
  }
}
