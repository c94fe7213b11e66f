import { ByteSet, type Bytes } from '../bytes';
import { lowerCase, upperCase } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

const DROPPED = '"\'\\^';
const BLANKS = ' ,;\t\r\n';
const dropped = ByteSet.of(DROPPED);
const blanks = ByteSet.of(BLANKS);
const changed = ByteSet.of(DROPPED + BLANKS).union(upperCase);
const BLANK = 0x20;
const SLASH = 0x2f;
const PARENTHESIS = 0x28;

/**
 * `t:cmdLine`: what shells read the same looks the same. Quotes, backslashes and carets go, separators become one blank,
 * none stands before `/` and `(`, and letters are small.
 */
export const cmdLine: Transformation = {
  name: 'cmdLine',
  trigger: changed,
  adds: lowerCase.union(ByteSet.of(' ')),
  perByte: 1,
  apply: (value) => {
    if (isSettled(value)) return value;
    const output = new ByteOutput(value.length);
    let afterBlank = false;
    for (let at = 0; at < value.length; at++) {
      const byte = value.charCodeAt(at);
      if (dropped.has(byte)) continue;
      if (blanks.has(byte)) {
        if (!afterBlank) output.push(BLANK);
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

/** Whether nothing is to be done, which is so of nearly every value: of what is looked for most values have single blanks. */
function isSettled(value: Bytes): boolean {
  for (let at = 0; at < value.length; at++) {
    const byte = value.charCodeAt(at);
    if (byte === BLANK) {
      const next = value.charCodeAt(at + 1);
      if (next === BLANK || next === SLASH || next === PARENTHESIS) return false;
    } else if (changed.has(byte)) return false;
  }
  return true;
}
