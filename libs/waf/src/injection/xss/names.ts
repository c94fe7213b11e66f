import type { Bytes } from '../../bytes';
import { attributesByDanger, schemes, tags, tagPrefixes } from './names.data';

/**
 * What an attribute can do: `code`: its value is code, whatever it is; `address`: its value is an address, which is code
 * by its scheme; `name`: its value names an attribute.
 */
export type Danger = 'code' | 'address' | 'name';

const dangerousTags = new Set(tags);
const attributes = new Map(
  Object.entries(attributesByDanger).flatMap(([danger, names]) =>
    names.map((name): [string, Danger] => [name, danger as Danger]),
  ),
);

/** The longest name in the lists: longer text is not looked up. NUL bytes inside of it do not count. */
const longestName = 16;

/** A tag that runs code or loads what does; any of SVG and XSL. */
export function isDangerousTag(value: Bytes, start: number, length: number): boolean {
  if (length < 3) return false;
  if (tagPrefixes.includes(value.slice(start, start + 3).toUpperCase())) return true;
  const name = foldedName(value, start, length);
  return name !== undefined && dangerousTags.has(name);
}

export function dangerOf(value: Bytes, start: number, length: number): Danger | undefined {
  if (length < 2) return undefined;
  if (length >= 5) {
    const beginning = value.slice(start, start + 5).toUpperCase();
    // Every attribute of the form on… is an event; new ones come with every browser.
    if (beginning.startsWith('ON')) return 'code';
    if (beginning === 'XMLNS' || beginning === 'XLINK') return 'code';
  }
  const name = foldedName(value, start, length);
  return name === undefined ? undefined : attributes.get(name);
}

/** In upper case and without NUL bytes, which browsers skipped; undefined where no name is so long. */
function foldedName(value: Bytes, start: number, length: number): string | undefined {
  let name = '';
  for (let at = start; at < start + length; at++) {
    if (value.charCodeAt(at) === 0) continue;
    if (name.length === longestName) return undefined;
    name += value[at]!;
  }
  return name.toUpperCase();
}

/** Whether an address begins with a scheme that is code; browsers decode references, and skip control bytes, NUL and line feeds. */
export function isDangerousAddress(value: Bytes, start: number, length: number): boolean {
  const end = start + length;
  let at = start;
  while (at < end && !isPlain(value.charCodeAt(at))) at++;
  return schemes.some((scheme) => beginsWith(value, at, end, scheme));
}

function isPlain(byte: number): boolean {
  return byte > 0x20 && byte < 0x7f;
}

function beginsWith(value: Bytes, start: number, end: number, scheme: string): boolean {
  let matched = 0;
  let at = start;
  let isFirst = true;
  while (at < end) {
    const { code, next } = decodeReference(value, at, end);
    at = next;
    if (isFirst && code <= 0x20) continue;
    isFirst = false;
    if (code === 0 || code === 0x0a) continue;
    const folded = code >= 0x61 && code <= 0x7a ? code - 0x20 : code;
    if (folded !== scheme.charCodeAt(matched)) return false;
    if (++matched === scheme.length) return true;
  }
  return false;
}

interface Decoded {
  readonly code: number;
  readonly next: number;
}

const largestCharacter = 0x1000ff;

/** A byte, or the character of `&#106;` and `&#x6a;` (the semicolon may be absent); a reference that is none is an ampersand. */
function decodeReference(value: Bytes, at: number, end: number): Decoded {
  const ampersand = { code: value.charCodeAt(at), next: at + 1 };
  if (value[at] !== '&' || value[at + 1] !== '#' || at + 2 >= end) return ampersand;
  const isHexadecimal = value[at + 2] === 'x' || value[at + 2] === 'X';
  const base = isHexadecimal ? 16 : 10;
  const start = at + (isHexadecimal ? 3 : 2);
  let code = 0;
  let next = start;
  for (; next < end; next++) {
    const digit = digitOf(value.charCodeAt(next), base);
    if (digit === undefined) break;
    code = code * base + digit;
    if (code > largestCharacter) return ampersand;
  }
  if (next === start) return ampersand;
  return { code, next: next < end && value[next] === ';' ? next + 1 : next };
}

function digitOf(byte: number, base: number): number | undefined {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = (byte | 0x20) - 0x61;
  return base === 16 && letter >= 0 && letter < 6 ? letter + 10 : undefined;
}
