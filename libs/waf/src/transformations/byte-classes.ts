import { ByteSet, type Bytes } from '../bytes';

export const noBytes = new ByteSet();
/** What `isspace` of C holds for white space; the no-break space of Latin-1 is not one of them. */
export const WHITE_SPACE: Bytes = '\t\n\v\f\r ';
export const whiteSpace = ByteSet.of(WHITE_SPACE);
export const upperCase = ByteSet.range(0x41, 0x5a);
export const lowerCase = ByteSet.range(0x61, 0x7a);
export const highBytes = ByteSet.range(0x80, 0xff);

export const NO_BREAK_SPACE = 0xa0;

/** Whether no byte is above 0x7f. */
export function isAscii(value: Bytes): boolean {
  let seen = 0;
  for (let at = 0; at < value.length; at++) seen |= value.charCodeAt(at);
  return seen < 0x80;
}

export function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

export function isOctalDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x37;
}

export function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

export function isHexDigit(byte: number): boolean {
  return isDigit(byte) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}

export function isLetter(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);
}

export function isLetterOrDigit(byte: number): boolean {
  return isLetter(byte) || isDigit(byte);
}

/** Whether `count` hexadecimal digits stand at `at`; never when the value ends before. */
export function hasHexDigits(value: Bytes, at: number, count: number): boolean {
  if (at + count > value.length) return false;
  for (let digit = at; digit < at + count; digit++) if (!isHexDigit(value.charCodeAt(digit))) return false;
  return true;
}

/** What ModSecurity makes of one character as a hexadecimal digit, whether it is one or not. */
function nibble(byte: number): number {
  return byte >= 0x41 ? (byte & 0xdf) - 0x41 + 10 : byte - 0x30;
}

/** The byte that the two characters at `at` write; other characters than digits give what ModSecurity computes of them. */
export function hexByte(value: Bytes, at: number): number {
  return (nibble(value.charCodeAt(at)) * 16 + nibble(value.charCodeAt(at + 1))) & 0xff;
}

/**
 * The byte of a code point written in four hexadecimal digits: its low one, except that the full-width forms (U+FF01 to
 * U+FF5E) become the ASCII characters they look like, since that is what lenient origins make of them.
 * @param at where the four digits begin
 */
export function hexCodePointByte(value: Bytes, at: number): number {
  const low = hexByte(value, at + 2);
  const fullWidth = low > 0 && low < 0x5f && isLetterF(value.charCodeAt(at)) && isLetterF(value.charCodeAt(at + 1));
  return fullWidth ? low + 0x20 : low;
}

function isLetterF(byte: number): boolean {
  return byte === 0x46 || byte === 0x66;
}
