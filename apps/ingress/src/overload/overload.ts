import { refuse, type RandomBytes, type Refusal, type RoutePriority } from '@sallyport/contracts';
import type { Closable, Logger, Metrics } from '@sallyport/platform';
import { calm, PressureGauge, REFRESH_MS, type Pressure, type Signals } from './pressure';

/** With fewer under way nothing is turned away: what makes such a process slow is not its load. */
const LEAST_UNDER_WAY = 32;
/** Streams that only wait cost little, so this bounds memory; the loop's delay bounds work. */
const MOST_UNDER_WAY = 10_000;
/** Around a second: whoever was turned away should not come back all at once. */
const RETRY_MS = 1_000;
/** Share of the limit that a priority may fill up. */
const ROOM: Readonly<Record<RoutePriority, number>> = { low: 0.8, normal: 1, high: 1.25 };

/** One request as far as it matters here. */
export interface Claimant {
  readonly priority: RoutePriority;
  /** Whom it belongs to, as far as that is known before anybody was asked who is calling. */
  readonly claim: string;
}

export interface OverloadOptions {
  readonly read: () => Signals;
  readonly underWay: () => Iterable<Pick<Claimant, 'claim'>> & { readonly size: number };
  readonly random: RandomBytes;
  readonly metrics: Metrics;
  readonly logger: Pick<Logger, 'warn' | 'debug'>;
  /** Told when it changes. */
  readonly onPressure: (pressure: Pressure) => void;
}

/**
 * Decides what a busy process does not take on. In quiet times a request costs two comparisons of numbers; everything else
 * happens on a timer.
 */
export class Overload implements Closable {
  /** From so many under way a request is judged, also without pressure. */
  readonly limit = MOST_UNDER_WAY * ROOM.low;
  /** Something is to be turned away, or judged at least. */
  pressed = false;
  private pressure: Pressure = calm;
  private readonly gauge = new PressureGauge();
  private readonly shares = new Map<string, number>();
  private fairShare = Number.POSITIVE_INFINITY;
  private readonly turnedAway;
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly options: OverloadOptions) {
    const { metrics } = options;
    this.turnedAway = metrics.counter(
      'sallyport_ingress_shed_total',
      'Requests turned away because this process was busy.',
      ['reason', 'priority'],
    );
    this.timer = setInterval(() => this.refresh(), REFRESH_MS);
    this.timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.timer);
  }

  /**
   * Asked once the route is known and before anybody else is, when `pressed` or `limit` says so.
   * @param underWay exchanges under way, this one among them.
   * @returns why it is turned away, or undefined.
   */
  judge({ priority, claim }: Claimant, underWay: number): Refusal | undefined {
    const refusesAll = this.pressure.shed.high > 0;
    if (underWay < LEAST_UNDER_WAY && !refusesAll) return undefined;
    if (underWay > MOST_UNDER_WAY * ROOM[priority]) return this.turnAway('limit', priority);
    if (!this.pressed) return undefined;
    if (this.chance() < this.pressure.shed[priority]) return this.turnAway(this.pressure.cause ?? 'loop', priority);
    // Under pressure whoever has more than a fair share goes before anybody else of the same priority.
    const greedy = (this.shares.get(claim) ?? 0) > this.fairShare;
    return greedy && priority !== 'high' ? this.turnAway('share', priority) : undefined;
  }

  /** Reads the signals; on a timer, and in tests. */
  refresh(): void {
    const signals = this.options.read();
    const before = this.pressure;
    this.pressure = this.gauge.next(signals);
    this.pressed = this.pressure !== calm;
    this.shareOut();
    if (changed(before, this.pressure)) this.tell();
  }

  private shareOut(): void {
    const underWay = this.options.underWay();
    this.shares.clear();
    this.fairShare = Number.POSITIVE_INFINITY;
    if (!this.pressed) return;
    for (const { claim } of underWay) this.shares.set(claim, (this.shares.get(claim) ?? 0) + 1);
    if (this.shares.size > 1) this.fairShare = (1.5 * underWay.size) / this.shares.size;
  }

  private turnAway(reason: string, priority: RoutePriority): Refusal {
    this.turnedAway.add(1, { reason, priority });
    const retryAfterMs = Math.round(RETRY_MS * (0.7 + 0.6 * this.chance()));
    return refuse('INGRESS_OVERLOADED', {}, { retryAfterMs });
  }

  private chance(): number {
    const [high = 0, low = 0] = this.options.random(2);
    return (high * 256 + low) / 65_536;
  }

  private tell(): void {
    const { logger, onPressure } = this.options;
    const { shed, lean, closed, cause } = this.pressure;
    // A process that is slow without load, as at its start, has nobody to turn away and nothing to say.
    const level = this.options.underWay().size >= LEAST_UNDER_WAY || lean ? 'warn' : 'debug';
    if (this.pressed) logger[level]({ shed, lean, closed, cause }, 'this process is busy and turns requests away');
    else logger.debug('this process has room again');
    onPressure(this.pressure);
  }
}

/** In kind: that a share has moved is no news. */
function changed(one: Pressure, other: Pressure): boolean {
  const kind = ({ shed, lean, closed }: Pressure) =>
    `${shed.low > 0} ${shed.normal > 0} ${shed.high > 0} ${lean} ${closed}`;
  return kind(one) !== kind(other);
}
