import { leadingInteger, numericOperator } from './numeric';

/** `@ge 5`: the number is at least five. */
export const ge = numericOperator('ge', leadingInteger, (value, bound) => value >= bound);
