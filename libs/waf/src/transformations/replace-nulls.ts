import { ByteSet } from '../bytes';
import type { Transformation } from './transformation';

/** `t:replaceNulls`: NUL bytes become blanks. */
export const replaceNulls: Transformation = {
  name: 'replaceNulls',
  trigger: ByteSet.of('\0'),
  apply: (value) => value.replaceAll('\0', ' '),
};
