import type { Transformation } from './transformation';

/** `t:length`: the number of bytes, in decimal digits. */
export const length: Transformation = {
  name: 'length',
  trigger: undefined,
  apply: (value) => String(value.length),
};
