import { TextPattern } from '../regex/text-pattern';
import type { OperatorKind } from './operator';

/** `@contains text`; it captures nothing. */
export const contains: OperatorKind = {
  name: 'contains',
  compile: ({ macros }) => {
    const { constant } = macros;
    if (constant === undefined) return { test: (value, context) => value.includes(context.expand(macros)) };
    const pattern = new TextPattern(constant);
    return { pattern, test: (value) => pattern.test(value) };
  },
};
