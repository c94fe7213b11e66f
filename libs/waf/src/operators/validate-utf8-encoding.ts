import { ByteSet, type Bytes } from '../bytes';
import type { OperatorKind } from './operator';
import { valueOperator } from './value-pattern';

/** `@validateUtf8Encoding`: matches a value that is not UTF-8 (RFC 3629): broken, overlong, surrogates, beyond U+13FFFF. */
export const validateUtf8Encoding: OperatorKind = {
  name: 'validateUtf8Encoding',
  compile: () => valueOperator([], (value) => !isUtf8(value), [ByteSet.range(0x80, 0xff)]),
};

/** The first code point that needs so many bytes. */
const SHORTEST = [0, 0, 0x80, 0x800, 0x10000];
const LAST_FIRST = 0xf4;

function isUtf8(value: Bytes): boolean {
  for (let at = 0; at < value.length;) {
    const first = value.charCodeAt(at);
    const length = first < 0x80 ? 1 : sequenceLength(first);
    if (length === 0 || at + length > value.length) return false;
    if (length > 1 && !isCharacter(value, at, length)) return false;
    at += length;
  }
  return true;
}

function sequenceLength(first: number): number {
  if (first >= 0xc0 && first < 0xe0) return 2;
  if (first >= 0xe0 && first < 0xf0) return 3;
  return first >= 0xf0 && first <= LAST_FIRST ? 4 : 0;
}

function isCharacter(value: Bytes, at: number, length: number): boolean {
  let code = value.charCodeAt(at) & (0x7f >> length);
  for (let tail = at + 1; tail < at + length; tail++) {
    const byte = value.charCodeAt(tail);
    if ((byte & 0xc0) !== 0x80) return false;
    code = (code << 6) | (byte & 0x3f);
  }
  return code >= SHORTEST[length]! && (code < 0xd800 || code > 0xdfff);
}
