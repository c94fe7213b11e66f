import { ByteSet } from '../bytes';
import { noBytes } from './byte-classes';
import type { Transformation } from './transformation';

/** `t:removeNulls`: drops NUL bytes. */
export const removeNulls: Transformation = {
  name: 'removeNulls',
  trigger: ByteSet.of('\0'),
  adds: noBytes,
  perByte: 1,
  apply: (value) => value.replaceAll('\0', ''),
};
