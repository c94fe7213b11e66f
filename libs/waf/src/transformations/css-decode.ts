import { ByteSet, type Bytes } from '../bytes';
import { isHexDigit, isSpace } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

const BACKSLASH = 0x5c;
const MAX_DIGITS = 6;

/**
 * `t:cssDecode`: escapes of CSS 2 (§4.1.3): `\` with one to six hexadecimal digits and one white space after them, or
 * with the character itself. Code points up to U+00FF become one byte, full-width forms the ASCII character they look
 * like, all others their UTF-8. A NUL ends nothing here, as it would in ModSecurity: what stands behind it reaches origins.
 */
export const cssDecode: Transformation = {
  name: 'cssDecode',
  trigger: ByteSet.of('\\'),
  perByte: 1,
  apply: (value) => {
    // The shortest escape of two bytes of UTF-8 has four, that of three bytes five.
    const output = new ByteOutput(value.length);
    let at = 0;
    while (at < value.length) {
      const byte = value.charCodeAt(at++);
      if (byte !== BACKSLASH) output.push(byte);
      else if (at < value.length) at = decodeEscape(value, at, output);
    }
    return output.textUnlessSame(value);
  },
};

/**
 * @param at behind the backslash, before the end
 * @returns where the escape ends
 */
function decodeEscape(value: Bytes, at: number, output: ByteOutput): number {
  let digits = 0;
  while (digits < MAX_DIGITS && at + digits < value.length && isHexDigit(value.charCodeAt(at + digits))) digits++;
  if (digits === 0) {
    const byte = value.charCodeAt(at);
    if (byte !== 0x0a) output.push(byte);
    return at + 1;
  }
  writeCodePoint(parseInt(value.slice(at, at + digits), 16), output);
  const end = at + digits;
  return end < value.length && isSpace(value.charCodeAt(end)) ? end + 1 : end;
}

/** Stands for what is no code point. */
const REPLACEMENT = '\ufffd';
const LARGEST_CODE_POINT = 0x10ffff;

function writeCodePoint(code: number, output: ByteOutput): void {
  if (code <= 0xff) output.push(code);
  else if (code > 0xff00 && code < 0xff5f) output.push(code - 0xff00 + 0x20);
  else {
    const character = code > LARGEST_CODE_POINT ? REPLACEMENT : String.fromCodePoint(code);
    for (const byte of Buffer.from(character)) output.push(byte);
  }
}
