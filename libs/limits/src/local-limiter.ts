import { emptyAfter, NEVER_MS, rateOf, roomLeft, waitFor, type Rate } from './gcra';
import type { Charge, Limiter, Spending, Standing } from './limiter';
import type { Draw, Drawn, LimitSource } from './source';

/** Decides where the one who should cannot. */
export interface StandIn extends Limiter {
  /** Hears every decision it was not needed for, so that it can go on from there. */
  follow?(tenant: string, charges: readonly Charge[], spending: Spending): void;
}

/** The engine of the rate-limit service: says what there is room for in the buckets of a source. */
export class LocalLimiter implements Limiter {
  /**
   * @param source where the buckets live.
   * @param divisor how many deciders share each limit without seeing each other, asked at every decision. Where a
   *   share is less than one request (three deciders, a burst of two) this decider lets none through: any whole
   *   request here could be one too many in total.
   * @param standIn decides when the source cannot; without one everything is refused then.
   */
  constructor(
    private readonly source: LimitSource,
    private readonly divisor: () => number = alone,
    private readonly standIn: StandIn = refuseAll,
  ) {}

  spend(tenant: string, charges: readonly Charge[], done: (spending: Spending) => void): void {
    const divisor = Math.max(1, Math.ceil(this.divisor()));
    const draws = charges.map((charge) => drawFor(charge, divisor));
    this.source.draw(tenant, draws, (drawn) => {
      if (drawn === undefined) return this.standIn.spend(tenant, charges, done);
      const spending = spendingOf(charges, draws, drawn);
      this.standIn.follow?.(tenant, charges, spending);
      done(spending);
    });
  }
}

const alone = (): number => 1;

const refuseAll: StandIn = {
  spend: (_tenant, charges, done) =>
    done({ allowed: false, standings: charges.map((charge) => standing(charge, 0, 0, windowMs(charge))) }),
};

/** The bucket a charge is counted in. */
export function drawFor(charge: Charge, divisor: number): Draw {
  const { key, limit, windowSeconds, burst, cost } = charge;
  // A changed limit starts a fresh bucket: a debt counted in other ticks would mean something else.
  return { key: `${key}:${limit}/${windowSeconds}`, rate: rateOf(limit, windowSeconds, burst, divisor), cost };
}

function spendingOf(charges: readonly Charge[], draws: readonly Draw[], { taken, debts }: Drawn): Spending {
  const standings = charges.map((charge, index) => {
    const { rate } = draws[index]!;
    const debt = debts[index]!;
    const wait = taken ? 0 : waitWithin(charge, rate, debt);
    return standing(charge, roomLeft(rate, debt), emptyAfter(rate, debt), wait);
  });
  return { allowed: taken, standings };
}

/**
 * A share too small for one request would never have room; the caller is told to come back a window later, when the
 * whole limit may be in one hand again, instead of never.
 */
function waitWithin(charge: Charge, rate: Rate, debt: number): number {
  const shareTooSmall = charge.cost <= (charge.burst || charge.limit) && charge.cost * rate.perRequest > rate.capacity;
  return shareTooSmall ? windowMs(charge) : waitFor(rate, debt, charge.cost);
}

function windowMs({ windowSeconds }: Charge): number {
  return Math.min(NEVER_MS, windowSeconds * 1000);
}

function standing(charge: Charge, remaining: number, resetMs: number, retryAfterMs: number): Standing {
  const { policy, limit, windowSeconds } = charge;
  return { policy, limit, windowSeconds, remaining, resetMs, retryAfterMs };
}
