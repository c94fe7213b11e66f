import type { Charge, Limiter, Spending } from './limiter';
import { drawFor, LocalLimiter, type StandIn } from './local-limiter';
import type { MemorySource } from './memory-source';

/**
 * One decider's share of every limit, from its own memory, while those who share cannot reach where they count together.
 * It follows the decisions made there, so that a caller who has used a limit up does not get it again when it ends.
 */
export class ShareLimiter implements StandIn {
  private readonly engine: Limiter;

  /** @param deciders how many share each limit, as last known. */
  constructor(
    private readonly memory: MemorySource,
    deciders: () => number,
  ) {
    this.engine = new LocalLimiter(memory, deciders);
  }

  spend(tenant: string, charges: readonly Charge[], done: (spending: Spending) => void): void {
    this.engine.spend(tenant, charges, done);
  }

  follow(tenant: string, charges: readonly Charge[], { standings }: Spending): void {
    for (const [index, charge] of charges.entries()) {
      // Time until nothing is owed is the same for the whole and for a share of it: a request costs a share more, but
      // the debt drains alike.
      const draw = drawFor(charge, 1);
      this.memory.owe(tenant, draw, standings[index]!.resetMs * draw.rate.perMillisecond);
    }
  }
}
