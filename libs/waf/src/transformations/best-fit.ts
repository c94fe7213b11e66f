import type { Bytes } from '../bytes';

/**
 * Characters that have no decomposition to ASCII, by the ASCII character lenient origins read them as: what Windows calls
 * the best fit of code page 20127, which rule sets are written for (`SecUnicodeMapFile … 20127`).
 */
const lookAlikes: readonly (readonly [ascii: Bytes, characters: string])[] = [
  ['!', '¡ǃ'],
  ['"', '“”„‟ʺ″'],
  ["'", '‘’‛ʹʼˈ′'],
  ['`', '‵ˋ'],
  [',', '¸‚'],
  ['-', '\u00ad‐‑‒–—―−'],
  ['.', '·•'],
  ['/', '∕⁄'],
  [':', '∶'],
  ['<', '«‹〈〈'],
  ['>', '»›〉〉'],
  ['[', '〚'],
  [']', '〛'],
  ['\\', '∖'],
  ['*', '∗'],
  ['|', '¦ǀ∣❘'],
  ['~', '˜∼'],
  ['^', '˄ˆ⌃'],
  ['_', 'ˍ‗'],
  [' ', '\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u3000'],
  ['$', '¤'],
  ['c', '¢'],
  ['Y', '¥'],
  ['A', 'Æ'],
  ['a', 'æ'],
  ['b', 'ƀ'],
  ['C', '©'],
  ['D', 'ÐĐƉ'],
  ['d', 'đ'],
  ['F', 'Ƒ'],
  ['f', 'ƒ'],
  ['g', 'ɡ'],
  ['H', 'Ħ'],
  ['h', 'ħ'],
  ['I', 'Ɨ'],
  ['i', 'ı'],
  ['L', 'Ł'],
  ['l', 'łƚ'],
  ['O', 'ØŒƟ'],
  ['o', 'øœ'],
  ['R', '®'],
  ['T', '™ŦƮ'],
  ['t', 'ŧƫ'],
  ['z', 'ƶ'],
];

const bestFit = new Map<number, number>();
for (const [ascii, characters] of lookAlikes)
  for (const character of characters) bestFit.set(character.codePointAt(0)!, ascii.charCodeAt(0));

/** Letters with marks and compatibility forms of one character: `é`, `ª`, `²`, `！`. */
const decomposed = /^([!-~])\p{Mark}*$/u;

/** Where the Basic Multilingual Plane holds such characters. */
const ranges: readonly (readonly [first: number, last: number])[] = [
  [0x80, 0x24ff],
  [0xfb00, 0xffef],
];

for (const [first, last] of ranges)
  for (let code = first; code <= last; code++) {
    const base = decomposed.exec(String.fromCharCode(code).normalize('NFKD'))?.[1];
    if (base !== undefined && !bestFit.has(code)) bestFit.set(code, base.charCodeAt(0));
  }

/** @returns the ASCII character a code point is read as where only ASCII is known; undefined where there is none */
export function bestFitAscii(code: number): number | undefined {
  return bestFit.get(code);
}
