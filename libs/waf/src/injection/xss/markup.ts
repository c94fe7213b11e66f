import type { Bytes } from '../../bytes';

/** What a piece of markup is, as far as it matters to us. */
export type Piece = 'text' | 'tag' | 'tag-end' | 'attribute' | 'value' | 'comment' | 'doctype';

/** Where a value may stand in a page: between tags, or in the value of an attribute without quotes or in one of three kinds of them. */
export type Place = 'data' | 'unquoted' | Quote;

type Quote = "'" | '"' | '`';

export const quotes: readonly Quote[] = ["'", '"', '`'];

/** Reads on from the reader's place; false at the end of the value. */
type State = (reader: MarkupReader) => boolean;

const greaterThan = 0x3e;
const slash = 0x2f;
const equals = 0x3d;
const exclamation = 0x21;
const question = 0x3f;
const percent = 0x25;
const hyphen = 0x2d;
const nul = 0;

/**
 * Cuts a value into pieces of markup as browsers do: the tokenizer of HTML (https://html.spec.whatwg.org/#tokenization)
 * with what old browsers added: NUL bytes inside of names, backticks as quotes, `<% … %>` as a comment.
 * The piece read last stands in `piece`, `start` and `length`.
 */
export class MarkupReader {
  piece: Piece = 'text';
  start = 0;
  length = 0;
  value: Bytes = '';
  at = 0;
  inEndTag = false;
  state: State = atEnd;

  begin(value: Bytes, place: Place): void {
    this.value = value;
    this.at = 0;
    this.inEndTag = false;
    this.state = initialStates[place];
  }

  next(): boolean {
    return this.state(this);
  }

  /** The byte at the reader's place, NaN at the end. */
  byte(): number {
    return this.value.charCodeAt(this.at);
  }

  /** Takes the bytes from `start` to `end` as a piece and goes on at `at` in `state`. */
  take(piece: Piece, start: number, end: number, at: number, state: State): true {
    this.piece = piece;
    this.start = start;
    this.length = end - start;
    this.at = at;
    this.state = state;
    return true;
  }

  takeRest(piece: Piece): true {
    return this.take(piece, this.at, this.value.length, this.value.length, atEnd);
  }

  /**
   * @returns the first byte that is no white space; NaN at the end. The library we are to agree with takes 0xFF for the end
   * in this place, and so do we.
   */
  skipWhiteSpace(): number {
    while (isWhiteSpace(this.byte())) this.at++;
    const byte = this.byte();
    return byte === 0xff ? NaN : byte;
  }
}

/** NUL is white space between attributes, as it was in Internet Explorer. */
function isWhiteSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d) || byte === nul;
}

function isLetter(byte: number): boolean {
  const folded = byte | 0x20;
  return folded >= 0x61 && folded <= 0x7a;
}

function atEnd(): boolean {
  return false;
}

function inData(reader: MarkupReader): boolean {
  const { value, at } = reader;
  const tag = value.indexOf('<', at);
  if (tag === -1) return reader.takeRest('text') && reader.length > 0;
  reader.take('text', at, tag, tag + 1, afterLessThan);
  return reader.length > 0 || afterLessThan(reader);
}

function afterLessThan(reader: MarkupReader): boolean {
  const byte = reader.byte();
  if (Number.isNaN(byte)) return false;
  if (isLetter(byte) || byte === nul) return inTagName(reader);
  switch (byte) {
    case exclamation:
      reader.at++;
      return inDeclaration(reader);
    case slash:
      reader.at++;
      reader.inEndTag = true;
      return afterEndTagOpen(reader);
    case question:
      reader.at++;
      return inBogusComment(reader);
    case percent:
      reader.at++;
      return inScriptletComment(reader);
    default:
      return reader.take('text', reader.at - 1, reader.at, reader.at, inData);
  }
}

function afterEndTagOpen(reader: MarkupReader): boolean {
  const byte = reader.byte();
  if (Number.isNaN(byte)) return false;
  if (byte === greaterThan) return inData(reader);
  if (isLetter(byte)) return inTagName(reader);
  reader.inEndTag = false;
  return inBogusComment(reader);
}

function inTagName(reader: MarkupReader): boolean {
  const { value, at: start } = reader;
  for (let at = start; at < value.length; at++) {
    const byte = value.charCodeAt(at);
    if (byte === nul) continue;
    if (isWhiteSpace(byte)) return reader.take('tag', start, at, at + 1, beforeAttribute);
    if (byte === slash) return reader.take('tag', start, at, at + 1, afterSlash);
    if (byte !== greaterThan) continue;
    if (!reader.inEndTag) return reader.take('tag', start, at, at, inTagEnd);
    reader.inEndTag = false;
    return reader.take('tag-end', start, at, at + 1, inData);
  }
  return reader.takeRest('tag');
}

function inTagEnd(reader: MarkupReader): boolean {
  reader.inEndTag = false;
  const { at } = reader;
  return reader.take('tag-end', at, at + 1, at + 1, at + 1 < reader.value.length ? inData : atEnd);
}

function beforeAttribute(reader: MarkupReader): boolean {
  const byte = reader.skipWhiteSpace();
  if (Number.isNaN(byte)) return false;
  if (byte === slash) {
    reader.at++;
    return afterSlash(reader);
  }
  if (byte === greaterThan) return reader.take('tag-end', reader.at, reader.at + 1, reader.at + 1, inData);
  return inAttributeName(reader);
}

function inAttributeName(reader: MarkupReader): boolean {
  const { value, at: start } = reader;
  for (let at = start + 1; at < value.length; at++) {
    const byte = value.charCodeAt(at);
    if (isWhiteSpace(byte)) return reader.take('attribute', start, at, at + 1, afterAttributeName);
    if (byte === slash) return reader.take('attribute', start, at, at + 1, afterSlash);
    if (byte === equals) return reader.take('attribute', start, at, at + 1, beforeValue);
    if (byte === greaterThan) return reader.take('attribute', start, at, at, inTagEnd);
  }
  return reader.takeRest('attribute');
}

function afterAttributeName(reader: MarkupReader): boolean {
  const byte = reader.skipWhiteSpace();
  if (Number.isNaN(byte)) return false;
  if (byte === slash) {
    reader.at++;
    return afterSlash(reader);
  }
  if (byte === equals) {
    reader.at++;
    return beforeValue(reader);
  }
  return byte === greaterThan ? inTagEnd(reader) : inAttributeName(reader);
}

function beforeValue(reader: MarkupReader): boolean {
  if (Number.isNaN(reader.skipWhiteSpace())) {
    reader.state = atEnd;
    return false;
  }
  const mark = reader.value[reader.at];
  return mark === '"' || mark === "'" || mark === '`' ? quotedStates[mark](reader) : inUnquotedValue(reader);
}

/** A value that begins inside of the quotes has no quote to skip. */
function inQuotedValue(mark: Quote): State {
  return (reader) => {
    if (reader.at > 0) reader.at++;
    const end = reader.value.indexOf(mark, reader.at);
    return end === -1 ? reader.takeRest('value') : reader.take('value', reader.at, end, end + 1, afterQuotedValue);
  };
}

const quotedStates = { '"': inQuotedValue('"'), "'": inQuotedValue("'"), '`': inQuotedValue('`') } as const;

function inUnquotedValue(reader: MarkupReader): boolean {
  const { value, at: start } = reader;
  for (let at = start; at < value.length; at++) {
    const byte = value.charCodeAt(at);
    if (isWhiteSpace(byte)) return reader.take('value', start, at, at + 1, beforeAttribute);
    if (byte === greaterThan) return reader.take('value', start, at, at, inTagEnd);
  }
  return reader.takeRest('value');
}

function afterQuotedValue(reader: MarkupReader): boolean {
  const byte = reader.byte();
  if (byte === slash) {
    reader.at++;
    return afterSlash(reader);
  }
  return beforeAttribute(reader);
}

function afterSlash(reader: MarkupReader): boolean {
  const { at } = reader;
  if (reader.byte() === greaterThan) return reader.take('tag-end', at - 1, at + 1, at + 1, inData);
  return beforeAttribute(reader);
}

function inBogusComment(reader: MarkupReader): boolean {
  const end = reader.value.indexOf('>', reader.at);
  return end === -1 ? reader.takeRest('comment') : reader.take('comment', reader.at, end, end + 1, inData);
}

/** `<% … %>`: a comment in Internet Explorer up to 9 and Safari up to 4. */
function inScriptletComment(reader: MarkupReader): boolean {
  const end = reader.value.indexOf('%>', reader.at);
  return end === -1 ? reader.takeRest('comment') : reader.take('comment', reader.at, end, end + 2, inData);
}

function inDeclaration(reader: MarkupReader): boolean {
  const { value, at } = reader;
  if (value.slice(at, at + 7).toUpperCase() === 'DOCTYPE') return reader.takeRest('doctype');
  if (value.startsWith('[CDATA[', at)) {
    reader.at += 7;
    return inCharacterData(reader);
  }
  if (value.startsWith('--', at)) {
    reader.at += 2;
    return inComment(reader);
  }
  return inBogusComment(reader);
}

/** Ends at `-->`, at `--!>` as HTML has it, and at `-!>`; NUL bytes may stand behind the first hyphen. */
function inComment(reader: MarkupReader): boolean {
  const { value, at: start } = reader;
  for (let end = value.indexOf('-', start); end !== -1 && end <= value.length - 3; end = value.indexOf('-', end + 1)) {
    let at = end + 1;
    while (value.charCodeAt(at) === nul) at++;
    const mark = value.charCodeAt(at);
    if (mark !== hyphen && mark !== exclamation) continue;
    if (value.charCodeAt(at + 1) === greaterThan) return reader.take('comment', start, end, at + 2, inData);
  }
  return reader.takeRest('comment');
}

function inCharacterData(reader: MarkupReader): boolean {
  const end = reader.value.indexOf(']]>', reader.at);
  return end === -1 ? reader.takeRest('text') : reader.take('text', reader.at, end, end + 3, inData);
}

const initialStates: Readonly<Record<Place, State>> = { data: inData, unquoted: beforeAttribute, ...quotedStates };
