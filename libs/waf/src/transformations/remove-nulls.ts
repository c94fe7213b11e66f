import { ByteSet } from '../bytes';
import type { Transformation } from './transformation';

/** `t:removeNulls`: drops NUL bytes. */
export const removeNulls: Transformation = {
  name: 'removeNulls',
  trigger: ByteSet.of('\0'),
  apply: (value) => value.replaceAll('\0', ''),
};
