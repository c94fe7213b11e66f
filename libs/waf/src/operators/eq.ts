import { leadingInt, numericOperator } from './numeric';

/** `@eq 5`: the number is five. */
export const eq = numericOperator('eq', leadingInt, (value, bound) => value === bound);
