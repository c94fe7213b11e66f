import { Utf8Watch } from './utf8-watch';

/** What a document may be made of. */
export interface JsonLimits {
  /** Containers within containers. */
  readonly depth: number;
  /** Members of all objects together. */
  readonly keys: number;
  /** Bytes of one string as written, without its quotes; names of members are strings as well. */
  readonly stringBytes: number;
}

/** Why a document is not acceptable, and the byte at which that was known. */
export interface JsonFault {
  readonly kind: 'syntax' | 'depth' | 'keys' | 'string';
  readonly at: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const ZERO = 0x30;

type State =
  | 'value'
  | 'value-or-close'
  | 'name'
  | 'name-or-close'
  | 'colon'
  | 'comma-or-close'
  | 'string'
  | 'escape'
  | 'hex'
  | 'literal'
  | 'minus'
  | 'zero'
  | 'integer'
  | 'point'
  | 'fraction'
  | 'exponent'
  | 'exponent-sign'
  | 'exponent-digits'
  | 'done';

/** States in which a number could end. */
const COMPLETE_NUMBER: ReadonlySet<State> = new Set(['zero', 'integer', 'fraction', 'exponent-digits']);
const LITERALS: ReadonlyMap<number, string> = new Map([
  [0x74, 'true'],
  [0x66, 'false'],
  [0x6e, 'null'],
]);

const isWhitespace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
const isExponentMark = (byte: number): boolean => (byte | 0x20) === 0x65;
const isHexDigit = (byte: number): boolean => isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
const SIMPLE_ESCAPES: ReadonlySet<number> = new Set(Buffer.from('"\\\\/bfnrt'));

/**
 * Judges a JSON document (RFC 8259) as its bytes arrive, in time linear in them and in memory that does not grow with
 * them: nothing is parsed, so that a document made to exhaust a parser is refused before there is one. Text must be
 * UTF-8 without a byte order mark, and nothing may follow the document.
 */
export class JsonScanner {
  private state: State = 'value';
  /** One entry a container: true for an object. The limit bounds it. */
  private readonly containers: boolean[] = [];
  private readonly utf8 = new Utf8Watch();
  private isName = false;
  private keys = 0;
  private stringBytes = 0;
  private hexDigits = 0;
  private literal = '';
  private literalAt = 0;
  private offset = 0;
  private fault: JsonFault | undefined;

  constructor(private readonly limits: JsonLimits) {}

  /** @returns the fault, as soon as there is one; it stays. */
  push(chunk: Uint8Array): JsonFault | undefined {
    for (let at = 0; at < chunk.length && !this.fault;) {
      at = this.state === 'string' ? this.scanString(chunk, at) : this.step(chunk[at]!, at);
    }
    this.offset += chunk.length;
    return this.fault;
  }

  /** @returns the fault of the whole; a body without a byte is no document and no fault. */
  end(): JsonFault | undefined {
    if (this.fault || this.offset === 0) return this.fault;
    const complete = this.state === 'done' || (this.containers.length === 0 && COMPLETE_NUMBER.has(this.state));
    if (!complete) this.fault = { kind: 'syntax', at: this.offset };
    return this.fault;
  }

  private fail(kind: JsonFault['kind'], at: number): number {
    this.fault = { kind, at: this.offset + at };
    return at;
  }

  /** Runs over the ordinary bytes of a string without leaving the loop. */
  private scanString(chunk: Uint8Array, from: number): number {
    let at = from;
    for (; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte === QUOTE || byte === BACKSLASH || byte < 0x20) break;
      if ((byte >= 0x80 || !this.utf8.complete) && !this.utf8.accept(byte)) return this.fail('syntax', at);
    }
    this.stringBytes += at - from;
    if (this.stringBytes > this.limits.stringBytes) return this.fail('string', at);
    if (at === chunk.length) return at;
    if (!this.utf8.complete || chunk[at]! < 0x20) return this.fail('syntax', at);
    if (chunk[at] === BACKSLASH) this.state = 'escape';
    else this.state = this.isName ? 'colon' : this.afterValue();
    return at + 1;
  }

  /** @returns where to go on: the same byte again when it ended a number. */
  private step(byte: number, at: number): number {
    switch (this.state) {
      case 'value':
        return isWhitespace(byte) ? at + 1 : this.beginValue(byte, at);
      case 'value-or-close':
        if (byte === CLOSE_BRACKET) return this.close(at);
        return isWhitespace(byte) ? at + 1 : this.beginValue(byte, at);
      case 'name':
      case 'name-or-close':
        if (byte === CLOSE_BRACE && this.state === 'name-or-close') return this.close(at);
        if (isWhitespace(byte)) return at + 1;
        return byte === QUOTE ? this.beginName(at) : this.fail('syntax', at);
      case 'colon':
        return isWhitespace(byte) ? at + 1 : this.expect(byte === COLON, 'value', at);
      case 'comma-or-close':
        return isWhitespace(byte) ? at + 1 : this.separate(byte, at);
      case 'done':
        return isWhitespace(byte) ? at + 1 : this.fail('syntax', at);
      case 'escape':
        return this.escape(byte, at);
      case 'hex':
        if (!isHexDigit(byte)) return this.fail('syntax', at);
        this.stringBytes += 1;
        if (++this.hexDigits === 4) this.state = 'string';
        return at + 1;
      case 'literal':
        if (byte !== this.literal.charCodeAt(this.literalAt)) return this.fail('syntax', at);
        if (++this.literalAt === this.literal.length) this.state = this.afterValue();
        return at + 1;
      default:
        return this.stepNumber(byte, at);
    }
  }

  private expect(met: boolean, next: State, at: number): number {
    if (!met) return this.fail('syntax', at);
    this.state = next;
    return at + 1;
  }

  private beginValue(byte: number, at: number): number {
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) return this.open(byte === OPEN_BRACE, at);
    if (byte === QUOTE) return this.beginString(false, at);
    if (byte === MINUS) return this.expect(true, 'minus', at);
    if (byte === ZERO) return this.expect(true, 'zero', at);
    if (isDigit(byte)) return this.expect(true, 'integer', at);
    this.literal = LITERALS.get(byte) ?? '';
    this.literalAt = 1;
    return this.expect(this.literal !== '', 'literal', at);
  }

  private beginName(at: number): number {
    this.keys += 1;
    return this.keys > this.limits.keys ? this.fail('keys', at) : this.beginString(true, at);
  }

  private beginString(isName: boolean, at: number): number {
    this.isName = isName;
    this.stringBytes = 0;
    return this.expect(true, 'string', at);
  }

  private open(isObject: boolean, at: number): number {
    this.containers.push(isObject);
    if (this.containers.length > this.limits.depth) return this.fail('depth', at);
    return this.expect(true, isObject ? 'name-or-close' : 'value-or-close', at);
  }

  private close(at: number): number {
    this.containers.pop();
    return this.expect(true, this.afterValue(), at);
  }

  private afterValue(): State {
    return this.containers.length === 0 ? 'done' : 'comma-or-close';
  }

  private separate(byte: number, at: number): number {
    const inObject = this.containers.at(-1)!;
    if (byte === COMMA) return this.expect(true, inObject ? 'name' : 'value', at);
    return byte === (inObject ? CLOSE_BRACE : CLOSE_BRACKET) ? this.close(at) : this.fail('syntax', at);
  }

  private escape(byte: number, at: number): number {
    this.stringBytes += 2;
    this.hexDigits = 0;
    if (byte === 0x75) return this.expect(true, 'hex', at);
    return this.expect(SIMPLE_ESCAPES.has(byte), 'string', at);
  }

  private stepNumber(byte: number, at: number): number {
    const next = nextInNumber(this.state, byte);
    if (next) return this.expect(true, next, at);
    if (!COMPLETE_NUMBER.has(this.state)) return this.fail('syntax', at);
    this.state = this.afterValue();
    return at;
  }
}

/** RFC 8259 §6. @returns undefined when the byte does not go on with the number. */
function nextInNumber(state: State, byte: number): State | undefined {
  const digit = isDigit(byte);
  switch (state) {
    case 'minus':
      return byte === ZERO ? 'zero' : digit ? 'integer' : undefined;
    case 'zero':
    case 'integer':
      if (byte === 0x2e) return 'point';
      if (isExponentMark(byte)) return 'exponent';
      return digit && state === 'integer' ? 'integer' : undefined;
    case 'point':
      return digit ? 'fraction' : undefined;
    case 'fraction':
      return digit ? 'fraction' : isExponentMark(byte) ? 'exponent' : undefined;
    case 'exponent':
      if (byte === 0x2b || byte === MINUS) return 'exponent-sign';
      return digit ? 'exponent-digits' : undefined;
    default:
      return digit ? 'exponent-digits' : undefined;
  }
}
