import type { OperatorKind } from './operator';
import { valueOperator } from './value-pattern';

/** `@unconditionalMatch`: wherever there is a value. */
export const unconditionalMatch: OperatorKind = {
  name: 'unconditionalMatch',
  compile: () => valueOperator([], () => true),
};
