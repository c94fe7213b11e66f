import type { AdaptiveSettings, Clock } from '@sallyport/contracts';

/** What the limit works with. */
export interface AdaptiveLimitParts {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** A number from 0 up to 1; spreads the moments at which the baseline is measured anew. */
  readonly random: () => number;
}

/** Measurements of one window; with fewer the limit stays as it is. */
const WINDOW_SAMPLES = 20;
const WINDOW_MS = 250;
/** How long a baseline is believed; half of it is chance, so that many processes do not forget theirs at once. */
const BASELINE_MS = 30_000;
/** How fast the limit may fall in one window: a single bad one is not the end. */
const STEEPEST = 0.5;
/** How fast a baseline rises that was never met again, in one window. */
const DRIFT = 1.1;
/** Share of what was measured last in the new limit. */
const SMOOTHING = 0.5;

/**
 * The next limit on what may be under way at once: in proportion to how much longer things take than at best, plus room to
 * find out whether more would do (the square root: much for small limits, little for large ones).
 *
 * @param limit the present one
 * @param baseline how long something takes at best
 * @param current how long it takes now; same unit
 */
export function nextLimit(
  limit: number,
  baseline: number,
  current: number,
  { least, most, tolerance }: AdaptiveSettings,
): number {
  const gradient = Math.max(STEEPEST, Math.min(1, (tolerance * baseline) / Math.max(current, Number.MIN_VALUE)));
  const aim = limit * gradient + Math.sqrt(limit);
  const next = limit * (1 - SMOOTHING) + aim * SMOOTHING;
  return within({ least, most }, next);
}

function within({ least, most }: Pick<AdaptiveSettings, 'least' | 'most'>, limit: number): number {
  return Math.max(least, Math.min(most, limit));
}

/**
 * Bounds what is under way at once towards something whose capacity nobody knows, such as an upstream. It has no queue: what
 * is beyond the limit is told so at once. The limit follows the gradient of the median time against the best median of the
 * last half a minute, so that a mixture of short and long requests is not taken for congestion.
 */
export class AdaptiveLimit {
  private under = 0;
  private allowed: number;
  private peak = 0;
  private samples: number[] = [];
  private windowEnds: number;
  private baseline = Number.POSITIVE_INFINITY;
  private baselineUntil = 0;

  constructor(
    private settings: AdaptiveSettings,
    private readonly parts: AdaptiveLimitParts,
  ) {
    this.allowed = within(settings, settings.initial);
    this.windowEnds = parts.clock.monotonic() + WINDOW_MS;
  }

  /** Takes other settings over; what was measured stays. */
  use(settings: AdaptiveSettings): void {
    this.settings = settings;
    this.allowed = within(settings, this.allowed);
  }

  get limit(): number {
    return Math.floor(this.allowed);
  }

  get inFlight(): number {
    return this.under;
  }

  /** Whether one more may be under way. */
  get hasRoom(): boolean {
    return this.under < this.limit;
  }

  /** Takes a place: there is room, or it is too late to turn this one away. */
  enter(): void {
    this.under++;
    if (this.under > this.peak) this.peak = this.under;
  }

  /**
   * Gives a place back.
   * @param milliseconds it took, or undefined when that says nothing, as when the caller went away.
   */
  leave(milliseconds: number | undefined): void {
    this.under--;
    if (milliseconds !== undefined) this.samples.push(milliseconds);
    const now = this.parts.clock.monotonic();
    if (now >= this.windowEnds) this.turn(now);
  }

  private turn(now: number): void {
    this.windowEnds = now + WINDOW_MS;
    if (this.samples.length < WINDOW_SAMPLES) return;
    const current = median(this.samples);
    const { peak } = this;
    this.samples = [];
    this.peak = this.under;
    const inUse = peak > this.allowed / 2;
    if (current < this.baseline) this.remember(current, now);
    else if (now >= this.baselineUntil) this.measureAnew(current, now, inUse);
    // A limit that nobody comes near is not what makes things slow, and must not grow: it would not be there when needed.
    if (inUse) this.allowed = nextLimit(this.allowed, this.baseline, current, this.settings);
  }

  /** What is measured under pressure is the pressure, so it waits for room; at the bottom, where none will come, it drifts. */
  private measureAnew(current: number, now: number, inUse: boolean): void {
    if (!inUse) this.remember(current, now);
    else if (this.allowed <= 2 * this.settings.least) this.baseline = Math.min(current, this.baseline * DRIFT);
  }

  private remember(current: number, now: number): void {
    this.baseline = current;
    this.baselineUntil = now + BASELINE_MS * (0.5 + this.parts.random());
  }
}

function median(values: number[]): number {
  values.sort((one, other) => one - other);
  return values[values.length >> 1]!;
}
