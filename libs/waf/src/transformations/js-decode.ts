import { ByteSet, type Bytes } from '../bytes';
import { hasHexDigits, hexByte, hexCodePointByte } from './byte-classes';
import { ByteOutput } from './byte-output';
import { countOctalDigits, letterEscapes, octalNumber } from './escape-seq-decode';
import type { Transformation } from './transformation';

const BACKSLASH = 0x5c;
const LETTER_U = 0x75;
const LETTER_X = 0x78;

/**
 * `t:jsDecode`: escapes of JavaScript strings (`\u0041`, `\x41`, `\101`, `\n`). Of a code point the low byte stays;
 * full-width forms become ASCII. Of an unknown escape the character stays.
 */
export const jsDecode: Transformation = {
  name: 'jsDecode',
  trigger: ByteSet.of('\\'),
  perByte: 1,
  apply: (value) => {
    const output = new ByteOutput(value.length);
    let at = 0;
    while (at < value.length) {
      const byte = value.charCodeAt(at++);
      // A backslash with nothing behind it stays.
      if (byte !== BACKSLASH || at === value.length) output.push(byte);
      else at = decodeEscape(value, at, output);
    }
    return output.textUnlessSame(value);
  },
};

/**
 * @param at behind the backslash, before the end
 * @returns where the escape ends
 */
function decodeEscape(value: Bytes, at: number, output: ByteOutput): number {
  const byte = value.charCodeAt(at);
  if (byte === LETTER_U && hasHexDigits(value, at + 1, 4)) {
    output.push(hexCodePointByte(value, at + 1));
    return at + 5;
  }
  if (byte === LETTER_X && hasHexDigits(value, at + 1, 2)) {
    output.push(hexByte(value, at + 1));
    return at + 3;
  }
  const octal = countOneByteOctal(value, at);
  if (octal > 0) {
    output.push(octalNumber(value, at, octal));
    return at + octal;
  }
  output.push(letterEscapes.get(byte) ?? byte);
  return at + 1;
}

/** Three digits only where they stay below 256. */
function countOneByteOctal(value: Bytes, at: number): number {
  const digits = countOctalDigits(value, at);
  return digits === 3 && value.charCodeAt(at) > 0x33 ? 2 : digits;
}
