import { ByteSet, type Bytes } from '../bytes';
import { isDigit, isHexDigit, isLetterOrDigit, NO_BREAK_SPACE } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

const AMPERSAND = 0x26;
const HASH = 0x23;
const SEMICOLON = 0x3b;

const named: ReadonlyMap<Bytes, number> = new Map([
  ['quot', 0x22],
  ['amp', AMPERSAND],
  ['lt', 0x3c],
  ['gt', 0x3e],
  ['nbsp', NO_BREAK_SPACE],
]);
const LONGEST_NAME = 4;

/** C's `strtol` stops here, and the low byte of that is 0xff. */
const LARGEST = 2n ** 63n - 1n;

/**
 * `t:htmlEntityDecode`: `&#60;`, `&#x3c;` and the five names of ModSecurity, in any letter case, with or without the
 * semicolon. Of a code point the low byte stays.
 */
export const htmlEntityDecode: Transformation = {
  name: 'htmlEntityDecode',
  trigger: ByteSet.of('&'),
  adds: ByteSet.of('"&<>\xa0'),
  escapes: ByteSet.of('#'),
  perByte: 1,
  apply: (value) => {
    const output = new ByteOutput(value.length);
    let at = 0;
    while (at < value.length) {
      const byte = value.charCodeAt(at);
      if (byte === AMPERSAND) at = decodeEntity(value, at, output);
      else {
        output.push(byte);
        at++;
      }
    }
    return output.textUnlessSame(value);
  },
};

/**
 * @param start where the ampersand stands
 * @returns behind what was read: the entity, or what cannot be the beginning of another one
 */
function decodeEntity(value: Bytes, start: number, output: ByteOutput): number {
  if (value.charCodeAt(start + 1) === HASH) return decodeNumber(value, start, output);
  const end = skip(value, start + 1, isLetterOrDigit);
  const byte = end - start - 1 <= LONGEST_NAME ? named.get(value.slice(start + 1, end).toLowerCase()) : undefined;
  if (byte === undefined) {
    output.copy(value, start, end);
    return end;
  }
  output.push(byte);
  return pastSemicolon(value, end);
}

function decodeNumber(value: Bytes, start: number, output: ByteOutput): number {
  const hexadecimal = (value.charCodeAt(start + 2) | 0x20) === 0x78;
  const digits = start + (hexadecimal ? 3 : 2);
  const end = skip(value, digits, hexadecimal ? isHexDigit : isDigit);
  if (end === digits) {
    output.copy(value, start, digits);
    return digits;
  }
  output.push(hexadecimal ? hexadecimalByte(value, digits, end) : decimalByte(value, digits, end));
  return pastSemicolon(value, end);
}

/** @returns the first place from `at` on whose byte is not of the class */
function skip(value: Bytes, at: number, isMember: (byte: number) => boolean): number {
  while (at < value.length && isMember(value.charCodeAt(at))) at++;
  return at;
}

function pastSemicolon(value: Bytes, at: number): number {
  return value.charCodeAt(at) === SEMICOLON ? at + 1 : at;
}

function hexadecimalByte(value: Bytes, from: number, to: number): number {
  return numberByte(value, from, to, '0x', 16);
}

function decimalByte(value: Bytes, from: number, to: number): number {
  return numberByte(value, from, to, '', 19);
}

/** @param longest digits a number may have that `strtol` can hold */
function numberByte(value: Bytes, from: number, to: number, prefix: string, longest: number): number {
  while (from < to - 1 && value.charCodeAt(from) === 0x30) from++;
  if (to - from > longest) return 0xff;
  const number = BigInt(prefix + value.slice(from, to));
  return number > LARGEST ? 0xff : Number(number & 0xffn);
}
