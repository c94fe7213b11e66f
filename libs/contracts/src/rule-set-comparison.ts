/** How a rule set is tried on what others decide. */
export type TrialKind = 'canary' | 'shadow';

/** A rule that only one of the sets has found something by. */
export interface RuleDifference {
  readonly rule: number;
  readonly route: string;
  readonly foundBy: 'candidate' | 'in-force';
  readonly requests: number;
  /** Of these, the ones that this set alone refuses. */
  readonly refused: number;
  /** The latest, for `waf explain`. */
  readonly requestId: string;
}

/** How a set that is being tried differs from the one in force. */
export interface RuleSetComparison {
  readonly candidate: string;
  readonly inForce: string;
  readonly trial: TrialKind;
  readonly since: string;
  readonly requests: number;
  readonly refusedByBoth: number;
  /** What is refused as soon as the candidate is in force everywhere. */
  readonly refusedByCandidate: number;
  /** What is let through then. */
  readonly refusedByInForce: number;
  /** Refused by the set that decides before the other has seen all of the request. */
  readonly undecided: number;
  /** Those by which one set alone refuses first, then those of most requests. */
  readonly rules: readonly RuleDifference[];
  /** Differences beyond those that are kept. */
  readonly untold: number;
}
