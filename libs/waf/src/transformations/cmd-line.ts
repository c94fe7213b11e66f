import { ByteSet } from '../bytes';
import { lowerCase, upperCase } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

const DROPPED = '"\'\\^';
const BLANKS = ' ,;\t\r\n';
const dropped = ByteSet.of(DROPPED);
const blanks = ByteSet.of(BLANKS);
const SLASH = 0x2f;
const PARENTHESIS = 0x28;

/**
 * `t:cmdLine`: what shells read the same looks the same. Quotes, backslashes and carets go, separators become one blank,
 * none stands before `/` and `(`, and letters are small.
 */
export const cmdLine: Transformation = {
  name: 'cmdLine',
  trigger: ByteSet.of(DROPPED + BLANKS).union(upperCase),
  adds: lowerCase.union(ByteSet.of(' ')),
  perByte: 1,
  apply: (value) => {
    const output = new ByteOutput(value.length);
    let afterBlank = false;
    for (let at = 0; at < value.length; at++) {
      const byte = value.charCodeAt(at);
      if (dropped.has(byte)) continue;
      if (blanks.has(byte)) {
        if (!afterBlank) output.push(0x20);
        afterBlank = true;
        continue;
      }
      if (afterBlank && (byte === SLASH || byte === PARENTHESIS)) output.pop();
      afterBlank = false;
      output.push(upperCase.has(byte) ? byte + 0x20 : byte);
    }
    return output.textUnlessSame(value);
  },
};
