import { leadingInteger, numericOperator } from './numeric';

/** `@gt 5`: the number is more than five. */
export const gt = numericOperator('gt', leadingInteger, (value, bound) => value > bound);
