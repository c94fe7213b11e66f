import type { Clock } from '@sallyport/contracts';
import type { Adjustment, Plan, PlanId, RuleSet, RulesInForce } from '@sallyport/waf';
import { adjustmentOf } from './program-of';
import type { RuleSetText } from './rule-files';

const MOST_PROGRAMS = 2_000;

interface Ready {
  readonly rules: RulesInForce;
  /** Milliseconds since the epoch when an exclusion ends. */
  readonly until: number;
}

/**
 * How plans run one rule set. To make a program takes milliseconds, so it is kept, and plans that differ in nothing a rule
 * sees, such as how long an answer is held, share one.
 */
export class Programs {
  private readonly byPlan = new Map<PlanId, Ready>();
  private readonly byAdjustment = new Map<string, RulesInForce>();

  constructor(
    private readonly ruleSet: RuleSet,
    private readonly text: Pick<RuleSetText, 'name' | 'ownMethods'>,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  of(plan: Plan): RulesInForce {
    const now = this.clock.now();
    const known = this.byPlan.get(plan.id);
    if (known && known.until > now) return known.rules;
    if (this.byPlan.size >= MOST_PROGRAMS) {
      this.byPlan.clear();
      this.byAdjustment.clear();
    }
    const rules = this.adjusted(adjustmentOf(this.text, plan, now));
    this.byPlan.set(plan.id, { rules, until: nextEnd(plan, now) });
    return rules;
  }

  /** Whether a request of this plan finds its program made. */
  has({ id }: Plan): boolean {
    return this.byPlan.has(id);
  }

  private adjusted(adjustment: Adjustment): RulesInForce {
    const key = keyOf(adjustment);
    let rules = this.byAdjustment.get(key);
    if (!rules) {
      rules = { name: this.text.name, program: this.ruleSet.adjusted(adjustment) };
      this.byAdjustment.set(key, rules);
    }
    return rules;
  }
}

/** The same for adjustments by which rules run alike: why something is excluded, and until when, is nothing to them. */
function keyOf({ exclusions = [], ...rest }: Adjustment): string {
  return JSON.stringify([rest, exclusions.map(({ rules, tag, target }) => [rules, tag, target])]);
}

/** When the first exclusion of a plan ends; what is over already does not end again. */
function nextEnd({ exclusions }: Plan, now: number): number {
  let next = Number.POSITIVE_INFINITY;
  for (const { expires } of exclusions) if (expires !== undefined && expires > now) next = Math.min(next, expires);
  return next;
}
