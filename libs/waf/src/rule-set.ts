import type { Effect, SetVariable } from './actions/effect';
import type { Bytes } from './bytes';
import type { Operator } from './operators/operator';
import type { Pattern } from './regex/pattern';
import type { Macro } from './seclang/macro';
import type { Place } from './seclang/rule-source';
import type { Transformation } from './transformations/transformation';

export type Phase = 1 | 2 | 3 | 4 | 5;
export const phases: readonly Phase[] = [1, 2, 3, 4, 5];

/** 0 the most severe. */
export const severities = [
  'EMERGENCY',
  'ALERT',
  'CRITICAL',
  'ERROR',
  'WARNING',
  'NOTICE',
  'INFO',
  'DEBUG',
] as const satisfies readonly string[];

/** Values that are looked at: those of a variable, or of some of its members. */
export interface Target {
  /** Number in the registry of variables. */
  readonly variable: number;
  /** As the rule spells it, for `MATCHED_VAR_NAME` of a count. */
  readonly text: Bytes;
  /** One member, by its name in lower case. */
  readonly member: Bytes | undefined;
  /** Members whose name matches. */
  readonly pattern: Pattern | undefined;
  readonly counted: boolean;
}

/** Values that are left out; without member and pattern all of the variable. */
export type TargetFilter = Pick<Target, 'variable' | 'member' | 'pattern'>;

/** One condition: a rule, or one link of its chain. */
export interface Link {
  /** Counted through the whole set, from 0. */
  readonly number: number;
  readonly place: Place;
  readonly targets: readonly Target[];
  readonly filters: readonly TargetFilter[];
  readonly transformations: readonly Transformation[];
  /** Undefined for SecAction, which always matches. */
  readonly operator: Operator | undefined;
  readonly operatorName: string;
  readonly operatorText: Macro;
  readonly negated: boolean;
  readonly capture: boolean;
  /** Also looks at the value as it is, and after every transformation that changed it. */
  readonly multiMatch: boolean;
  /** Done at every value that matches. */
  readonly assignments: readonly SetVariable[];
  /** Done once, when the whole chain has matched. */
  readonly effects: readonly Effect[];
  readonly message: Macro | undefined;
  readonly logData: Macro | undefined;
  readonly severity: number | undefined;
  readonly next: Link | undefined;
}

export type Disruption = 'pass' | 'block' | 'deny' | 'drop' | 'allow' | 'allow-phase' | 'allow-request';

export interface Rule {
  /** Place in the order of the files, from 0. */
  readonly number: number;
  /** 0 for a SecAction or SecRule without an id. */
  readonly id: number;
  readonly phase: Phase;
  readonly head: Link;
  readonly tags: readonly Macro[];
  /** The tags as they stand, by which rules are removed. */
  readonly tagTexts: readonly Bytes[];
  /** The message as it stands. */
  readonly messageText: Bytes;
  readonly version: Bytes;
  readonly paranoia: number;
  /** With `block` already resolved by SecDefaultAction. */
  readonly disruption: Disruption;
  readonly status: number | undefined;
  readonly logs: boolean;
}

/** Which rules something is about. */
export type RuleSelector =
  | { readonly by: 'id'; readonly from: number; readonly to: number }
  | { readonly by: 'tag'; readonly tag: Bytes }
  | { readonly by: 'message'; readonly message: Bytes };

/** Whether a rule is one that a selector means; tags and messages are compared as a whole, as libmodsecurity does. */
export function selects(selector: RuleSelector, rule: Pick<Rule, 'id' | 'tagTexts' | 'messageText'>): boolean {
  if (selector.by === 'id') return rule.id >= selector.from && rule.id <= selector.to;
  if (selector.by === 'tag') return rule.tagTexts.includes(selector.tag);
  return rule.messageText === selector.message;
}
