import { ByteSet, type Bytes } from '../bytes';
import { bestFitAscii } from './best-fit';
import { hasHexDigits, hexByte } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

const PERCENT = 0x25;
const PLUS = 0x2b;
const LETTER_U = 0x75;

/**
 * `t:urlDecodeUni`: as `t:urlDecode`, and `%u0041` of IIS. Such a code point becomes the ASCII character that fits
 * best, and where there is none its low byte.
 */
export const urlDecodeUni: Transformation = {
  name: 'urlDecodeUni',
  trigger: ByteSet.of('%+'),
  adds: ByteSet.of(' '),
  escapes: ByteSet.of('%'),
  perByte: 1,
  apply: (value) => {
    const output = new ByteOutput(value.length);
    let at = 0;
    while (at < value.length) {
      const byte = value.charCodeAt(at);
      if (byte === PERCENT) at = decodeEscape(value, at, output);
      else {
        output.push(byte === PLUS ? 0x20 : byte);
        at++;
      }
    }
    return output.textUnlessSame(value);
  },
};

/**
 * @param at where the percent sign stands
 * @returns where the escape ends
 */
function decodeEscape(value: Bytes, at: number, output: ByteOutput): number {
  if ((value.charCodeAt(at + 1) | 0x20) === LETTER_U) {
    if (hasHexDigits(value, at + 2, 4)) {
      output.push(bestFitAscii(parseInt(value.slice(at + 2, at + 6), 16)) ?? hexByte(value, at + 4));
      return at + 6;
    }
    output.copy(value, at, at + 2);
    return at + 2;
  }
  if (hasHexDigits(value, at + 1, 2)) {
    output.push(hexByte(value, at + 1));
    return at + 3;
  }
  output.push(PERCENT);
  return at + 1;
}
