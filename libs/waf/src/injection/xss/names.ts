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
  const name = value.slice(start, start + length);
  const bare = name.includes('\0') ? name.replaceAll('\0', '') : name;
  return bare.length > longestName ? undefined : bare.toUpperCase();
}

/** Whether an address begins with a scheme that is code; browsers decode references, and skip control bytes, NUL and line feeds. */
export function isDangerousAddress(value: Bytes, start: number, length: number): boolean {
  references.begin(value, start, start + length);
  const beginning = beginningOf(references);
  return schemes.some((scheme) => beginning.startsWith(scheme));
}

const longestScheme = Math.max(...schemes.map((scheme) => scheme.length));

/** As much of an address, in upper case, as its scheme may take. */
function beginningOf(characters: References): string {
  let beginning = '';
  while (beginning.length < longestScheme && characters.next()) {
    const { code } = characters;
    if (beginning === '' && code <= 0x20) continue;
    if (code === 0 || code === 0x0a) continue;
    beginning += String.fromCharCode(code >= 0x61 && code <= 0x7a ? code - 0x20 : code > 0xff ? 0xff : code);
  }
  return beginning;
}

const largestCharacter = 0x1000ff;

/** Reads bytes, and the characters of `&#106;` and `&#x6a;` (the semicolon may be absent); what is no reference is an ampersand. */
class References {
  code = 0;
  private value: Bytes = '';
  private at = 0;
  private end = 0;

  /** Bytes that are no text come first and do not count. */
  begin(value: Bytes, start: number, end: number): void {
    this.value = value;
    this.end = end;
    this.at = start;
    while (this.at < end && !isPlain(value.charCodeAt(this.at))) this.at++;
  }

  next(): boolean {
    if (this.at >= this.end) return false;
    if (!this.readReference()) this.code = this.value.charCodeAt(this.at++);
    return true;
  }

  private readReference(): boolean {
    const { value, at, end } = this;
    if (value[at] !== '&' || value[at + 1] !== '#' || at + 2 >= end) return false;
    const isHexadecimal = value[at + 2] === 'x' || value[at + 2] === 'X';
    const base = isHexadecimal ? 16 : 10;
    const start = at + (isHexadecimal ? 3 : 2);
    let code = 0;
    let next = start;
    for (; next < end; next++) {
      const digit = digitOf(value.charCodeAt(next), base);
      if (digit === undefined) break;
      code = code * base + digit;
      if (code > largestCharacter) return false;
    }
    if (next === start) return false;
    this.code = code;
    this.at = next < end && value[next] === ';' ? next + 1 : next;
    return true;
  }
}

const references = new References();

function isPlain(byte: number): boolean {
  return byte > 0x20 && byte < 0x7f;
}

function digitOf(byte: number, base: number): number | undefined {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = (byte | 0x20) - 0x61;
  return base === 16 && letter >= 0 && letter < 6 ? letter + 10 : undefined;
}
