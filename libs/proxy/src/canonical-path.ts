/** A path in its one spelling, or why it has none. */
export type CanonicalPath = { readonly path: string } | { readonly fault: string };

const UPPER_HEX = '0123456789ABCDEF';

/** RFC 3986 §2.3: the characters that mean the same with and without an escape. */
function isUnreserved(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x41 && byte <= 0x5a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x2d ||
    byte === 0x2e ||
    byte === 0x5f ||
    byte === 0x7e
  );
}

/** RFC 3986 §3.3: what may stand in a segment unescaped, and the slash between segments. */
function isPathCharacter(byte: number): boolean {
  return isUnreserved(byte) || "!$&'()*+,;=:@/".includes(String.fromCharCode(byte));
}

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** @returns the byte that the two digits after `at` spell, or -1. */
function escapedByte(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at + 1));
  const low = hexDigit(text.charCodeAt(at + 2));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function escape(byte: number): string {
  return `%${UPPER_HEX[byte >> 4]}${UPPER_HEX[byte & 15]}`;
}

/** Bytes that are dangerous as data because some origin takes them for structure after decoding. */
function escapedByteFault(byte: number, text: string, at: number): string | undefined {
  if (byte < 0x20 || byte === 0x7f) return 'the path escapes a control character';
  if (byte === 0x2f || byte === 0x5c) return 'the path escapes a slash or backslash';
  if (byte === 0x25 && escapedByte(text, at + 2) >= 0) return 'the path is escaped twice';
  return undefined;
}

/** Judges and rewrites one raw byte of the path. */
function rawByteFault(code: number, previous: string): string | undefined {
  if (code <= 0x20 || code >= 0x7f) return 'the path holds a character that must be escaped';
  if (code === 0x5c) return 'the path holds a backslash';
  if (code === 0x23) return 'the target holds a fragment';
  if (code === 0x2f && previous === '/') return 'the path holds an empty segment';
  return undefined;
}

/** RFC 3629 §3: no overlong form, no surrogate, nothing half; the language refuses all three. */
function isUtf8(path: string): boolean {
  try {
    return decodeURIComponent(path) !== '';
  } catch {
    return false;
  }
}

/**
 * `.`, `..`, and both with parameters behind a semicolon, escaped or not: servlet containers cut those off before they
 * resolve dots.
 */
function isDotSegment(segment: string): boolean {
  if (!segment.startsWith('.')) return false;
  const rest = segment.startsWith('..') ? segment.slice(2) : segment.slice(1);
  return rest === '' || rest.startsWith(';') || rest.startsWith('%3B');
}

/** The common path: nothing to rewrite and nothing to refuse, decided by one linear pattern. */
const PLAIN = /^(?:\/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*)+\/?$/;

/**
 * Gives a path its one spelling: unreserved characters unescaped, other escapes in upper case, characters that may not
 * stand bare escaped. What an origin could read in a second way is refused, never repaired: an escaped slash, dot
 * segments in any spelling, empty segments, double escapes, broken UTF-8 (RFC 3986 §6.2.2, RFC 3629 §3).
 * @param raw the path of the request target without the query; must begin with a slash.
 */
export function canonicalPath(raw: string): CanonicalPath {
  if (raw === '/' || PLAIN.test(raw)) return { path: raw };
  if (!raw.startsWith('/')) return { fault: 'the path does not begin with a slash' };
  let path = '';
  for (let at = 0; at < raw.length; at++) {
    const code = raw.charCodeAt(at);
    const escaped = code === 0x25;
    const byte = escaped ? escapedByte(raw, at) : code;
    if (byte < 0) return { fault: 'the path holds a broken escape' };
    const fault = escaped ? escapedByteFault(byte, raw, at) : rawByteFault(code, raw[at - 1] ?? '');
    if (fault) return { fault };
    path += (escaped ? isUnreserved(byte) : isPathCharacter(byte)) ? String.fromCharCode(byte) : escape(byte);
    if (escaped) at += 2;
  }
  if (!isUtf8(path)) return { fault: 'the path is not UTF-8' };
  if (path.split('/').some(isDotSegment)) return { fault: 'the path holds a dot segment' };
  return { path };
}
