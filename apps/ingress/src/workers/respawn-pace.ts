import type { Clock } from '@sallyport/contracts';

const WINDOW_MS = 60_000;
/** So many deaths within the window are bad luck; more of them are a reason not to hurry. */
const AT_ONCE = 5;
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;

/** How soon a dead worker is replaced: at once, until they die so often that starting them is all that would happen. */
export class RespawnPace {
  private readonly deaths: number[] = [];

  constructor(private readonly clock: Clock) {}

  /** Notes a death. @returns milliseconds to wait before the next start. */
  next(): number {
    const now = this.clock.monotonic();
    this.deaths.push(now);
    while (this.deaths[0]! <= now - WINDOW_MS) this.deaths.shift();
    const excess = this.deaths.length - AT_ONCE;
    return excess <= 0 ? 0 : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(excess - 1, 10));
  }
}
