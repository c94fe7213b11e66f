import { ByteSet, type Bytes } from '../bytes';
import { highBytes } from './byte-classes';
import { ByteOutput } from './byte-output';
import type { Transformation } from './transformation';

/**
 * `t:utf8toUnicode`: characters beyond ASCII become `%uXXXX`, as `t:urlDecodeUni` reads it. NUL bytes go, and so do first
 * bytes of a sequence that does not follow; other bytes that are not UTF-8 stay.
 */
export const utf8toUnicode: Transformation = {
  name: 'utf8toUnicode',
  trigger: highBytes.union(ByteSet.of('\0')),
  apply: (value) => {
    // A sequence of two bytes that is longer than it need be is written in full and in part: seven bytes.
    const output = new ByteOutput(value.length * 4);
    let at = 0;
    while (at < value.length) {
      const byte = value.charCodeAt(at);
      if (byte < 0x80) {
        if (byte !== 0) output.push(byte);
        at++;
      } else at = encodeCharacter(value, at, output);
    }
    return output.textUnlessSame(value);
  },
};

/** RFC 3629 §3: no character begins with a higher byte. */
const LAST_FIRST = 0xf4;

/** @returns where the character ends */
function encodeCharacter(value: Bytes, at: number, output: ByteOutput): number {
  const first = value.charCodeAt(at);
  const length = sequenceLength(first);
  if (length === 0 || first > LAST_FIRST) output.push(first);
  if (length === 0 || !hasTail(value, at + 1, length - 1)) return at + 1;
  let code = first & (0x7f >> length);
  for (let tail = at + 1; tail < at + length; tail++) code = (code << 6) | (value.charCodeAt(tail) & 0x3f);
  writeCode(code, output);
  // ModSecurity writes the first byte again of what is no character: surrogates and overlong sequences.
  if (code >= 0xd800 && code <= 0xdfff) output.push(first);
  if (code < SHORTEST[length]!) output.push(first);
  return at + length;
}

/** The first code point that needs so many bytes. */
const SHORTEST = [0, 0, 0x80, 0x800, 0x10000];

function sequenceLength(first: number): number {
  if ((first & 0xe0) === 0xc0) return 2;
  if ((first & 0xf0) === 0xe0) return 3;
  return (first & 0xf8) === 0xf0 ? 4 : 0;
}

function hasTail(value: Bytes, from: number, count: number): boolean {
  if (from + count > value.length) return false;
  for (let at = from; at < from + count; at++) if ((value.charCodeAt(at) & 0xc0) !== 0x80) return false;
  return true;
}

function writeCode(code: number, output: ByteOutput): void {
  const text = `%u${code.toString(16).padStart(4, '0')}`;
  output.copy(text, 0, text.length);
}
