import type { Transformation } from './transformation';

/** `t:hexEncode`: each byte as two small hexadecimal digits. */
export const hexEncode: Transformation = {
  name: 'hexEncode',
  trigger: undefined,
  apply: (value) => Buffer.from(value, 'latin1').toString('hex'),
};
