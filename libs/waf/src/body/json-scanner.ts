import { Utf8Watch } from './utf8-watch';

/** What a document may be made of. */
export interface JsonLimits {
  /** Containers within containers. */
  readonly depth: number;
  /** Members of all objects together. */
  readonly keys: number;
  /** Bytes of one string as written, without its quotes; names of members are strings as well. */
  readonly stringBytes: number;
  /** Whether an object may name a member only once. */
  readonly uniqueNames?: boolean;
}

/** Why a document is not acceptable, and the byte at which that was known. */
export interface JsonFault {
  readonly kind: 'syntax' | 'depth' | 'keys' | 'string' | 'name' | 'duplicate';
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
const UNDERSCORE = 0x5f;
const ZERO = 0x30;

/** Numbers, since they are compared for every byte; those up to `done` stand between tokens, where white space may be. */
const State = {
  value: 0,
  valueOrClose: 1,
  name: 2,
  nameOrClose: 3,
  colon: 4,
  commaOrClose: 5,
  done: 6,
  string: 7,
  escape: 8,
  hex: 9,
  literal: 10,
  minus: 11,
  zero: 12,
  integer: 13,
  point: 14,
  fraction: 15,
  exponent: 16,
  exponentSign: 17,
  exponentDigits: 18,
} as const;
type State = (typeof State)[keyof typeof State];

interface NumberStep {
  readonly zero?: State;
  readonly digit?: State;
  readonly point?: State;
  readonly mark?: State;
  readonly sign?: State;
  /** Whether the number may end here. */
  readonly complete?: true;
}

const fractionDigits = { zero: State.fraction, digit: State.fraction } as const;
const exponentDigits = { zero: State.exponentDigits, digit: State.exponentDigits } as const;
const exponentMark = { mark: State.exponent } as const;

/** RFC 8259 §6: what may follow within a number, and where that leads; the first row is that of `minus`. */
const NUMBER: readonly NumberStep[] = [
  { zero: State.zero, digit: State.integer },
  { point: State.point, ...exponentMark, complete: true },
  { zero: State.integer, digit: State.integer, point: State.point, ...exponentMark, complete: true },
  fractionDigits,
  { ...fractionDigits, ...exponentMark, complete: true },
  { ...exponentDigits, sign: State.exponentSign },
  exponentDigits,
  { ...exponentDigits, complete: true },
];

function follow(step: NumberStep, byte: number): State | undefined {
  if (byte === ZERO) return step.zero;
  if (isDigit(byte)) return step.digit;
  if (byte === 0x2e) return step.point;
  if ((byte | 0x20) === 0x65) return step.mark;
  return byte === MINUS || byte === 0x2b ? step.sign : undefined;
}

const LITERALS: ReadonlyMap<number, string> = new Map([
  [0x74, 'true'],
  [0x66, 'false'],
  [0x6e, 'null'],
]);

const isWhitespace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
const isHexDigit = (byte: number): boolean => isDigit(byte) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
const SIMPLE_ESCAPES: ReadonlySet<number> = new Set(Buffer.from('"\\/bfnrt'));

/**
 * Judges a JSON document (RFC 8259) as its bytes arrive, in time linear in them and in memory that does not grow with
 * them: nothing is parsed, so that a document made to exhaust a parser is refused before there is one. Text must be
 * UTF-8 without a byte order mark, and nothing may follow the document.
 *
 * It is the only reader that needs no whole body; pipeline builds documents (`readJson`), ai finds places in one
 * (`scanObject`), both from a body that is held already.
 */
export class JsonScanner {
  private state: State = State.value;
  /** One entry a container: true for an object. The limit bounds it. */
  private readonly containers: boolean[] = [];
  private readonly utf8 = new Utf8Watch();
  /** Names of each open object, where they must differ. */
  private readonly names: (Set<string> | undefined)[] = [];
  private isName = false;
  /** The name being read as far as it was written, where it is looked at. */
  private name: string | undefined;
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
      at = this.state === State.string ? this.scanString(chunk, at) : this.step(chunk[at]!, at);
    }
    this.offset += chunk.length;
    return this.fault;
  }

  /** @returns the fault of the whole; a body without a byte is no document and no fault. */
  end(): JsonFault | undefined {
    if (this.fault || this.offset === 0) return this.fault;
    const endsHere = this.state === State.done || NUMBER[this.state - State.minus]?.complete === true;
    const complete = this.containers.length === 0 && endsHere;
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
    if (this.isName) this.readName(chunk, from, at);
    this.stringBytes += at - from;
    if (this.stringBytes > this.limits.stringBytes) return this.fail('string', at);
    if (at === chunk.length) return at;
    if (!this.utf8.complete || chunk[at]! < 0x20) return this.fail('syntax', at);
    if (chunk[at] === BACKSLASH) this.state = State.escape;
    else if (!this.isName) this.state = this.afterValue();
    else {
      const kind = this.judgeName();
      if (kind) return this.fail(kind, at);
      this.state = State.colon;
    }
    return at + 1;
  }

  /** Names are looked at where they must differ; of others only those that begin like `__proto__`, escaped or not. */
  private readName(chunk: Uint8Array, from: number, to: number): void {
    if (this.name === undefined && this.stringBytes === 0 && (this.limits.uniqueNames || chunk[from] === UNDERSCORE))
      this.name = '';
    if (this.name !== undefined) this.name += latin1(chunk, from, to);
  }

  private judgeName(): 'name' | 'duplicate' | undefined {
    if (this.name === undefined) return undefined;
    const name = decodeName(this.name);
    if (name === '__proto__') return 'name';
    const names = this.names.at(-1);
    if (!names) return undefined;
    // Digits alone would be hashed by their value, which whoever writes the document can make collide.
    if (names.has(`k${name}`)) return 'duplicate';
    names.add(`k${name}`);
    return undefined;
  }

  /** @returns where to go on: the same byte again when it ended a number. */
  private step(byte: number, at: number): number {
    if (this.state <= State.done) return isWhitespace(byte) ? at + 1 : this.stepBetween(byte, at);
    if (this.state === State.escape) return this.escape(byte, at);
    if (this.state === State.hex) return this.stepHex(byte, at);
    if (this.state === State.literal) return this.stepLiteral(byte, at);
    return this.stepNumber(byte, at, NUMBER[this.state - State.minus]!);
  }

  private stepBetween(byte: number, at: number): number {
    switch (this.state) {
      case State.value:
        return this.beginValue(byte, at);
      case State.valueOrClose:
        return byte === CLOSE_BRACKET ? this.close(at) : this.beginValue(byte, at);
      case State.name:
        return this.beginName(byte, at);
      case State.nameOrClose:
        return byte === CLOSE_BRACE ? this.close(at) : this.beginName(byte, at);
      case State.colon:
        return this.expect(byte === COLON, State.value, at);
      case State.commaOrClose:
        return this.separate(byte, at);
      default:
        return this.fail('syntax', at);
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
    if (byte === MINUS) return this.expect(true, State.minus, at);
    if (byte === ZERO) return this.expect(true, State.zero, at);
    if (isDigit(byte)) return this.expect(true, State.integer, at);
    this.literal = LITERALS.get(byte) ?? '';
    this.literalAt = 1;
    return this.expect(this.literal !== '', State.literal, at);
  }

  private beginName(byte: number, at: number): number {
    if (byte !== QUOTE) return this.fail('syntax', at);
    this.keys += 1;
    return this.keys > this.limits.keys ? this.fail('keys', at) : this.beginString(true, at);
  }

  private beginString(isName: boolean, at: number): number {
    this.isName = isName;
    this.name = undefined;
    this.stringBytes = 0;
    return this.expect(true, State.string, at);
  }

  private open(isObject: boolean, at: number): number {
    this.containers.push(isObject);
    if (this.limits.uniqueNames) this.names.push(isObject ? new Set() : undefined);
    if (this.containers.length > this.limits.depth) return this.fail('depth', at);
    return this.expect(true, isObject ? State.nameOrClose : State.valueOrClose, at);
  }

  private close(at: number): number {
    this.containers.pop();
    this.names.pop();
    return this.expect(true, this.afterValue(), at);
  }

  private afterValue(): State {
    return this.containers.length === 0 ? State.done : State.commaOrClose;
  }

  private separate(byte: number, at: number): number {
    const inObject = this.containers.at(-1)!;
    if (byte === COMMA) return this.expect(true, inObject ? State.name : State.value, at);
    return byte === (inObject ? CLOSE_BRACE : CLOSE_BRACKET) ? this.close(at) : this.fail('syntax', at);
  }

  private escape(byte: number, at: number): number {
    if (this.isName && this.stringBytes === 0) this.name ??= '';
    if (this.name !== undefined) this.name += `\\${String.fromCharCode(byte)}`;
    this.stringBytes += 2;
    this.hexDigits = 0;
    if (byte === 0x75) return this.expect(true, State.hex, at);
    return this.expect(SIMPLE_ESCAPES.has(byte), State.string, at);
  }

  private stepHex(byte: number, at: number): number {
    if (!isHexDigit(byte)) return this.fail('syntax', at);
    if (this.name !== undefined) this.name += String.fromCharCode(byte);
    this.stringBytes += 1;
    this.hexDigits += 1;
    return this.expect(true, this.hexDigits === 4 ? State.string : State.hex, at);
  }

  private stepLiteral(byte: number, at: number): number {
    if (byte !== this.literal.charCodeAt(this.literalAt)) return this.fail('syntax', at);
    this.literalAt += 1;
    return this.expect(true, this.literalAt === this.literal.length ? this.afterValue() : State.literal, at);
  }

  private stepNumber(byte: number, at: number, step: NumberStep): number {
    const next = follow(step, byte);
    if (next !== undefined) return this.expect(true, next, at);
    if (!step.complete) return this.fail('syntax', at);
    this.state = this.afterValue();
    return at;
  }
}

function latin1(chunk: Uint8Array, from: number, to: number): string {
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1', from, to);
}

/** @param written a name between its quotes, one character a byte; known to be well-formed */
function decodeName(written: string): string {
  const text = /[\x80-\xff]/.test(written) ? Buffer.from(written, 'latin1').toString('utf8') : written;
  return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
}
