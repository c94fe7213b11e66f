import type { OperatorKind } from './operator';
import { requiredText, valueOperator } from './value-pattern';

/** `@strmatch text`: as `@contains`, but a macro in it is plain text. */
export const strmatch: OperatorKind = {
  name: 'strmatch',
  compile: ({ text }) => valueOperator(requiredText(text), (value) => value.includes(text)),
};
