import { base64Digit } from './base64-digits';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

const PAD = 0x3d;
/** The digit of which the value is the byte of the padding: ModSecurity takes one for the other at the end of a value. */
const DIGIT_LIKE_PAD = 0x39;

/**
 * `t:base64DecodeExt`: forgiving, as PHP reads Base64. What is no digit is passed over and an unfinished group counts; padding
 * behind the first digit of a group, which makes no byte, makes the whole empty.
 */
export const base64DecodeExt: Transformation = {
  name: 'base64DecodeExt',
  trigger: undefined,
  apply: (value) => {
    const output = new ByteOutput(value.length);
    let bits = 0;
    let count = 0;
    for (let at = 0; at < value.length; at++) {
      const byte = value.charCodeAt(at);
      if (byte === PAD && count % 4 === 1 && value.charCodeAt(at + 1) !== PAD) return '';
      const digit = base64Digit(byte);
      if (digit < 0) continue;
      bits = ((bits << 6) | digit) & 0xffffff;
      count++;
      if (count % 4 === 2) output.push(bits >> 4);
      else if (count % 4 === 3) output.push(bits >> 2);
      else if (count % 4 === 0) output.push(bits);
    }
    if (count % 4 === 1 && value.charCodeAt(value.length - 1) === DIGIT_LIKE_PAD) return '';
    return output.textUnlessSame(value);
  },
};
