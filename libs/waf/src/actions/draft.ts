import type { Bytes } from '../bytes';
import type { Disruption, TargetFilter } from '../rule-set';
import type { Macro } from '../seclang/macro';
import type { Transformation } from '../transformations/transformation';
import type { Effect, SetVariable } from './effect';

/** What the actions of one SecRule, SecAction or SecDefaultAction say, while they are read in order. */
export interface ActionDraft {
  id: number | undefined;
  phase: number | undefined;
  message: Macro | undefined;
  messageText: Bytes;
  logData: Macro | undefined;
  severity: number | undefined;
  version: Bytes;
  status: number | undefined;
  disruption: Disruption | undefined;
  logs: boolean | undefined;
  chained: boolean;
  capture: boolean;
  multiMatch: boolean;
  /** Whether `t:none` cleared what SecDefaultAction says. */
  clearsTransformations: boolean;
  transformations: Transformation[];
  readonly tags: Macro[];
  readonly tagTexts: Bytes[];
  readonly assignments: SetVariable[];
  readonly effects: Effect[];
}

export function emptyDraft(): ActionDraft {
  return {
    id: undefined,
    phase: undefined,
    message: undefined,
    messageText: '',
    logData: undefined,
    severity: undefined,
    version: '',
    status: undefined,
    disruption: undefined,
    logs: undefined,
    chained: false,
    capture: false,
    multiMatch: false,
    clearsTransformations: false,
    transformations: [],
    tags: [],
    tagTexts: [],
    assignments: [],
    effects: [],
  };
}

/** What actions need while rules are compiled. */
export interface ActionContext {
  /** @throws SyntaxProblem at a macro of an unknown variable */
  macro(text: Bytes): Macro;
  /** @throws SyntaxProblem at an unknown variable */
  filter(text: Bytes): TargetFilter;
}

/** An action by its name. */
export interface ActionKind {
  /** As the reference manual spells it; rules may spell it in any letter case. */
  readonly name: string;
  /** @throws SyntaxProblem with what is wrong with the value */
  read(draft: ActionDraft, value: Bytes, context: ActionContext): void;
}
