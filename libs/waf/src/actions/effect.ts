import type { Bytes } from '../bytes';
import type { RuleSelector, TargetFilter } from '../rule-set';
import type { Macro } from '../seclang/macro';

/** `setvar` */
export interface SetVariable {
  /** `TX`, `IP`, … */
  readonly store: string;
  readonly name: Macro;
  readonly operation: 'set' | 'add' | 'subtract' | 'delete';
  readonly value: Macro;
}

/** What actions may do to a transaction. */
export interface Controls {
  removeRules(selector: RuleSelector): void;
  removeTarget(selector: RuleSelector, filter: TargetFilter): void;
  setEngine(mode: EngineMode): void;
  setBodyProcessor(name: Bytes): void;
  setBodyAccess(of: 'request' | 'response', on: boolean): void;
  setBodyLimit(of: 'request' | 'response', bytes: number): void;
  openStore(name: string, key: Macro): void;
}

export type EngineMode = 'on' | 'off' | 'detection-only';

/** An action that runs when a rule has matched. */
export interface Effect {
  /** As written, for people: `ctl:ruleEngine`. */
  readonly name: string;
  run(controls: Controls): void;
  /** Set where rules that follow do not run any more. */
  readonly removes?: RuleSelector;
  /** Set where rules up to this marker are passed over. */
  readonly skipAfter?: Bytes;
  /** Set where this number of rules is passed over. */
  readonly skip?: number;
}
