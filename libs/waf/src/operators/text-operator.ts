import type { Bytes } from '../bytes';
import type { OperatorKind } from './operator';
import { requiredText, valueOperator } from './value-pattern';

/**
 * An operator that compares a value with a text, which may hold macros.
 * @param holds whether `value` stands in the relation to `text`
 * @param contains whether a value of which that holds always contains the text
 */
export function textOperator(
  name: string,
  holds: (value: Bytes, text: Bytes) => boolean,
  contains: 'contains' | 'need not contain',
): OperatorKind {
  return {
    name,
    compile: ({ macros }) => {
      const { constant } = macros;
      if (constant === undefined) return { test: (value, context) => holds(value, context.expand(macros)) };
      const required = contains === 'contains' ? requiredText(constant) : [];
      return valueOperator(required, (value) => holds(value, constant));
    },
  };
}
