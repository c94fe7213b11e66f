import type { Bytes } from '../bytes';
import type { Place } from './rule-source';

/** One variable of a rule's list, as written: `!REQUEST_COOKIES:/^_ga/` */
export interface TargetText {
  /** Upper case. */
  readonly variable: string;
  /** Without the slashes of a regular expression; undefined for the whole collection. */
  readonly selector: Bytes | undefined;
  readonly isPattern: boolean;
  /** `&`: the number of values instead of the values. */
  readonly counted: boolean;
  /** `!`: taken out of the list. */
  readonly excluded: boolean;
}

/** `!@rx ^\d+$` */
export interface OperatorText {
  readonly negated: boolean;
  /** Without `@`, as written. */
  readonly name: string;
  readonly argument: Bytes;
}

/** `setvar:'tx.score=+5'` */
export interface ActionText {
  /** Lower case. */
  readonly name: string;
  /** Without quotes; empty where there is none. */
  readonly value: Bytes;
}

/** A SecRule or SecAction, parsed and not yet resolved; `next` is the link of its chain. */
export interface RuleText {
  readonly place: Place;
  readonly directive: string;
  /** Empty for SecAction, which always matches. */
  readonly targets: readonly TargetText[];
  readonly operator: OperatorText | undefined;
  readonly actions: readonly ActionText[];
  readonly next: RuleText | undefined;
}
