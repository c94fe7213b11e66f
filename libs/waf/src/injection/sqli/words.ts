import type { Bytes } from '../../bytes';
import { Kind, tokenBytes, type Token } from './token';
import { wordsByKind } from './words.data';

/**
 * The words of SQL by their class, found by a hash of their bytes in one pass and without a copy: most words of ordinary
 * text are none, and are to cost little.
 */
class WordTable {
  private readonly slots: Int32Array;
  private readonly mask: number;
  private readonly words: Bytes[] = [];
  private readonly kinds: number[] = [];
  private readonly beginsPhrase: boolean[] = [];

  constructor(data: Readonly<Record<string, string>>) {
    const entries = Object.entries(data).flatMap(([kind, words]) =>
      words
        .split(/[,\n]+/)
        .filter((word) => word !== '')
        .map((word) => [word, kind.charCodeAt(0)] as const),
    );
    this.mask = 2 ** Math.ceil(Math.log2(entries.length * 4)) - 1;
    this.slots = new Int32Array(this.mask + 1).fill(-1);
    for (const [word, kind] of entries) this.add(word, kind);
    for (const [word] of entries) {
      for (let space = word.indexOf(' '); space !== -1; space = word.indexOf(' ', space + 1)) {
        this.markBeginning(word.slice(0, space));
      }
    }
  }

  /**
   * @returns the class of the bytes of `text` from `start` on, in any letter case; `Kind.none` where they are no word,
   * `Kind.bareword` where they only begin a phrase
   */
  lookup(text: Bytes, start: number, length: number): number {
    const entry = this.entry(text, start, length);
    return entry === -1 ? Kind.none : this.kinds[entry]!;
  }

  /** Whether some phrase (`GROUP BY`) begins with the text of the token, so that the next one is worth a look. */
  beginPhrase(token: Token, value: Bytes): boolean {
    const text = token.ownText ?? value;
    const entry = this.entry(text, token.ownText === undefined ? token.start : 0, token.length);
    return entry !== -1 && this.beginsPhrase[entry] === true;
  }

  /** Its number, or -1. */
  private entry(text: Bytes, start: number, length: number): number {
    if (length > tokenBytes) return -1;
    let slot = hash(text, start, length) & this.mask;
    for (let entry = this.slots[slot]!; entry !== -1; entry = this.slots[slot]!) {
      if (sameWord(this.words[entry]!, text, start, length)) return entry;
      slot = (slot + 1) & this.mask;
    }
    return -1;
  }

  private add(word: Bytes, kind: number): void {
    let slot = hash(word, 0, word.length) & this.mask;
    while (this.slots[slot] !== -1) slot = (slot + 1) & this.mask;
    this.slots[slot] = this.words.push(word) - 1;
    this.kinds.push(kind);
  }

  private markBeginning(beginning: Bytes): void {
    if (this.entry(beginning, 0, beginning.length) === -1) this.add(beginning, Kind.bareword);
    this.beginsPhrase[this.entry(beginning, 0, beginning.length)] = true;
  }
}

function upperCase(byte: number): number {
  return byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
}

function hash(text: Bytes, start: number, length: number): number {
  let sum = length;
  for (let at = start; at < start + length; at++) sum = (Math.imul(sum, 31) + upperCase(text.charCodeAt(at))) | 0;
  return sum ^ (sum >>> 15);
}

function sameWord(word: Bytes, text: Bytes, start: number, length: number): boolean {
  if (word.length !== length) return false;
  for (let at = 0; at < length; at++) {
    if (word.charCodeAt(at) !== upperCase(text.charCodeAt(start + at))) return false;
  }
  return true;
}

export const words = new WordTable(wordsByKind);
