import type { Bytes } from '../bytes';
import { compileRegex } from '../regex/compile-regex';
import type { Pattern } from '../regex/pattern';
import { OperatorError, type Operator, type OperatorArgument, type OperatorKind } from './operator';
import { capturingOperator } from './value-pattern';

/** `@rx pattern`: a regular expression of PCRE's language as far as it is regular; see regex/. */
export const rx: OperatorKind = {
  name: 'rx',
  compile: (argument) => {
    const { constant } = argument.macros;
    if (constant === undefined) return withMacros(argument);
    try {
      return capturingOperator(compileRegex(constant, { multiline: argument.multiline }));
    } catch (error) {
      throw new OperatorError(`the pattern of @rx cannot be read: ${reason(error)}`);
    }
  },
};

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The pattern depends on the transaction: compiled when it differs from the last one, and none matches when it is broken. */
function withMacros({ macros, multiline }: OperatorArgument): Operator {
  let text: Bytes | undefined;
  let pattern: Pattern | undefined;
  const patternOf = (expanded: Bytes): Pattern | undefined => {
    if (expanded === text) return pattern;
    text = expanded;
    try {
      pattern = compileRegex(expanded, { multiline });
    } catch {
      pattern = undefined;
    }
    return pattern;
  };
  return {
    test: (value, context) => patternOf(context.expand(macros))?.test(value) ?? false,
    capture: (value, context) => patternOf(context.expand(macros))?.exec(value),
  };
}
