import type { Bytes } from '../bytes';
import { hexDigit, utf8Bytes } from './ascii';
import { JsonNames, type JsonName } from './json-names';
import type { BodyArgument, BodyLimits } from './parsed-body';
import { Utf8Watch } from './utf8-watch';

/** Arguments of a document, and why it is none. */
export interface JsonArguments {
  readonly arguments: readonly BodyArgument[];
  readonly error: string | undefined;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;
const NEWLINE = 0x0a;

const names = new JsonNames();

/**
 * Reads the leaves of a JSON document (RFC 8259) as arguments: `{"a":{"b":[1]}}` is `json.a.b.0`. Repeated names are all
 * kept, numbers stay as they are written, and what was read before a fault stays.
 */
export function jsonArguments(body: Bytes, limits: BodyLimits): JsonArguments {
  return gather(new JsonReader(body, limits), (reader) => reader.readDocument());
}

/** The same for a body with one document a line (NDJSON), each of them named like the only one. */
export function jsonLinesArguments(body: Bytes, limits: BodyLimits): JsonArguments {
  return gather(new JsonReader(body, limits), (reader) => reader.readLines());
}

function gather(reader: JsonReader, read: (reader: JsonReader) => void): JsonArguments {
  try {
    read(reader);
  } catch (fault) {
    if (!(fault instanceof JsonFault)) throw fault;
    return { arguments: reader.found, error: fault.ofCut && reader.limits.cut ? undefined : fault.message };
  }
  return { arguments: reader.found, error: undefined };
}

/** Ends the reading of a document. */
class JsonFault extends Error {
  constructor(
    what: string,
    at: number,
    /** Whether more of the body could have mended it. */
    readonly ofCut: boolean,
  ) {
    super(`JSON: ${what} at byte ${at}`);
  }
}

class JsonReader {
  readonly found: BodyArgument[] = [];
  private at = 0;
  private depth = 0;
  private nameBytes = 0;

  constructor(
    private readonly body: Bytes,
    readonly limits: BodyLimits,
  ) {}

  readDocument(): void {
    // A body without a byte is no document and no fault.
    if (this.body.length === 0) return;
    this.skipWhitespace();
    this.readValue(names.document);
    this.skipWhitespace();
    if (this.at < this.body.length) this.fail('something follows the document');
  }

  readLines(): void {
    for (this.skipWhitespace(); this.at < this.body.length; this.skipWhitespace()) {
      this.readValue(names.document);
      this.skipBlanks();
      if (this.at < this.body.length && this.body.charCodeAt(this.at) !== NEWLINE)
        this.fail('something follows the document');
    }
  }

  private readValue(name: JsonName): void {
    const byte = this.body.charCodeAt(this.at);
    if (byte === QUOTE) this.keep(name, this.readString());
    else if (byte === OPEN_BRACE) this.readObject(name);
    else if (byte === OPEN_BRACKET) this.readArray(name);
    else if (byte === 0x2d || isDigit(byte)) this.keep(name, this.readNumber());
    else if (byte === 0x74) this.keep(name, this.readWord('true'));
    else if (byte === 0x66) this.keep(name, this.readWord('false'));
    else if (byte === 0x6e) this.keepNull(name);
    else this.fail('no value');
  }

  private keepNull(name: JsonName): void {
    this.readWord('null');
    this.keep(name, '');
  }

  private keep(called: JsonName, value: Bytes): void {
    const { text: name } = called;
    if (this.found.length === this.limits.arguments) this.fail(`more than ${this.limits.arguments} values`);
    this.nameBytes += name.length;
    if (this.nameBytes > this.limits.nameBytes) this.fail(`names of more than ${this.limits.nameBytes} bytes`);
    this.found.push({ name, value, foldedName: called.folded });
  }

  private readObject(name: JsonName): void {
    if (!this.open(CLOSE_BRACE)) return;
    for (;;) {
      if (this.body.charCodeAt(this.at) !== QUOTE) this.fail('no name');
      // ModSecurity's word for a name without a letter: `json.` would be taken for the container itself.
      const member = names.member(name, this.readString() || 'empty-key');
      this.skipWhitespace();
      if (this.body.charCodeAt(this.at) !== COLON) this.fail('no colon');
      this.at += 1;
      this.skipWhitespace();
      this.readValue(member);
      if (!this.goesOn(CLOSE_BRACE)) return;
    }
  }

  private readArray(name: JsonName): void {
    if (!this.open(CLOSE_BRACKET)) return;
    for (let index = 0; ; index++) {
      this.readValue(names.element(name, index));
      if (!this.goesOn(CLOSE_BRACKET)) return;
    }
  }

  /** @returns whether there is anything in the container. */
  private open(close: number): boolean {
    if (this.depth === this.limits.depth) this.fail(`nested deeper than ${this.limits.depth} levels`);
    this.at += 1;
    this.skipWhitespace();
    if (this.body.charCodeAt(this.at) !== close) {
      this.depth += 1;
      return true;
    }
    this.at += 1;
    return false;
  }

  /** @returns whether another member follows. */
  private goesOn(close: number): boolean {
    this.skipWhitespace();
    const byte = this.body.charCodeAt(this.at);
    if (byte !== COMMA && byte !== close) this.fail('no comma and no end');
    this.at += 1;
    if (byte === close) {
      this.depth -= 1;
      return false;
    }
    this.skipWhitespace();
    return true;
  }

  private readString(): Bytes {
    const start = ++this.at;
    let beyondAscii = false;
    for (; this.at < this.body.length; this.at++) {
      const byte = this.body.charCodeAt(this.at);
      if (byte === QUOTE) {
        const text = this.body.slice(start, this.at++);
        return beyondAscii ? this.checked(text, start) : text;
      }
      if (byte === BACKSLASH) return this.readEscaped(start);
      if (byte < 0x20) this.fail('a control character in a string');
      beyondAscii ||= byte >= 0x80;
    }
    return this.fail('a string without its end');
  }

  /** Goes on where the first backslash of a string was found. */
  private readEscaped(start: number): Bytes {
    let text = '';
    let from = start;
    let beyondAscii = true;
    for (; this.at < this.body.length; this.at++) {
      const byte = this.body.charCodeAt(this.at);
      if (byte < 0x20) this.fail('a control character in a string');
      beyondAscii ||= byte >= 0x80;
      if (byte !== QUOTE && byte !== BACKSLASH) continue;
      const piece = this.body.slice(from, this.at);
      text += beyondAscii ? this.checked(piece, from) : piece;
      if (byte === QUOTE) {
        this.at += 1;
        return text;
      }
      text += this.readEscape();
      from = this.at + 1;
      beyondAscii = false;
    }
    return this.fail('a string without its end');
  }

  /** Leaves off at the last byte of the escape. */
  private readEscape(): Bytes {
    const letter = this.body.charAt(++this.at);
    const simple = SIMPLE_ESCAPES.get(letter);
    if (simple !== undefined) return simple;
    if (letter !== 'u') this.fail('no such escape');
    const unit = this.readUnit();
    const lowFollows = isHighSurrogate(unit) && this.body.startsWith('\\u', this.at + 1);
    if (!lowFollows) return utf8Bytes(unit);
    const before = this.at;
    this.at += 2;
    const low = this.readUnit();
    if (isLowSurrogate(low)) return utf8Bytes(0x10000 + ((unit & 0x3ff) << 10) + (low & 0x3ff));
    this.at = before;
    return utf8Bytes(unit);
  }

  private readUnit(): number {
    let unit = 0;
    for (let digits = 0; digits < 4; digits++) {
      const digit = hexDigit(this.body.charCodeAt(++this.at));
      if (digit < 0) this.fail('no such escape');
      unit = (unit << 4) | digit;
    }
    return unit;
  }

  private checked(text: Bytes, start: number): Bytes {
    const watch = new Utf8Watch();
    for (let at = 0; at < text.length; at++) {
      if (watch.accept(text.charCodeAt(at))) continue;
      this.at = start + at;
      this.fail('text that is not UTF-8');
    }
    if (!watch.complete) this.fail('text that is not UTF-8');
    return text;
  }

  private readNumber(): Bytes {
    const start = this.at;
    if (this.body.charCodeAt(this.at) === 0x2d) this.at += 1;
    if (this.body.charCodeAt(this.at) === 0x30) this.at += 1;
    else this.readDigits();
    if (this.body.charCodeAt(this.at) === 0x2e) {
      this.at += 1;
      this.readDigits();
    }
    if ((this.body.charCodeAt(this.at) | 0x20) === 0x65) {
      this.at += 1;
      const sign = this.body.charCodeAt(this.at);
      if (sign === 0x2b || sign === 0x2d) this.at += 1;
      this.readDigits();
    }
    return this.body.slice(start, this.at);
  }

  private readDigits(): void {
    const start = this.at;
    while (isDigit(this.body.charCodeAt(this.at))) this.at += 1;
    if (this.at === start) this.fail('no digit');
  }

  private readWord(word: Bytes): Bytes {
    for (let at = 0; at < word.length; at++, this.at++) {
      if (this.body.charCodeAt(this.at) !== word.charCodeAt(at)) this.fail('no value');
    }
    return word;
  }

  private skipWhitespace(): void {
    for (; this.at < this.body.length; this.at++) {
      const byte = this.body.charCodeAt(this.at);
      if (byte !== 0x20 && byte !== NEWLINE && byte !== 0x0d && byte !== 0x09) return;
    }
  }

  private skipBlanks(): void {
    while (this.at < this.body.length && ' \t\r'.includes(this.body.charAt(this.at))) this.at += 1;
  }

  private fail(what: string): never {
    throw new JsonFault(what, this.at, this.at >= this.body.length);
  }
}

const SIMPLE_ESCAPES: ReadonlyMap<string, Bytes> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
]);

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
const isHighSurrogate = (unit: number): boolean => (unit & 0xfc00) === 0xd800;
const isLowSurrogate = (unit: number): boolean => (unit & 0xfc00) === 0xdc00;
