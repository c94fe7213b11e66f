import { leadingInteger, numericOperator } from './numeric';

/** `@le 5`: the number is at most five. */
export const le = numericOperator('le', leadingInteger, (value, bound) => value <= bound);
