import type { Bytes } from '../bytes';
import type { Captures, Pattern } from '../regex/pattern';

/** A text with macros (`%{tx.0}`), ready to be filled in. */
export interface MacroText {
  /** The text itself where it holds no macro. */
  readonly constant: Bytes | undefined;
}

/** What an operator is compiled from. */
export interface OperatorArgument {
  /** As it stands in the rule, without the operator's name. */
  readonly text: Bytes;
  readonly macros: MacroText;
  /** `^` and `$` also hold at the lines of a value. */
  readonly multiline: boolean;
  /** @throws RuleError when there is no such data file beside the rules */
  readFile(name: string): Bytes;
}

/** The transaction, as far as operators see it. */
export interface OperatorContext {
  /** Fills the macros in; one that is not set is the empty string. */
  expand(text: MacroText): Bytes;
}

/** An operator with its argument; whether it is negated is the rule's affair. */
export interface Operator {
  /** Set where the verdict depends on the value alone: the engine looks for all such patterns of a phase in one pass. */
  readonly pattern?: Pattern;
  test(value: Bytes, context: OperatorContext): boolean;
  /** What whoever loads the rules must know about this operator: that it never matches, for example. */
  readonly notice?: string;
  /** Groups of a value that matches, for `TX:0` to `TX:9`; absent where the operator captures nothing. */
  capture?(value: Bytes, context: OperatorContext): Captures | undefined;
}

/** How an operator is made, by its name. */
export interface OperatorKind {
  /** Without `@`, as the reference manual spells it; rules may spell it in any letter case. */
  readonly name: string;
  /** @throws OperatorError with what is wrong with the argument; whoever compiles the rule adds the place. */
  compile(argument: OperatorArgument): Operator;
}

/** An argument that makes no operator. */
export class OperatorError extends Error {}
