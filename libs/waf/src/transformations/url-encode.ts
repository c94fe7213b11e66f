import { ByteSet } from '../bytes';
import { isLetterOrDigit } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

const DIGITS = '0123456789abcdef';
const ASTERISK = 0x2a;

function isPlain(byte: number): boolean {
  return isLetterOrDigit(byte) || byte === ASTERISK;
}

const trigger = new ByteSet();
for (let byte = 0; byte < 256; byte++) if (!isPlain(byte)) trigger.add(byte);

/** `t:urlEncode`: everything but letters, digits and `*` becomes `%` and two small digits, a blank becomes `+`. */
export const urlEncode: Transformation = {
  name: 'urlEncode',
  trigger,
  apply: (value) => {
    const output = new ByteOutput(value.length * 3);
    for (let at = 0; at < value.length; at++) {
      const byte = value.charCodeAt(at);
      if (isPlain(byte)) output.push(byte);
      else if (byte === 0x20) output.push(0x2b);
      else {
        output.push(0x25);
        output.push(DIGITS.charCodeAt(byte >> 4));
        output.push(DIGITS.charCodeAt(byte & 15));
      }
    }
    return output.textUnlessSame(value);
  },
};
