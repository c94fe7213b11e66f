import type { Bytes } from '../bytes';

/** White space of C. `String.trim` would also take the byte 0xA0. */
export function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

/** @returns the first place from `from` on that holds no white space, or the end */
export function skipSpace(text: Bytes, from: number): number {
  let at = from;
  while (at < text.length && isSpace(text.charCodeAt(at))) at += 1;
  return at;
}

export function trimEnd(text: Bytes): Bytes {
  let to = text.length;
  while (to > 0 && isSpace(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(0, to);
}

/** Of ASCII letters only; `String.toLowerCase` would also change bytes from 0xC0 on. */
export function asciiLowerCase(text: Bytes): Bytes {
  let folded = '';
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text.charCodeAt(at);
    if (byte < 0x41 || byte > 0x5a) continue;
    folded += text.slice(from, at) + String.fromCharCode(byte | 0x20);
    from = at + 1;
  }
  return from === 0 ? text : folded + text.slice(from);
}

/**
 * @param code a byte, or NaN beyond the end of a text
 * @returns -1 when it is no hex digit
 */
export function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const folded = code | 0x20;
  return folded >= 0x61 && folded <= 0x66 ? folded - 0x57 : -1;
}

/** The bytes of a character in UTF-8; a lone surrogate, which has none, as if it had. */
export function utf8Bytes(codePoint: number): Bytes {
  if (codePoint < 0x80) return String.fromCharCode(codePoint);
  const last = 0x80 | (codePoint & 0x3f);
  if (codePoint < 0x800) return String.fromCharCode(0xc0 | (codePoint >> 6), last);
  const third = 0x80 | ((codePoint >> 6) & 0x3f);
  if (codePoint < 0x10000) return String.fromCharCode(0xe0 | (codePoint >> 12), third, last);
  return String.fromCharCode(0xf0 | (codePoint >> 18), 0x80 | ((codePoint >> 12) & 0x3f), third, last);
}
