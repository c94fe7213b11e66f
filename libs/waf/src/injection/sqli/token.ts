import type { Bytes } from '../../bytes';

/** The classes of tokens. A class is the letter a fingerprint writes for it, so a fingerprint is the classes of its tokens in a row. */
export const Kind = {
  none: 0,
  group: 0x42, // B: GROUP BY, LIMIT, HAVING
  expression: 0x45, // E: SELECT, INSERT: what begins an expression
  transact: 0x54, // T: DECLARE, EXECUTE: statements of T-SQL
  union: 0x55, // U
  evil: 0x58, // X: what no two databases read alike
  keyword: 0x6b, // k
  bareword: 0x6e, // n
  comment: 0x63, // c
  function: 0x66, // f
  operator: 0x6f, // o
  string: 0x73, // s
  type: 0x74, // t: INT, VARCHAR
  variable: 0x76, // v
  number: 0x31, // 1
  logic: 0x26, // &
  collate: 0x41, // A
  backslash: 0x5c,
  leftParenthesis: 0x28,
  rightParenthesis: 0x29,
  leftBrace: 0x7b,
  rightBrace: 0x7d,
  comma: 0x2c,
  dot: 0x2e,
  colon: 0x3a,
  semicolon: 0x3b,
  unknown: 0x3f, // ?
} as const;

/** Longer tokens keep their first bytes: no word and no rule is longer. */
export const tokenBytes = 31;

/** A piece of the value. Instances are used over and over: a detection allocates none. */
export class Token {
  kind: number = Kind.none;
  /** Its first byte in the value. */
  start = 0;
  /** Of its text, at most `tokenBytes`. */
  length = 0;
  /** The quote it begins with (a byte); 0 where the value begins inside the quotes. */
  opening = 0;
  /** The quote it ends with (a byte); 0 where the value ends first. */
  closing = 0;
  /** Set where the text is not that of the value: two words that became one. */
  ownText: Bytes | undefined;

  set(kind: number, start: number, length: number): void {
    this.kind = kind;
    this.start = start;
    this.length = length < tokenBytes ? length : tokenBytes;
    this.opening = 0;
    this.closing = 0;
    this.ownText = undefined;
  }

  quote(opening: number, closing: number): void {
    this.opening = opening;
    this.closing = closing;
  }

  merge(kind: number, text: Bytes): void {
    this.kind = kind;
    this.length = text.length;
    this.ownText = text;
  }

  copy(other: Token): void {
    this.kind = other.kind;
    this.start = other.start;
    this.length = other.length;
    this.opening = other.opening;
    this.closing = other.closing;
    this.ownText = other.ownText;
  }

  text(value: Bytes): Bytes {
    return this.ownText ?? value.slice(this.start, this.start + this.length);
  }

  /** The byte at `at` of its text, NaN behind its end. */
  byte(value: Bytes, at: number): number {
    if (this.ownText !== undefined) return this.ownText.charCodeAt(at);
    return at < this.length ? value.charCodeAt(this.start + at) : NaN;
  }

  /** @param word in upper case */
  is(value: Bytes, word: Bytes): boolean {
    return this.length === word.length && this.text(value).toUpperCase() === word;
  }
}
