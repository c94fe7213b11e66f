import { textOperator } from './text-operator';

/** `@endsWith .%{request_headers.host}` */
export const endsWith = textOperator('endsWith', (value, text) => value.endsWith(text), 'contains');
