import { ByteSet, type Bytes } from '../bytes';
import { hasHexDigits, hexByte, isOctalDigit } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

const BACKSLASH = 0x5c;
const LETTER_X = 0x78;

/** Single-letter escapes of ANSI C; the character itself for every other. */
export const letterEscapes: ReadonlyMap<number, number> = new Map(
  [...'a\x07b\bf\fn\nr\rt\tv\v'].flatMap((letter, at, all) =>
    at % 2 === 0 ? [[letter.charCodeAt(0), all[at + 1]!.charCodeAt(0)] as const] : [],
  ),
);

/** How many octal digits stand at `at`, at most three. */
export function countOctalDigits(value: Bytes, at: number): number {
  let digits = 0;
  while (digits < 3 && at + digits < value.length && isOctalDigit(value.charCodeAt(at + digits))) digits++;
  return digits;
}

export function octalNumber(value: Bytes, at: number, digits: number): number {
  let number = 0;
  for (let digit = at; digit < at + digits; digit++) number = number * 8 + value.charCodeAt(digit) - 0x30;
  return number;
}

/**
 * `t:escapeSeqDecode`: escapes of ANSI C (`\n`, `\x41`, `\101`, `\\`). Of an unknown one the character stays, and of
 * `\x` without two digits all of it.
 */
export const escapeSeqDecode: Transformation = {
  name: 'escapeSeqDecode',
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
  if ((byte | 0x20) === LETTER_X) {
    if (hasHexDigits(value, at + 1, 2)) {
      output.push(hexByte(value, at + 1));
      return at + 3;
    }
    output.push(BACKSLASH);
  }
  const octal = countOctalDigits(value, at);
  if (octal > 0) {
    output.push(octalNumber(value, at, octal));
    return at + octal;
  }
  output.push(letterEscapes.get(byte) ?? byte);
  return at + 1;
}
