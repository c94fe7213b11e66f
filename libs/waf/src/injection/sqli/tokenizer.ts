import type { Bytes } from '../../bytes';
import { Kind, type Token } from './token';
import { words } from './words';

/** What a comment looks like: `--x` is one in `ansi` only, `#x` in `mysql` only. */
export type Dialect = 'ansi' | 'mysql';

/** The quote a value is taken to stand in: none, or the byte of the quote. */
export type Context = 0 | typeof singleQuote | typeof doubleQuote;

export const singleQuote = 0x27;
export const doubleQuote = 0x22;

const dollar = 0x24;
const asterisk = 0x2a;
const minus = 0x2d;
const dot = 0x2e;
const colon = 0x3a;
const semicolon = 0x3b;
const at = 0x40;
const backslash = 0x5c;
const backtick = 0x60;

/** Reads one token at the tokenizer's place and returns the place behind it; leaves the token's kind `none` where there is none. */
type Reader = (tokenizer: Tokenizer, token: Token) => number;

/**
 * Cuts a value into tokens the way the five databases that matter would, all at once. The first byte of a token decides
 * what it is; a value that stands in quotes begins with the rest of that string.
 */
export class Tokenizer {
  value: Bytes = '';
  place = 0;
  dialect: Dialect = 'ansi';
  /** Tokens read so far. */
  count = 0;
  /** Whether the other dialect would read the value differently. */
  ambiguous = false;
  /** Whether a word of SQL was among them, or what may be the beginning of a phrase. */
  hasWord = false;

  private context: Context = 0;

  start(value: Bytes, context: Context, dialect: Dialect): void {
    this.value = value;
    this.context = context;
    this.dialect = dialect;
    this.place = 0;
    this.count = 0;
    this.ambiguous = false;
    this.hasWord = false;
  }

  /** Reads the next token into `token`; false at the end of the value. */
  next(token: Token): boolean {
    token.set(Kind.none, 0, 0);
    const { value } = this;
    if (value.length === 0) return false;
    if (this.place === 0 && this.count === 0 && this.context !== 0) {
      this.place = readQuoted(this, token, this.context, 0);
      this.count = 1;
      return true;
    }
    while (this.place < value.length) {
      this.place = readers[value.charCodeAt(this.place)]!(this, token);
      if (token.kind === Kind.none) continue;
      this.count++;
      return true;
    }
    return false;
  }
}

/** Membership of bytes in a set that is asked for every byte of a token. */
function bytesIn(members: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const member of members) table[member.charCodeAt(0)] = 1;
  return table;
}

const whiteSpace = bytesIn(' \t\n\v\f\r\xa0\0');
const digits = bytesIn('0123456789');
// The library we are to agree with takes NUL for a member of these.
const hexDigits = bytesIn('0123456789abcdefABCDEF\0');
const binaryDigits = bytesIn('01\0');
const amount = bytesIn('0123456789.,\0');
const letters = bytesIn('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\0');
const wordEnds = bytesIn(' []{}<>:\\?=@!#~+-*/&|^%(),\';\t\n\v\f\r"\xa0\0');
const variableEnds = bytesIn(' <>:\\?=@!#~+-*/&|^%(),\';\t\n\v\f\r`"\0');

/** @returns the first place from `place` on whose byte is (or, for `stop` 1, is not) in the set. */
function spanOf(value: Bytes, place: number, set: Uint8Array): number {
  while (place < value.length && set[value.charCodeAt(place)] === 1) place++;
  return place;
}

function spanUntil(value: Bytes, place: number, set: Uint8Array): number {
  while (place < value.length && set[value.charCodeAt(place)] === 0) place++;
  return place;
}

function readWhiteSpace({ place }: Tokenizer): number {
  return place + 1;
}

function single(kind: number): Reader {
  return ({ place }, token) => {
    token.set(kind, place, 1);
    return place + 1;
  };
}

const readOperator = single(Kind.operator);

const readPunctuation: Reader = ({ value, place }, token) => {
  token.set(value.charCodeAt(place), place, 1);
  return place + 1;
};

function readLineComment({ value, place }: Tokenizer, token: Token): number {
  const end = value.indexOf('\n', place);
  token.set(Kind.comment, place, (end === -1 ? value.length : end) - place);
  return end === -1 ? value.length : end + 1;
}

const readHash: Reader = (tokenizer, token) => {
  tokenizer.ambiguous = true;
  return tokenizer.dialect === 'mysql' ? readLineComment(tokenizer, token) : readOperator(tokenizer, token);
};

const readDash: Reader = (tokenizer, token) => {
  const { value, place } = tokenizer;
  if (value.charCodeAt(place + 1) !== minus) return readOperator(tokenizer, token);
  if (place + 2 === value.length || whiteSpace[value.charCodeAt(place + 2)] === 1) {
    return readLineComment(tokenizer, token);
  }
  if (tokenizer.dialect === 'mysql') return readOperator(tokenizer, token);
  tokenizer.ambiguous = true;
  return readLineComment(tokenizer, token);
};

/** PostgreSQL nests comments and MySQL runs what stands in `/*! … *\/`: a value with either cannot be read with certainty. */
const readSlash: Reader = (tokenizer, token) => {
  const { value, place } = tokenizer;
  if (value.charCodeAt(place + 1) !== asterisk) return readOperator(tokenizer, token);
  const close = value.indexOf('*/', place + 2);
  const end = close === -1 ? value.length : close + 2;
  const nested = close !== -1 && isWithin(value.indexOf('/*', place + 2), close);
  const executed = value.charCodeAt(place + 2) === 0x21;
  token.set(nested || executed ? Kind.evil : Kind.comment, place, end - place);
  return end;
};

/** Whether what was found lies before `end`, with one byte of overlap: `/*` in front of `/`. */
function isWithin(found: number, end: number): boolean {
  return found !== -1 && found < end;
}

/** `\N` is MySQL's NULL. */
const readBackslash: Reader = ({ value, place }, token) => {
  if (value[place + 1] === 'N') {
    token.set(Kind.number, place, 2);
    return place + 2;
  }
  token.set(Kind.backslash, place, 1);
  return place + 1;
};

const readLongOperator: Reader = (tokenizer, token) => {
  const { value, place } = tokenizer;
  if (value.startsWith('<=>', place)) {
    token.set(Kind.operator, place, 3);
    return place + 3;
  }
  const kind = place + 1 < value.length ? words.lookup(value, place, 2) : Kind.none;
  if (kind !== Kind.none) {
    token.set(kind, place, 2);
    return place + 2;
  }
  token.set(value.charCodeAt(place) === colon && place + 1 < value.length ? Kind.colon : Kind.operator, place, 1);
  return place + 1;
};

/**
 * Reads a string up to the quote that ends it: one that is neither escaped by a backslash nor doubled.
 * @param skip bytes in front of the string's text, with its opening quote; 0 where the value begins inside it
 */
function readQuoted({ value, place }: Tokenizer, token: Token, quote: number, skip: number): number {
  const start = place + skip;
  const mark = String.fromCharCode(quote);
  let end = value.indexOf(mark, start);
  while (end !== -1) {
    if (isEscaped(value, end, start)) end = value.indexOf(mark, end + 1);
    else if (value.charCodeAt(end + 1) === quote) end = value.indexOf(mark, end + 2);
    else break;
  }
  token.set(Kind.string, start, (end === -1 ? value.length : end) - start);
  token.quote(skip > 0 ? quote : 0, end === -1 ? 0 : quote);
  return end === -1 ? value.length : end + 1;
}

/** Whether an odd number of backslashes stands in front of the quote. */
function isEscaped(value: Bytes, quote: number, start: number): boolean {
  let place = quote - 1;
  while (place >= start && value.charCodeAt(place) === backslash) place--;
  return ((quote - 1 - place) & 1) === 1;
}

const readString: Reader = (tokenizer, token) =>
  readQuoted(tokenizer, token, tokenizer.value.charCodeAt(tokenizer.place), 1);

/** Whether a literal with a one-letter prefix (`x'…'`) begins here, with at least one byte behind its quote. */
function isPrefixed({ value, place }: Tokenizer): boolean {
  return value.charCodeAt(place + 1) === singleQuote && place + 2 < value.length;
}

/** PostgreSQL: `e'…'`. */
const readEscapeString: Reader = (tokenizer, token) =>
  isPrefixed(tokenizer) ? readQuoted(tokenizer, token, singleQuote, 2) : readWord(tokenizer, token);

/** ANSI: `u&'…'`. */
const readUnicodeString: Reader = (tokenizer, token) => {
  const { value, place } = tokenizer;
  if (!value.startsWith("&'", place + 1)) return readWord(tokenizer, token);
  const end = readQuoted(tokenizer, token, singleQuote, 3);
  const prefix = 0x75;
  token.quote(prefix, token.closing === singleQuote ? prefix : token.closing);
  return end;
};

/** Oracle: `q'[…]'`, with any delimiter; `prefix` bytes stand in front of the q. */
function readChosenQuotes(tokenizer: Tokenizer, token: Token, prefix: number): number {
  const { value, place } = tokenizer;
  const start = place + prefix;
  const isLiteral = (value.charCodeAt(start) | 0x20) === 0x71 && value.charCodeAt(start + 1) === singleQuote;
  const opening = value.charCodeAt(start + 2);
  if (!isLiteral || !(opening > 0x20 && opening < 0x80)) return readWord(tokenizer, token);
  const close = value.indexOf(`${closingOf[value[start + 2]!] ?? value[start + 2]!}'`, start + 3);
  token.set(Kind.string, start + 3, (close === -1 ? value.length : close) - (start + 3));
  const quote = 0x71;
  token.quote(quote, close === -1 ? 0 : quote);
  return close === -1 ? value.length : close + 2;
}

const closingOf: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}', '<': '>' };

const readChosenQuotesString: Reader = (tokenizer, token) => readChosenQuotes(tokenizer, token, 0);

/** Oracle: `n'…'` and `nq'[…]'`. */
const readNationalString: Reader = (tokenizer, token) =>
  isPrefixed(tokenizer) ? readEscapeString(tokenizer, token) : readChosenQuotes(tokenizer, token, 1);

/** `b'01'` and `x'0f'`. */
function readDigitString(set: Uint8Array): Reader {
  return (tokenizer, token) => {
    const { value, place } = tokenizer;
    if (!isPrefixed(tokenizer)) return readWord(tokenizer, token);
    const end = spanOf(value, place + 2, set);
    if (value.charCodeAt(end) !== singleQuote) return readWord(tokenizer, token);
    token.set(Kind.number, place, end + 1 - place);
    return end + 1;
  };
}

/** T-SQL and SQLite: `[a name]`. */
const readBracketed: Reader = ({ value, place }, token) => {
  const close = value.indexOf(']', place);
  const end = close === -1 ? value.length : close + 1;
  token.set(Kind.bareword, place, end - place);
  return end;
};

/** A word, up to the first dot or backtick in it where what stands before that is a word of SQL: `select.1`, `from`x`. */
function readWord(tokenizer: Tokenizer, token: Token): number {
  const { value, place } = tokenizer;
  const end = spanUntil(value, place, wordEnds);
  token.set(Kind.bareword, place, end - place);
  for (let length = 0; length < token.length; length++) {
    const byte = value.charCodeAt(place + length);
    if (byte !== dot && byte !== backtick) continue;
    const kind = words.lookup(value, place, length);
    if (kind === Kind.none || kind === Kind.bareword) continue;
    token.set(kind, place, length);
    tokenizer.hasWord = true;
    return place + length;
  }
  const kind = words.lookup(value, place, end - place);
  if (kind !== Kind.none) {
    token.kind = kind;
    tokenizer.hasWord = true;
  }
  return end;
}

/** MySQL: a quoted name, which may be that of a function. */
const readBacktick: Reader = (tokenizer, token) => {
  const end = readQuoted(tokenizer, token, backtick, 1);
  const kind = words.lookup(tokenizer.value, token.start, token.length);
  token.kind = kind === Kind.function ? Kind.function : Kind.bareword;
  tokenizer.hasWord = true;
  return end;
};

/** `@name`, `@@name`, and MySQL's `@'name'`. */
const readVariable: Reader = (tokenizer, token) => {
  const { value } = tokenizer;
  const start = tokenizer.place + (value.charCodeAt(tokenizer.place + 1) === at ? 2 : 1);
  const first = value.charCodeAt(start);
  if (first === backtick || first === singleQuote || first === doubleQuote) {
    tokenizer.place = start;
    const end = first === backtick ? readBacktick(tokenizer, token) : readString(tokenizer, token);
    token.kind = Kind.variable;
    return end;
  }
  const end = spanUntil(value, start, variableEnds);
  token.set(Kind.variable, start, end - start);
  return end;
};

/** `$1,000.00` is a number, `$tag$ … $tag$` a string of PostgreSQL. */
const readDollar: Reader = (tokenizer, token) => {
  const { value, place } = tokenizer;
  const end = spanOf(value, place + 1, amount);
  if (end === place + 2 && value.charCodeAt(place + 1) === dot) return readWord(tokenizer, token);
  if (end > place + 1) {
    token.set(Kind.number, place, end - place);
    return end;
  }
  const tagEnd = value.charCodeAt(place + 1) === dollar ? place + 1 : spanOf(value, place + 1, letters);
  const isTag = value.charCodeAt(tagEnd) === dollar;
  if (isTag) return readDollarQuoted(tokenizer, token, tagEnd + 1 - place);
  token.set(Kind.bareword, place, 1);
  return place + 1;
};

function readDollarQuoted({ value, place }: Tokenizer, token: Token, tagLength: number): number {
  const start = place + tagLength;
  const close = value.indexOf(value.slice(place, start), start);
  token.set(Kind.string, start, (close === -1 ? value.length : close) - start);
  token.quote(dollar, close === -1 ? 0 : dollar);
  return close === -1 ? value.length : close + tagLength;
}

const readNumber: Reader = (tokenizer, token) => {
  const { value, place } = tokenizer;
  const second = value.charCodeAt(place + 1) | 0x20;
  if (value[place] === '0' && (second === 0x78 || second === 0x62)) {
    const end = spanOf(value, place + 2, second === 0x78 ? hexDigits : binaryDigits);
    token.set(end === place + 2 ? Kind.bareword : Kind.number, place, end - place);
    return end;
  }
  let end = spanOf(value, place, digits);
  if (value.charCodeAt(end) === dot) {
    end = spanOf(value, end + 1, digits);
    if (end === place + 1) {
      token.set(Kind.dot, place, 1);
      return end;
    }
  }
  return readExponent(value, place, end, token);
};

/** Behind the digits: an exponent, then Oracle's suffix of a float. An `e` without digits makes a word of it all. */
function readExponent(value: Bytes, start: number, place: number, token: Token): number {
  let kind: number = Kind.number;
  let end = place;
  if ((value.charCodeAt(end) | 0x20) === 0x65) {
    const sign = value[end + 1] === '+' || value[end + 1] === '-' ? 1 : 0;
    const exponent = end + 1 + sign;
    end = spanOf(value, exponent, digits);
    if (end === exponent) kind = Kind.bareword;
  }
  if (hasFloatSuffix(value, end)) end++;
  token.set(kind, start, end - start);
  return end;
}

/** `1.2f` at the end, before white space or `;`, and in `1fUNION`; `1from` is a number and a word. */
function hasFloatSuffix(value: Bytes, place: number): boolean {
  const suffix = value.charCodeAt(place) | 0x20;
  if (suffix !== 0x64 && suffix !== 0x66) return false;
  if (place + 1 === value.length) return true;
  const next = value.charCodeAt(place + 1);
  return whiteSpace[next] === 1 || next === semicolon || (next | 0x20) === 0x75;
}

const readerByFirst: Readonly<Record<string, Reader>> = {
  '"': readString,
  '#': readHash,
  $: readDollar,
  '%': readOperator,
  "'": readString,
  '(': readPunctuation,
  ')': readPunctuation,
  ',': readPunctuation,
  '-': readDash,
  '.': readNumber,
  '/': readSlash,
  ';': readPunctuation,
  '?': single(Kind.unknown),
  '@': readVariable,
  '[': readBracketed,
  '\\': readBackslash,
  ']': single(Kind.unknown),
  '^': readOperator,
  '`': readBacktick,
  b: readDigitString(binaryDigits),
  e: readEscapeString,
  n: readNationalString,
  q: readChosenQuotesString,
  u: readUnicodeString,
  x: readDigitString(hexDigits),
  '{': readPunctuation,
  '}': readPunctuation,
};
for (const first of '!&*+:<=>|~') (readerByFirst as Record<string, Reader>)[first] = readLongOperator;

const readers: readonly Reader[] = Array.from({ length: 256 }, (_, byte) => {
  if (byte <= 0x20 || byte === 0x7f || byte === 0xa0) return readWhiteSpace;
  if (digits[byte] === 1) return readNumber;
  return readerByFirst[String.fromCharCode(byte).toLowerCase()] ?? readWord;
});
