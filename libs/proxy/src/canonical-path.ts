/** A path in its one spelling, or why it has none. */
export type CanonicalPath = { readonly path: string; readonly oddities: number } | { readonly fault: string };

/** What a path may hold that only some routes take; members of a set of bits. */
export const Oddity = {
  /** Slashes in a row, read as one. */
  mergedSlashes: 1,
  /** `%2F` inside a segment. */
  encodedSlash: 2,
  /** `;`: origins that know parameters of segments cut them off before they look for a handler. */
  parameters: 4,
  /** `%3B`, which some of those origins take for the same. */
  encodedSemicolon: 8,
} as const;

/** Oddities that nobody takes who has not said so. */
export const REFUSED_ODDITIES = Oddity.mergedSlashes | Oddity.encodedSlash;

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

const EMPTY_SEGMENT = 'the path holds an empty segment';
const ESCAPED_SLASH = 'the path escapes a slash or backslash';

/** Bytes that are dangerous as data because some origin takes them for structure after decoding. */
function escapedByteFault(byte: number): string | undefined {
  if (byte < 0x20 || byte === 0x7f) return 'the path escapes a control character';
  return byte === 0x5c ? ESCAPED_SLASH : undefined;
}

function rawByteFault(code: number): string | undefined {
  if (code <= 0x20 || code >= 0x7f) return 'the path holds a character that must be escaped';
  if (code === 0x5c) return 'the path holds a backslash';
  if (code === 0x23) return 'the target holds a fragment';
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

/** Looked for when all else is unescaped: the digits behind an escaped percent sign may have been escapes themselves. */
const ESCAPED_TWICE = /%25[0-9A-Fa-f]{2}/;

/** The common path: nothing to rewrite and nothing to refuse, decided by one linear pattern. */
const PLAIN = /^(?:\/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*)+\/?$/;

function oddityOf(byte: number, escaped: boolean): number {
  if (byte === 0x3b) return escaped ? Oddity.encodedSemicolon : Oddity.parameters;
  return escaped && byte === 0x2f ? Oddity.encodedSlash : 0;
}

/** Unescapes what means the same without an escape, escapes what may not stand bare, and merges slashes. */
function rewrite(raw: string): CanonicalPath {
  let path = '';
  let oddities = 0;
  for (let at = 0; at < raw.length; at++) {
    const code = raw.charCodeAt(at);
    const escaped = code === 0x25;
    const byte = escaped ? escapedByte(raw, at) : code;
    if (byte < 0) return { fault: 'the path holds a broken escape' };
    const fault = escaped ? escapedByteFault(byte) : rawByteFault(code);
    if (fault) return { fault };
    if (code === 0x2f && at > 0 && raw.charCodeAt(at - 1) === 0x2f) {
      oddities |= Oddity.mergedSlashes;
      continue;
    }
    oddities |= oddityOf(byte, escaped);
    path += (escaped ? isUnreserved(byte) : isPathCharacter(byte)) ? String.fromCharCode(byte) : escape(byte);
    if (escaped) at += 2;
  }
  return { path, oddities };
}

/**
 * Gives a path its one spelling: unreserved characters unescaped, other escapes in upper case, characters that may not
 * stand bare escaped. What an origin could read in a second way is refused, never repaired: dot segments in any
 * spelling, double escapes, broken UTF-8, and, unless tolerated, empty segments and escaped slashes
 * (RFC 3986 §6.2.2, RFC 3629 §3).
 * @param raw the path of the request target without the query; must begin with a slash.
 * @param tolerated oddities that whoever asks will judge; those that were met are in the answer.
 */
export function canonicalPath(raw: string, tolerated = 0): CanonicalPath {
  if (raw === '/' || PLAIN.test(raw)) return { path: raw, oddities: 0 };
  if (!raw.startsWith('/')) return { fault: 'the path does not begin with a slash' };
  const rewritten = rewrite(raw);
  if ('fault' in rewritten) return rewritten;
  const { path, oddities } = rewritten;
  const refused = oddities & REFUSED_ODDITIES & ~tolerated;
  if (refused !== 0) return { fault: refused & Oddity.mergedSlashes ? EMPTY_SEGMENT : ESCAPED_SLASH };
  if (ESCAPED_TWICE.test(path)) return { fault: 'the path is escaped twice' };
  if (!isUtf8(path)) return { fault: 'the path is not UTF-8' };
  const structure = oddities & Oddity.encodedSlash ? slashesDecoded(path) : path;
  // Of a segment that is nothing but parameters, nothing is left at an origin that cuts them off.
  if (withoutParameters(structure).includes('//')) return { fault: EMPTY_SEGMENT };
  if (structure.split('/').some(isDotSegment)) return { fault: 'the path holds a dot segment' };
  return rewritten;
}

/** The path as an origin sees it that decodes before it looks for a handler. */
export function slashesDecoded(path: string): string {
  return path.replaceAll('%2F', '/');
}

/** The path as an origin sees it that knows parameters of segments. */
export function withoutParameters(path: string): string {
  return path.replace(/(?:;|%3B)[^/]*/g, '');
}
