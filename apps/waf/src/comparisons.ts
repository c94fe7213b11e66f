import type { Clock, RuleDifference, RuleSetComparison, TrialKind } from '@sallyport/contracts';
import type { Metrics } from '@sallyport/platform';
import type { Found } from './compared-inspection';
import type { Compared } from './guarded-inspector';

/** Pairs of sets, and rules and routes of each, that are kept: no caller can make more of them. */
const MOST_PAIRS = 8;
const MOST_RULES = 1_000;

interface Tally extends Omit<RuleSetComparison, 'rules'> {
  readonly rules: Map<string, { -readonly [Name in keyof RuleDifference]: RuleDifference[Name] }>;
}

/** What this process has seen of sets that are being tried, since it has been seeing it. */
export class Comparisons {
  private readonly tallies = new Map<string, { -readonly [Name in keyof Tally]: Tally[Name] }>();
  private readonly count: (difference: string) => void;

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    metrics: Metrics,
  ) {
    const compared = metrics.counter(
      'sallyport_waf_shadow_total',
      'Requests that a rule set on trial and the one in force have both seen, by what the one on trial finds otherwise.',
      ['difference'],
    );
    this.count = (difference) => compared.add(1, { difference });
  }

  get views(): RuleSetComparison[] {
    return [...this.tallies.values()].map((tally) => ({
      ...tally,
      rules: [...tally.rules.values()].sort((a, b) => b.refused - a.refused || b.requests - a.requests),
    }));
  }

  add({ trial, route, requestId, candidate, inForce }: Compared): void {
    this.count(differenceOf(inForce.rules, candidate.rules));
    const tally = this.tallyOf(trial, candidate.ruleset, inForce.ruleset);
    tally.requests++;
    // What was not shown to the end says nothing about what would have been found there.
    if (!candidate.isDone || !inForce.isDone) tally.undecided++;
    else if (candidate.refused && inForce.refused) tally.refusedByBoth++;
    else if (candidate.refused) tally.refusedByCandidate++;
    else if (inForce.refused) tally.refusedByInForce++;
    const note = (side: RuleDifference['foundBy'], found: Found, other: Found): void => {
      if (!other.isDone) return;
      for (const rule of found.rules)
        if (!other.rules.has(rule))
          this.note(tally, { rule, route, foundBy: side, requestId }, found.refused && !other.refused);
    };
    note('candidate', candidate, inForce);
    note('in-force', inForce, candidate);
  }

  private tallyOf(trial: TrialKind, candidate: string, inForce: string) {
    const key = `${trial} ${candidate} ${inForce}`;
    let tally = this.tallies.get(key);
    if (!tally) {
      const [oldest] = this.tallies.keys();
      if (this.tallies.size >= MOST_PAIRS) this.tallies.delete(oldest!);
      const since = new Date(this.clock.now()).toISOString();
      const none = {
        requests: 0,
        refusedByBoth: 0,
        refusedByCandidate: 0,
        refusedByInForce: 0,
        undecided: 0,
        untold: 0,
      };
      tally = { candidate, inForce, trial, since, ...none, rules: new Map() };
      this.tallies.set(key, tally);
    }
    return tally;
  }

  private note(
    tally: { untold: number } & Pick<Tally, 'rules'>,
    difference: Omit<RuleDifference, 'requests' | 'refused'>,
    refusedAlone: boolean,
  ): void {
    const { rule, route, foundBy, requestId } = difference;
    const key = `${foundBy} ${rule} ${route}`;
    let known = tally.rules.get(key);
    if (!known) {
      if (tally.rules.size >= MOST_RULES) return void tally.untold++;
      known = { ...difference, requests: 0, refused: 0 };
      tally.rules.set(key, known);
    }
    known.requests++;
    if (refusedAlone) known.refused++;
    known.requestId = requestId;
  }
}

function differenceOf(
  found: ReadonlySet<number>,
  byCandidate: ReadonlySet<number>,
): 'none' | 'more' | 'fewer' | 'other' {
  const more = [...byCandidate].some((rule) => !found.has(rule));
  const fewer = [...found].some((rule) => !byCandidate.has(rule));
  if (more && fewer) return 'other';
  return more ? 'more' : fewer ? 'fewer' : 'none';
}
