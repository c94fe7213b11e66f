import type { Bytes } from '../bytes';
import { asciiLowerCase, isSpace, skipSpace, utf8Bytes } from './ascii';
import type { BodyLimits, ParsedBody } from './parsed-body';
import { Utf8Watch } from './utf8-watch';

/** What rules see of a document, and why it is none. */
export interface XmlContent {
  readonly xml: ParsedBody['xml'];
  readonly error: string | undefined;
}

/**
 * Reads text and attribute values of an XML document (XML 1.0, fifth edition) in one pass: `XML:/*` and `XML://@*`. Nothing
 * is looked up, no entity but the five that need no declaration is expanded, and a document type declaration is a fault
 * whatever it says. After a fault the reader goes on as far as it can, so that what hides behind it is seen as well.
 */
export function readXml(body: Bytes, limits: BodyLimits): XmlContent {
  const reader = new XmlReader(toUtf8(body), limits);
  reader.read();
  return { xml: reader.content, error: reader.error };
}

const LATIN1: ReadonlySet<Bytes> = new Set(['iso-8859-1', 'latin1', 'l1', 'iso_8859-1', 'windows-1252', 'cp1252']);
const UTF8: ReadonlySet<Bytes> = new Set(['', 'utf-8', 'utf8', 'us-ascii', 'ascii']);
const BYTE_ORDER_MARK = '\xef\xbb\xbf';

interface Decoded {
  readonly text: Bytes;
  readonly error: string | undefined;
}

/** Brings a document into UTF-8 where its declaration names another encoding of the family of ASCII. */
function toUtf8(body: Bytes): Decoded {
  // XML 1.0 appendix F: an encoding of wider units shows in the first bytes.
  if (body.startsWith('\xfe\xff') || body.startsWith('\xff\xfe') || body.slice(0, 4).includes('\0'))
    return { text: body, error: 'an encoding other than UTF-8' };
  const encoding = declaredEncoding(body);
  if (LATIN1.has(encoding)) return { text: Buffer.from(body, 'utf8').toString('latin1'), error: undefined };
  const error = UTF8.has(encoding) ? undefined : 'an encoding other than UTF-8';
  return { text: body.startsWith(BYTE_ORDER_MARK) ? body.slice(BYTE_ORDER_MARK.length) : body, error };
}

function declaredEncoding(body: Bytes): Bytes {
  if (!body.startsWith('<?xml')) return '';
  const end = body.indexOf('?>');
  const declaration = end < 0 ? body.slice(0, 256) : body.slice(0, end);
  const at = declaration.indexOf('encoding');
  if (at < 0) return '';
  const equals = skipSpace(declaration, at + 8);
  const quote = skipSpace(declaration, equals + 1);
  const close = declaration.indexOf(declaration.charAt(quote), quote + 1);
  return asciiLowerCase(declaration.slice(quote + 1, close < 0 ? undefined : close));
}

const LESS = 0x3c;
const BREAKS_OFF = 'the document breaks off';

class XmlReader {
  error: string | undefined;
  private readonly text: Bytes[] = [];
  private readonly attributes: Bytes[] = [];
  private readonly open: Bytes[] = [];
  private elements = 0;
  private rootClosed = false;
  private brokenOff = false;
  private at = 0;
  private readonly document: Bytes;

  constructor(
    { text, error }: Decoded,
    private readonly limits: BodyLimits,
  ) {
    this.document = text;
    if (error !== undefined) this.fault(error);
  }

  /** Undefined where there was no element. */
  get content(): ParsedBody['xml'] {
    if (this.elements === 0) return undefined;
    return { text: this.text.join(''), attributes: this.attributes };
  }

  read(): void {
    let before = this.error;
    let goesOn = true;
    while (goesOn && this.at < this.document.length) {
      before = this.error;
      if (this.document.charCodeAt(this.at) !== LESS) this.readText();
      else goesOn = this.readMarkup();
    }
    // What the last piece lacks may stand behind the cut.
    if (this.limits.cut && (this.brokenOff || this.at >= this.document.length)) this.error = before;
    else if (goesOn && !this.rootClosed) this.fault(BREAKS_OFF);
  }

  private readText(): void {
    const less = this.document.indexOf('<', this.at);
    const end = less < 0 ? this.document.length : less;
    const text = this.document.slice(this.at, end);
    const outside = this.open.length === 0;
    const blank = outside && skipSpace(text, 0) === text.length;
    if (outside && !blank) this.fault('text outside of the document');
    if (text.includes(']]>')) this.fault('`]]>` in text');
    if (!blank) this.keepText(this.expand(unifyLines(text)));
    this.at = end;
  }

  private keepText(text: Bytes): void {
    if (!isUtf8(text)) this.fault('text that is not UTF-8');
    this.text.push(text);
  }

  /** @returns false where reading cannot go on. */
  private readMarkup(): boolean {
    const { document, at } = this;
    if (document.startsWith('<!--', at)) return this.skipTo('-->', at + 4);
    if (document.startsWith('<![CDATA[', at)) return this.readCdata();
    if (document.startsWith('<?', at)) return this.skipInstruction();
    if (document.startsWith('<!', at)) return this.skipDeclaration();
    return document.startsWith('</', at) ? this.readEndTag() : this.readStartTag();
  }

  private skipTo(end: string, from: number): boolean {
    const found = this.document.indexOf(end, from);
    if (found < 0) return this.breakOff();
    this.at = found + end.length;
    return true;
  }

  private skipInstruction(): boolean {
    if (this.at > 0 && this.document.startsWith('xml', this.at + 2) && isSpace(this.document.charCodeAt(this.at + 5)))
      this.fault('a declaration that is not the beginning');
    return this.skipTo('?>', this.at + 2);
  }

  private readCdata(): boolean {
    const start = this.at + 9;
    if (!this.skipTo(']]>', start)) return false;
    if (this.open.length === 0) this.fault('text outside of the document');
    this.keepText(unifyLines(this.document.slice(start, this.at - 3)));
    return true;
  }

  /** A document type declaration, with what it declares between brackets; nothing of it is used. */
  private skipDeclaration(): boolean {
    this.fault('a document type declaration');
    for (let nested = 0, at = this.at + 2; at < this.document.length; at++) {
      const character = this.document.charAt(at);
      if (character === '"' || character === "'") {
        const close = this.document.indexOf(character, at + 1);
        if (close < 0) break;
        at = close;
      } else if (character === '<' || character === '[') nested += 1;
      else if (character === ']') nested -= 1;
      else if (character === '>' && nested-- <= 0) {
        this.at = at + 1;
        return true;
      }
    }
    return this.breakOff();
  }

  private readEndTag(): boolean {
    const start = this.at + 2;
    if (!this.skipTo('>', start)) return false;
    const written = this.document.slice(start, this.at - 1);
    const name = written.slice(0, endOfName(written, 0));
    if (this.open.pop() !== name) this.fault('an end tag of another element');
    if (this.open.length === 0) this.rootClosed = true;
    return true;
  }

  private readStartTag(): boolean {
    const start = this.at + 1;
    const end = endOfName(this.document, start);
    if (end === start) {
      this.fault('a `<` that opens no tag');
      this.keepText('<');
      this.at = start;
      return true;
    }
    this.at = end;
    this.elements += 1;
    if (this.rootClosed) this.fault('a second root element');
    if (this.open.length === this.limits.depth) return this.broken(`nested deeper than ${this.limits.depth} levels`);
    if (!this.readAttributes()) return false;
    const empty = this.document.charAt(this.at - 2) === '/';
    if (!empty) this.open.push(this.document.slice(start, end));
    else if (this.open.length === 0) this.rootClosed = true;
    return true;
  }

  /** Reads up to and over the `>` of a start tag. */
  private readAttributes(): boolean {
    const names = new Set<Bytes>();
    for (;;) {
      this.at = skipSpace(this.document, this.at);
      if (this.at >= this.document.length) return this.breakOff();
      const character = this.document.charAt(this.at);
      if (character === '>') {
        this.at += 1;
        return true;
      }
      if (character === '/') {
        this.at += 1;
        if (this.document.charAt(this.at) !== '>') this.fault('a `/` within a tag');
      } else if (!this.readAttribute(names)) return false;
    }
  }

  private readAttribute(names: Set<Bytes>): boolean {
    const start = this.at;
    this.at = endOfAttributeName(this.document, start);
    const name = this.document.slice(start, this.at);
    this.at = skipSpace(this.document, this.at);
    if (this.document.charAt(this.at) !== '=') {
      this.fault('an attribute without a value');
      return true;
    }
    this.at = skipSpace(this.document, this.at + 1);
    if (names.has(name)) this.fault('two attributes of one name');
    names.add(name);
    const value = this.readAttributeValue();
    if (value === undefined) return this.breakOff();
    if (isNamespace(name)) return true;
    if (this.attributes.length === this.limits.arguments)
      return this.broken(`more than ${this.limits.arguments} attributes`);
    this.attributes.push(value);
    return true;
  }

  /** @returns undefined where its end is missing. */
  private readAttributeValue(): Bytes | undefined {
    const quote = this.document.charAt(this.at);
    if (quote !== '"' && quote !== "'") {
      this.fault('an attribute value without quotes');
      const start = this.at;
      while (this.at < this.document.length && !endsUnquoted(this.document.charCodeAt(this.at))) this.at += 1;
      return this.expand(this.document.slice(start, this.at));
    }
    const close = this.document.indexOf(quote, this.at + 1);
    if (close < 0) return undefined;
    const written = this.document.slice(this.at + 1, close);
    this.at = close + 1;
    if (written.includes('<')) this.fault('a `<` in an attribute value');
    const value = this.expand(spaceLines(written));
    if (!isUtf8(value)) this.fault('text that is not UTF-8');
    return value;
  }

  /** Replaces references to characters and the five entities that need no declaration; others stay as written. */
  private expand(written: Bytes): Bytes {
    let ampersand = written.indexOf('&');
    if (ampersand < 0) return written;
    let text = '';
    let from = 0;
    for (; ampersand >= 0; ampersand = written.indexOf('&', Math.max(from, ampersand + 1))) {
      const semicolon = endOfReference(written, ampersand + 1);
      const character = semicolon < 0 ? undefined : referenced(written.slice(ampersand + 1, semicolon));
      if (character === undefined) this.fault('a reference to nothing');
      else {
        text += written.slice(from, ampersand) + character;
        from = semicolon + 1;
      }
    }
    return text + written.slice(from);
  }

  /** Only the first fault is told. */
  private fault(what: string): void {
    this.error ??= `XML: ${what} at byte ${this.at}`;
  }

  /** A fault behind which nothing can be read. */
  private broken(what: string): false {
    this.fault(what);
    return false;
  }

  private breakOff(): false {
    this.brokenOff = true;
    return this.broken(BREAKS_OFF);
  }
}

/** Longest reference there is: `#x` and the digits of U+10FFFF, with some zeros before them. */
const MAX_REFERENCE = 32;

/** @returns -1 when no `;` ends the reference. */
function endOfReference(written: Bytes, from: number): number {
  const last = Math.min(written.length, from + MAX_REFERENCE);
  for (let at = from; at < last; at++) {
    const byte = written.charCodeAt(at);
    if (byte === 0x3b) return at;
    if (isSpace(byte) || byte === 0x26) return -1;
  }
  return -1;
}

const ENTITIES: ReadonlyMap<Bytes, Bytes> = new Map([
  ['lt', '<'],
  ['gt', '>'],
  ['amp', '&'],
  ['quot', '"'],
  ['apos', "'"],
]);

function referenced(name: Bytes): Bytes | undefined {
  if (!name.startsWith('#')) return ENTITIES.get(name);
  const digits = name.startsWith('#x') ? name.slice(2) : name.slice(1);
  const codePoint = name.startsWith('#x') ? wholeNumber(digits, 16) : wholeNumber(digits, 10);
  const isCharacter =
    codePoint > 0 &&
    codePoint <= 0x10ffff &&
    (codePoint & 0xfffff800) !== 0xd800 &&
    (codePoint >= 0x20 || isSpace(codePoint));
  return isCharacter ? utf8Bytes(codePoint) : undefined;
}

/** @returns NaN when one of the characters is no digit. */
function wholeNumber(digits: Bytes, base: 10 | 16): number {
  let number = digits === '' ? NaN : 0;
  for (const character of digits) {
    const digit = '0123456789abcdef'.indexOf(asciiLowerCase(character));
    number = digit < 0 || digit >= base ? NaN : number * base + digit;
  }
  return number;
}

/** A declaration of a namespace is no attribute of the document's model. */
function isNamespace(name: Bytes): boolean {
  return name === 'xmlns' || name.startsWith('xmlns:');
}

function endOfName(text: Bytes, from: number): number {
  let at = from;
  while (at < text.length && !' \t\r\n/><=&"\'!?'.includes(text.charAt(at))) at += 1;
  return at;
}

function endOfAttributeName(text: Bytes, from: number): number {
  let at = from;
  while (at < text.length && !' \t\r\n/>='.includes(text.charAt(at))) at += 1;
  return at;
}

function endsUnquoted(byte: number): boolean {
  return isSpace(byte) || byte === 0x3e;
}

/** XML 1.0 §2.11: every line ends in one newline, but for those that references stand for. */
function unifyLines(text: Bytes): Bytes {
  return text.includes('\r') ? text.replaceAll('\r\n', '\n').replaceAll('\r', '\n') : text;
}

/** XML 1.0 §3.3.3: line ends and tabs in an attribute value are spaces. */
function spaceLines(value: Bytes): Bytes {
  return unifyLines(value).replaceAll('\n', ' ').replaceAll('\t', ' ');
}

function isUtf8(text: Bytes): boolean {
  let beyondAscii = 0;
  for (let at = 0; at < text.length; at++) beyondAscii |= text.charCodeAt(at);
  if (beyondAscii < 0x80) return true;
  const watch = new Utf8Watch();
  for (let at = 0; at < text.length; at++) {
    if (!watch.accept(text.charCodeAt(at))) return false;
  }
  return watch.complete;
}
