import { leadingInteger, numericOperator } from './numeric';

/** `@lt 5`: the number is less than five. */
export const lt = numericOperator('lt', leadingInteger, (value, bound) => value < bound);
