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
 * sees, such as how long an answer is held, share one. When a rule is killed every plan differs: then each goes on with the
 * program it has, which passes over the killed rules, until the one without them was made between requests.
 */
export class Programs {
  private readonly byPlan = new Map<PlanId, Ready>();
  private readonly byAdjustment = new Map<string, RulesInForce>();
  /** By adjustment: what runs until its own program is made. */
  private readonly standIns = new Map<string, RulesInForce>();
  private readonly wanted = new Map<string, Adjustment>();

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
    const adjustment = adjustmentOf(this.text, plan, now);
    const key = keyOf(adjustment);
    const standIn = this.byAdjustment.has(key) ? undefined : this.standIn(key, adjustment);
    if (standIn) return standIn;
    const rules = this.adjusted(key, adjustment);
    this.byPlan.set(plan.id, { rules, until: nextEnd(plan, now) });
    return rules;
  }

  /** Whether a request of this plan finds its program made. */
  has({ id }: Plan): boolean {
    return this.byPlan.has(id);
  }

  private adjusted(key: string, adjustment: Adjustment): RulesInForce {
    let rules = this.byAdjustment.get(key);
    if (!rules) {
      rules = { name: this.text.name, program: this.ruleSet.adjusted(adjustment) };
      this.byAdjustment.set(key, rules);
    }
    return rules;
  }

  /** @returns the program that the killed rules are still in, and which passes over them; undefined: there is none */
  private standIn(key: string, adjustment: Adjustment): RulesInForce | undefined {
    const known = this.standIns.get(key);
    if (known) return known;
    const { killed = [], ...rest } = adjustment;
    const before = killed.length > 0 ? this.byAdjustment.get(keyOf(rest)) : undefined;
    if (!before) return undefined;
    const standIn = { ...before, removed: before.program.rulesOf(killed) };
    this.standIns.set(key, standIn);
    if (this.wanted.size === 0) setImmediate(() => this.makeNext());
    this.wanted.set(key, adjustment);
    return standIn;
  }

  /** One at a time: requests have their turn between two of them. */
  private makeNext(): void {
    for (const [key, adjustment] of this.wanted) {
      this.adjusted(key, adjustment);
      this.wanted.delete(key);
      this.standIns.delete(key);
      break;
    }
    if (this.wanted.size > 0) setImmediate(() => this.makeNext());
  }
}

/** The same for adjustments by which rules run alike: why something is excluded, and until when, is nothing to them. */
function keyOf({ exclusions = [], killed = [], ...rest }: Adjustment): string {
  const meant = [exclusions, killed].map((list) => list.map(({ rules, tag, target }) => [rules, tag, target]));
  return JSON.stringify([rest, ...meant]);
}

/** When the first exclusion of a plan ends; what is over already does not end again. */
function nextEnd({ exclusions, killed }: Plan, now: number): number {
  let next = Number.POSITIVE_INFINITY;
  for (const { expires } of [...exclusions, ...killed])
    if (expires !== undefined && expires > now) next = Math.min(next, expires);
  return next;
}
