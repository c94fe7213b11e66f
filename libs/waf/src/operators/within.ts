import { textOperator } from './text-operator';

/** `@within GET,POST`: the value stands somewhere in the text; the empty value stands in every one. */
export const within = textOperator('within', (value, text) => text.includes(value), 'need not contain');
