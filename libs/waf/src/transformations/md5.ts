import { createHash } from 'node:crypto';
import type { Transformation } from './transformation';

/** `t:md5`: the 16 bytes of the digest, to be followed by `t:hexEncode`. Compares known values, protects nothing. */
export const md5: Transformation = {
  name: 'md5',
  trigger: undefined,
  apply: (value) => createHash('md5').update(value, 'latin1').digest('binary'),
};
