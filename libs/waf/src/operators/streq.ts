import { textOperator } from './text-operator';

/** `@streq text`: equal, byte by byte. */
export const streq = textOperator('streq', (value, text) => value === text, 'contains');
