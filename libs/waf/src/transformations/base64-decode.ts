import { ByteSet, type Bytes } from '../bytes';
import { complement } from '../regex/byte-classes';
import { ByteOutput } from './byte-output';
import { base64Digit, base64Digits } from './base64-digits';
import type { Transformation } from './transformation';

const PAD = 0x3d;

/**
 * `t:base64Decode`: strict. Line ends between the groups are allowed, blanks only before them; what is not Base64 as a
 * whole gives the empty string, and an unfinished last group is dropped.
 */
export const base64Decode: Transformation = {
  name: 'base64Decode',
  trigger: undefined,
  perByte: 0.75,
  block: 4,
  // What stands behind a NUL is not looked at.
  emptiedBy: { bytes: complement(base64Digits.union(ByteSet.of('=\r\n \0'))), unless: ByteSet.of('\0') },
  apply: (value) => {
    const plain = decodeDigits(value);
    if (plain !== undefined) return plain;
    const text = untilNul(value);
    return isBase64(text) ? decodeGroups(text) : '';
  },
};

/** Most values that are Base64 at all are digits alone, and known to be so when they are decoded. @returns undefined for others */
function decodeDigits(value: Bytes): Bytes | undefined {
  const output = new ByteOutput(value.length);
  const whole = value.length & ~3;
  let at = 0;
  for (; at < whole; at += 4) {
    const one = base64Digit(value.charCodeAt(at));
    const two = base64Digit(value.charCodeAt(at + 1));
    const three = base64Digit(value.charCodeAt(at + 2));
    const four = base64Digit(value.charCodeAt(at + 3));
    if ((one | two | three | four) < 0) return undefined;
    const group = (one << 18) | (two << 12) | (three << 6) | four;
    output.push(group >> 16);
    output.push(group >> 8);
    output.push(group);
  }
  for (; at < value.length; at++) if (base64Digit(value.charCodeAt(at)) < 0) return undefined;
  return output.textUnlessSame(value);
}

/** ModSecurity reads the value as a C string. */
function untilNul(value: Bytes): Bytes {
  const end = value.indexOf('\0');
  return end < 0 ? value : value.slice(0, end);
}

function isBase64(value: Bytes): boolean {
  let pads = 0;
  for (let at = 0; at < value.length; at++) {
    const blanks = at;
    while (at < value.length && value.charCodeAt(at) === 0x20) at++;
    if (at === value.length) break;
    const byte = value.charCodeAt(at);
    if (byte === 0x0a || (byte === 0x0d && value.charCodeAt(at + 1) === 0x0a)) continue;
    if (at > blanks) return false;
    if (byte === PAD) {
      if (++pads > 2) return false;
    } else if (base64Digit(byte) < 0 || pads > 0) return false;
  }
  return true;
}

function decodeGroups(value: Bytes): Bytes {
  const output = new ByteOutput(value.length);
  let group = 0;
  let digits = 0;
  let bytes = 3;
  for (let at = 0; at < value.length; at++) {
    const byte = value.charCodeAt(at);
    if (byte === 0x0d || byte === 0x0a || byte === 0x20) continue;
    if (byte === PAD) bytes--;
    group = (group << 6) | (byte === PAD ? 0 : base64Digit(byte));
    if (++digits < 4) continue;
    if (bytes > 0) output.push(group >> 16);
    if (bytes > 1) output.push(group >> 8);
    if (bytes > 2) output.push(group);
    group = digits = 0;
  }
  return output.textUnlessSame(value);
}
