import type { Clock } from '@sallyport/contracts';
import { NEVER_MS, retryAfterMs, type Charge, type Spending, type Standing } from '@sallyport/limits';
import type { Counter } from '@sallyport/platform';
import type { ConsultedLimiter } from './with-fallback';

/** At most so long is nobody asked: a service that stood in for its store, or has lost its buckets, may say otherwise by then. */
const LONGEST_MS = 1000;

/** About half a kilobyte each. When there are as many, all are forgotten: each costs one question more. */
const CAPACITY = 4096;

interface Remembered {
  readonly tenant: string;
  readonly charges: readonly Charge[];
  readonly standings: readonly Standing[];
  readonly answeredAt: number;
  readonly until: number;
}

/**
 * Gives the answer of the rate-limit service again while it cannot be another one: a bucket that had no room has none before
 * its `Retry-After` has passed, for a debt only drains. So a caller who does not heed it asks no service for each of its 429s.
 *
 * Only for requests that want to be let in. What a request turns out to have used is to be counted whatever a bucket holds.
 */
export class LastingRefusals implements ConsultedLimiter {
  private readonly refusals = new Map<string, Remembered>();
  /** Nothing that is remembered lasts longer: while nobody is refused, a request costs one comparison. */
  private lastUntil = 0;

  /** @param given counts the answers that came from here. */
  constructor(
    private readonly limiter: ConsultedLimiter,
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly given: Pick<Counter, 'add'>,
  ) {}

  spend(tenant: string, charges: readonly Charge[], done: Parameters<ConsultedLimiter['spend']>[2]): void {
    const askedAt = this.clock.monotonic();
    const lasting = askedAt < this.lastUntil ? this.find(tenant, charges, askedAt) : undefined;
    if (lasting) {
      this.given.add(1);
      return done(
        { allowed: false, standings: lasting.standings.map(afterAWhile(askedAt - lasting.answeredAt)) },
        'service',
      );
    }
    this.limiter.spend(tenant, charges, (spending, decidedBy) => {
      if (spending.allowed) this.forget(tenant, charges);
      // A share knows nothing of the buckets of the service.
      else if (decidedBy === 'service') this.remember(tenant, charges, spending, askedAt);
      done(spending, decidedBy);
    });
  }

  private find(tenant: string, charges: readonly Charge[], now: number): Remembered | undefined {
    const found = this.refusals.get(nameOf(tenant, charges));
    return found && now < found.until && sameQuestion(found, tenant, charges) ? found : undefined;
  }

  /** Who is let in for less than was refused has used the bucket up further: the wait that was told is too short now. */
  private forget(tenant: string, charges: readonly Charge[]): void {
    if (this.clock.monotonic() < this.lastUntil) this.refusals.delete(nameOf(tenant, charges));
  }

  /** @param askedAt the service decided after that: its answer lasts a little longer than it is used here. */
  private remember(tenant: string, charges: readonly Charge[], { standings }: Spending, askedAt: number): void {
    const answeredAt = this.clock.monotonic();
    const until = askedAt + Math.min(LONGEST_MS, retryAfterMs(standings));
    if (until <= answeredAt) return;
    if (answeredAt >= this.lastUntil || this.refusals.size >= CAPACITY) this.refusals.clear();
    this.refusals.set(nameOf(tenant, charges), { tenant, charges, standings, answeredAt, until });
    this.lastUntil = Math.max(this.lastUntil, until);
  }
}

/** Where a refusal is looked for; what else was asked is compared behind it. */
function nameOf(tenant: string, charges: readonly Charge[]): string {
  return `${tenant}:${charges[0]?.key}`;
}

function sameQuestion(refusal: Remembered, tenant: string, charges: readonly Charge[]): boolean {
  return (
    refusal.tenant === tenant &&
    refusal.charges.length === charges.length &&
    refusal.charges.every((charge, at) => sameCharge(charge, charges[at]!))
  );
}

function sameCharge(one: Charge, other: Charge): boolean {
  return (
    one.key === other.key &&
    one.cost === other.cost &&
    one.limit === other.limit &&
    one.windowSeconds === other.windowSeconds &&
    one.burst === other.burst &&
    one.policy === other.policy
  );
}

/** What has passed since, in whole milliseconds: no caller is told to come back too early. */
function afterAWhile(elapsed: number): (standing: Standing) => Standing {
  const passed = Math.max(0, Math.floor(elapsed));
  return (standing) => ({
    ...standing,
    resetMs: Math.max(0, standing.resetMs - passed),
    retryAfterMs: standing.retryAfterMs === NEVER_MS ? NEVER_MS : Math.max(0, standing.retryAfterMs - passed),
  });
}
