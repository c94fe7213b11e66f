import { isAscii, lowerCase } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

/** `t:uppercase`: ASCII only, as `t:lowercase`. */
export const uppercase: Transformation = {
  name: 'uppercase',
  trigger: lowerCase,
  apply: (value) => {
    if (isAscii(value)) return value.toUpperCase();
    const output = new ByteOutput(value.length);
    for (let at = 0; at < value.length; at++) {
      const byte = value.charCodeAt(at);
      output.push(byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte);
    }
    return output.textUnlessSame(value);
  },
};
