import { textOperator } from './text-operator';

/** `@contains text` */
export const contains = textOperator('contains', (value, text) => value.includes(text), 'contains');
