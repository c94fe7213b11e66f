import { createHash } from 'node:crypto';
import type { Transformation } from './transformation';

/** `t:sha1`: the 20 bytes of the digest, to be followed by `t:hexEncode`. Makes names of values, protects nothing. */
export const sha1: Transformation = {
  name: 'sha1',
  trigger: undefined,
  apply: (value) => createHash('sha1').update(value, 'latin1').digest('binary'),
};
