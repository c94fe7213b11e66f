import type { Transformation } from './transformation';

/** `t:base64Encode`: RFC 4648 §4, padded, in one line. */
export const base64Encode: Transformation = {
  name: 'base64Encode',
  trigger: undefined,
  apply: (value) => Buffer.from(value, 'latin1').toString('base64'),
};
