import type { Refusal, RequestHead } from '@sallyport/contracts';
import type { Hit, Phase } from './inspector';
import type { ProfileLimits } from './profile';
import type { BodyArgument } from './body/parsed-body';

/** What a rule is, for people: the admin API and the documentation show it. */
export interface RuleCard {
  /** 77xxxxx: our own, beside the numbers of rule sets that are loaded. */
  readonly id: number;
  readonly severity: Hit['severity'];
  /** What a hit says, in one line. */
  readonly message: string;
  /** Why the rule is there and what to do about a hit. */
  readonly explanation: string;
}

/** The head of a request as rules see it: taken apart once, for all of them. */
export interface HeadView {
  readonly head: RequestHead;
  /** Arguments of the query, in order. */
  readonly queryArguments: readonly BodyArgument[];
  /** The query is printable ASCII without escapes and without two dots in a row: nothing can be hidden in its arguments. */
  readonly isPlainQuery: boolean;
  readonly limits: ProfileLimits;
}

/** Where and what a rule found. */
export interface Finding {
  /** `REQUEST_METHOD`, `ARGS:file` */
  readonly variable: string;
  /** What matched and nothing beside it: the rest may be somebody's secret. */
  readonly data: string;
  /** How the request is refused where the rule blocks. */
  readonly refusal: Refusal;
}

/** Judges the head alone; returns the first finding. */
export interface HeadRule extends RuleCard {
  inspect(view: HeadView): Finding | undefined;
}

const MAX_DATA = 100;

/** A finding as it is answered and recorded: printable, and bounded. */
export function hitOf({ id, severity, message }: RuleCard, { variable, data }: Finding, phase: Phase): Hit {
  return {
    rule: id,
    phase,
    severity,
    paranoia: 1,
    message,
    tags: [],
    variable: printable(variable),
    data: printable(data),
    count: 1,
    late: false,
  };
}

function printable(text: string): string {
  const escaped = text
    .slice(0, MAX_DATA)
    .replace(/[^\x20-\x7e]/g, (character) => `\\x${(character.charCodeAt(0) & 0xff).toString(16).padStart(2, '0')}`);
  return escaped.slice(0, MAX_DATA);
}
