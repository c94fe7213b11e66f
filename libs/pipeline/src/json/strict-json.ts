import { isUtf8 } from 'node:buffer';
import type { SnapshotRoute } from '@sallyport/contracts';
import { compareDecimals, readDecimal, type Decimal } from './decimal';

/** What a document may be made of before it is refused. */
export interface JsonBounds {
  /** Containers within containers. */
  readonly depth: number;
  /** Members of all objects together. */
  readonly members: number;
  /** UTF-16 units of one string. */
  readonly stringLength: number;
}

const jsonBounds: JsonBounds = { depth: 64, members: 10_000, stringLength: 1024 * 1024 };

/** The bounds of documents on a route: the same ones by which they are inspected there. */
export function jsonBoundsOf({ limits }: Pick<SnapshotRoute, 'limits'>): JsonBounds {
  if (!limits) return jsonBounds;
  const { jsonDepth: depth, jsonKeys: members, jsonStringBytes: stringLength } = limits;
  return {
    depth: depth ?? jsonBounds.depth,
    members: members ?? jsonBounds.members,
    stringLength: stringLength ?? jsonBounds.stringLength,
  };
}

/** Why a text is not a document, and the UTF-16 unit at which that was known. */
export class JsonFault {
  constructor(
    readonly what: string,
    readonly at: number,
  ) {}
}

/** A number as it was written: a double would change what does not fit into one. */
export class ExactNumber {
  private read: Decimal | undefined;

  constructor(readonly text: string) {}

  get decimal(): Decimal {
    return (this.read ??= readDecimal(this.text));
  }
}

/** Of a number of so many characters and no exponent, a double keeps every digit (IEEE 754: it has room for 15). */
const SHORT = 15;

/**
 * The number a text of JSON stands for: as a double where that is written back as the same number, else as it was
 * written. RFC 8259 §6: what is beyond a double means one thing to this reader and another one to the next.
 */
export function numberOf(text: string): number | ExactNumber {
  const value = Number(text);
  if (text.length <= SHORT && !/[eE]/.test(text)) return value;
  const exact = new ExactNumber(text);
  return Number.isFinite(value) && compareDecimals(exact.decimal, readDecimal(String(value))) === 0 ? value : exact;
}

/** A document that is written out exactly as it was read: numbers keep their digits, members their order. */
export type ExactJson = null | boolean | string | ExactNumber | ExactJson[] | Map<string, ExactJson>;

/** How a document is built: one reader serves those who look at values and those who write them again. */
interface Shape<Value, Members> {
  number(text: string): Value;
  object(): Members;
  has(members: Members, name: string): boolean;
  add(members: Members, name: string, value: Value): void;
  value(of: null | boolean | string | Value[] | Members): Value;
}

type Plain = Record<string, unknown>;

const plain: Shape<unknown, Plain> = {
  number: numberOf,
  // Without a prototype `__proto__` is a name like any other.
  object: () => Object.create(null) as Plain,
  has: (members, name) => name in members,
  add: (members, name, value) => void (members[name] = value),
  value: (value) => value,
};

const exact: Shape<ExactJson, Map<string, ExactJson>> = {
  number: (text) => new ExactNumber(text),
  object: () => new Map(),
  has: (members, name) => members.has(name),
  add: (members, name, value) => void members.set(name, value),
  value: (value) => value,
};

/**
 * For bodies that a policy looks into or writes again, and therefore builds. Inspection judges bodies that it must not
 * hold (`JsonScanner` of waf), and models' bodies are cut in place, megabytes of them, around a few members (`scanObject`
 * of ai): neither builds anything. One set of cases holds this reader and inspection to the same verdicts.
 *
 * Reads a JSON text (RFC 8259) as values: UTF-8 without a byte order mark, no member twice (§4: readers differ on which
 * one counts), within bounds. Objects have no prototype; numbers are as `numberOf` has them.
 */
export function readJson(bytes: Uint8Array, bounds: JsonBounds = jsonBounds): { value: unknown } | JsonFault {
  return read(bytes, bounds, plain);
}

/** Reads a JSON text so that it can be changed in places and written again with everything else as it was. */
export function readExactJson(bytes: Uint8Array, bounds: JsonBounds = jsonBounds): { value: ExactJson } | JsonFault {
  return read(bytes, bounds, exact);
}

/** Writes a document without white space. */
export function writeExactJson(value: ExactJson): string {
  if (typeof value === 'string') return quoted(value);
  if (value instanceof ExactNumber) return value.text;
  if (value instanceof Map) return writeObject(value);
  return Array.isArray(value) ? writeArray(value) : String(value);
}

// One growing text: lists of parts that are joined take half as long again.
function writeObject(members: ReadonlyMap<string, ExactJson>): string {
  let text = '';
  for (const [name, member] of members) text += `${text && ','}${quoted(name)}:${writeExactJson(member)}`;
  return `{${text}}`;
}

function writeArray(items: readonly ExactJson[]): string {
  let text = '';
  for (const [at, item] of items.entries()) text += (at > 0 ? ',' : '') + writeExactJson(item);
  return `[${text}]`;
}

/** Nothing that must be escaped, and no surrogates, of which `JSON.stringify` escapes those that stand alone. */
const VERBATIM = /^[\x20\x21\x23-\x5b\x5d-\ud7ff\ue000-\uffff]*$/;

function quoted(text: string): string {
  return VERBATIM.test(text) ? `"${text}"` : JSON.stringify(text);
}

/** @param value as `JSON.parse` would give it, from a configuration. */
export function exactOf(value: unknown): ExactJson {
  if (typeof value === 'number') return new ExactNumber(JSON.stringify(value));
  if (Array.isArray(value)) return value.map(exactOf);
  if (typeof value === 'object' && value !== null) {
    return new Map(Object.entries(value).map(([name, member]) => [name, exactOf(member)]));
  }
  return value as null | boolean | string;
}

function read<Value, Members>(
  bytes: Uint8Array,
  bounds: JsonBounds,
  shape: Shape<Value, Members>,
): { value: Value } | JsonFault {
  if (!isUtf8(bytes)) return new JsonFault('is not UTF-8', 0);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  const reader = new Reader(text, bounds, shape);
  try {
    return { value: reader.document() };
  } catch (error) {
    if (error instanceof JsonFault) return error;
    throw error;
  }
}

const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** The depth bound keeps the recursion shallow. */
class Reader<Value, Members> {
  private at = 0;
  private depth = 0;
  private members = 0;

  constructor(
    private readonly text: string,
    private readonly bounds: JsonBounds,
    private readonly shape: Shape<Value, Members>,
  ) {}

  document(): Value {
    this.space();
    const value = this.read();
    this.space();
    if (this.at < this.text.length) this.fail('has something after its end');
    return value;
  }

  private fail(what: string): never {
    // A fault is no error: it has no stack, and every reader of a body expects it.
    // eslint-disable-next-line @typescript-eslint/only-throw-error
    throw new JsonFault(what, this.at);
  }

  private space(): void {
    for (;;) {
      const unit = this.text.charCodeAt(this.at);
      if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return;
      this.at += 1;
    }
  }

  private read(): Value {
    switch (this.text.charCodeAt(this.at)) {
      case 0x7b:
        return this.object();
      case 0x5b:
        return this.array();
      case QUOTE:
        return this.shape.value(this.string());
      case 0x74:
        return this.literal('true', true);
      case 0x66:
        return this.literal('false', false);
      case 0x6e:
        return this.literal('null', null);
      default:
        return this.number();
    }
  }

  private literal(word: string, value: null | boolean): Value {
    if (!this.text.startsWith(word, this.at)) this.fail('is not JSON');
    this.at += word.length;
    return this.shape.value(value);
  }

  private number(): Value {
    NUMBER.lastIndex = this.at;
    const found = NUMBER.exec(this.text);
    if (!found) this.fail(this.at === this.text.length ? 'ends too early' : 'is not JSON');
    this.at += found[0].length;
    return this.shape.number(found[0]);
  }

  private string(): string {
    const from = this.at + 1;
    let escaped = false;
    let at = from;
    for (; ; at++) {
      const unit = this.text.charCodeAt(at);
      if (unit === QUOTE) break;
      if (unit === BACKSLASH) {
        escaped = true;
        at += 1;
      } else if (!(unit >= 0x20)) {
        this.at = at;
        this.fail('has a string that does not end, or holds a control character');
      }
    }
    if (at - from > this.bounds.stringLength) this.fail(`has a string longer than ${this.bounds.stringLength}`);
    const value = escaped ? this.unescape(from - 1, at + 1) : this.text.slice(from, at);
    this.at = at + 1;
    return value;
  }

  private unescape(from: number, to: number): string {
    try {
      return JSON.parse(this.text.slice(from, to)) as string;
    } catch {
      return this.fail('has an escape that JSON does not know');
    }
  }

  private open(): void {
    this.at += 1;
    this.depth += 1;
    if (this.depth > this.bounds.depth) this.fail(`is nested deeper than ${this.bounds.depth}`);
    this.space();
  }

  /** @returns whether another one follows; consumes the comma or the closing bracket. */
  private another(close: number): boolean {
    this.space();
    const unit = this.text.charCodeAt(this.at);
    if (unit !== 0x2c && unit !== close) this.fail('is not JSON');
    this.at += 1;
    if (unit === close) {
      this.depth -= 1;
      return false;
    }
    this.space();
    return true;
  }

  private array(): Value {
    this.open();
    const items: Value[] = [];
    if (this.text.charCodeAt(this.at) === 0x5d) this.another(0x5d);
    else {
      do items.push(this.read());
      while (this.another(0x5d));
    }
    return this.shape.value(items);
  }

  private object(): Value {
    this.open();
    const members = this.shape.object();
    if (this.text.charCodeAt(this.at) === 0x7d) this.another(0x7d);
    else {
      do this.member(members);
      while (this.another(0x7d));
    }
    return this.shape.value(members);
  }

  private member(members: Members): void {
    if (this.text.charCodeAt(this.at) !== QUOTE) this.fail('is not JSON');
    this.members += 1;
    if (this.members > this.bounds.members) this.fail(`has more than ${this.bounds.members} members`);
    const name = this.string();
    if (this.shape.has(members, name)) this.fail('names a member twice');
    this.space();
    if (this.text.charCodeAt(this.at) !== 0x3a) this.fail('is not JSON');
    this.at += 1;
    this.space();
    this.shape.add(members, name, this.read());
  }
}
