import { hasHexDigits, hexByte } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

/** `t:hexDecode`: two digits become one byte. What is not written in hexadecimal as a whole gives the empty string. */
export const hexDecode: Transformation = {
  name: 'hexDecode',
  trigger: undefined,
  apply: (value) => {
    if (value.length % 2 === 1 || !hasHexDigits(value, 0, value.length)) return '';
    const output = new ByteOutput(value.length);
    for (let at = 0; at + 1 < value.length; at += 2) output.push(hexByte(value, at));
    return output.textUnlessSame(value);
  },
};
