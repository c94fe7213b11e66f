import { textOperator } from './text-operator';

/** `@beginsWith text` */
export const beginsWith = textOperator('beginsWith', (value, text) => value.startsWith(text), 'contains');
