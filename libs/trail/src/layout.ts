import { canonicalJson, type Json } from '@sallyport/contracts';

/**
 * The bytes of a JSON document that is written very often, member by member, without the object and the text they would be
 * made of. What a member is made of is said once, when the program starts; what is written is canonical JSON (RFC 8785),
 * because members that are not in sorted order are refused there and then.
 */

/** Writes one member, or nothing where there is none. @param name as `Output.begin` takes it */
export type Write<In> = (out: Output, name: Uint8Array, input: In) => void;

/** Writes a whole value. */
export type Whole<In> = (out: Output, input: In) => void;

/**
 * An object of these members.
 * @throws RangeError when they are not in the order of RFC 8785 §3.2.3.
 */
export function object<In>(members: Readonly<Record<string, Write<In>>>): Whole<In> {
  const names = Object.keys(members);
  const unsorted = names.find((name, at) => at > 0 && name < names[at - 1]!);
  if (unsorted !== undefined) throw new RangeError(`the member ${unsorted} is not in its place`);
  const begins = names.map((name) => Buffer.from(`${JSON.stringify(name)}:`));
  const writes = Object.values(members);
  return (out, input) => {
    out.open();
    for (let at = 0; at < writes.length; at++) writes[at]!(out, begins[at]!, input);
    out.close();
  };
}

/** A value that is always the same. */
export function constant(value: Json): Write<unknown> {
  const bytes = Buffer.from(canonicalJson(value));
  return (out, name) => {
    out.begin(name);
    out.bytes(bytes);
  };
}

export function text<In>(select: (input: In) => string | undefined): Write<In> {
  return (out, name, input) => {
    const value = select(input);
    if (value === undefined) return;
    out.begin(name);
    out.text(value);
  };
}

export function number<In>(select: (input: In) => number | undefined): Write<In> {
  return (out, name, input) => {
    const value = select(input);
    if (value === undefined) return;
    out.begin(name);
    out.number(value);
  };
}

/** A part of the input, written by a layout of its own; left out where there is none. */
export function part<In, Part>(select: (input: In) => Part | undefined, write: Whole<Part>): Write<In> {
  return (out, name, input) => {
    const selected = select(input);
    if (selected === undefined) return;
    out.begin(name);
    write(out, selected);
  };
}

/** What is rare, or of no fixed shape: JSON that is written already. */
export function json<In>(select: (input: In) => string | undefined): Write<In> {
  return (out, name, input) => {
    const value = select(input);
    if (value === undefined) return;
    out.begin(name);
    out.json(value);
  };
}

/** The bytes that a layout writes from an input. */
export function written<In>(write: Whole<In>, input: In): Buffer {
  // One for all: a layout is written in one go, and what it wrote is copied out.
  output.clear();
  write(output, input);
  return output.copy();
}

const OPEN = 0x7b;
const CLOSE = 0x7d;
const COMMA = 0x2c;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
/** Counts and moments: the text of a number of more digits is made elsewhere. */
const MOST_DIGITS = 15;
const MOST_COUNTED = 10 ** MOST_DIGITS;
/** Bytes a UTF-16 code unit takes at most, escaped or in UTF-8. */
const MOST_BYTES = 6;
const FIRST_BYTES = 16 * 1024;
/** What a giant has left behind is not kept for those that come after it. */
const KEPT_BYTES = 256 * 1024;

/** Bytes of a document in the making. */
class Output {
  private buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private end = 0;

  clear(): void {
    this.end = 0;
    if (this.buffer.length > KEPT_BYTES) this.buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  copy(): Buffer {
    const bytes = Buffer.allocUnsafe(this.end);
    this.buffer.copy(bytes, 0, 0, this.end);
    return bytes;
  }

  open(): void {
    this.room(2);
    this.buffer[this.end++] = OPEN;
  }

  close(): void {
    this.room(1);
    this.buffer[this.end++] = CLOSE;
  }

  /** A member begins. @param name quoted, with its colon */
  begin(name: Uint8Array): void {
    this.room(name.length + 1);
    // No value ends in an opening brace, so that one says that this is the first member.
    if (this.buffer[this.end - 1] !== OPEN) this.buffer[this.end++] = COMMA;
    this.bytes(name);
  }

  bytes(bytes: Uint8Array): void {
    this.room(bytes.length);
    const { buffer } = this;
    let { end } = this;
    // Few bytes each time: a call of `set` costs more than they do.
    for (let at = 0; at < bytes.length; at++) buffer[end++] = bytes[at]!;
    this.end = end;
  }

  /** RFC 8785 §3.2.2.3 writes numbers as ECMAScript does; what is none is null, as in JSON.stringify. */
  number(value: number): void {
    if (!(value >= 0 && value < MOST_COUNTED && Number.isInteger(value)))
      return this.json(Number.isFinite(value) ? `${value}` : 'null');
    this.room(MOST_DIGITS);
    let width = 1;
    for (let power = 10; power <= value; power *= 10) width++;
    const { buffer } = this;
    let rest = value;
    for (let at = this.end + width - 1; at >= this.end; at--) {
      const tenth = Math.floor(rest / 10);
      buffer[at] = ZERO + (rest - tenth * 10);
      rest = tenth;
    }
    this.end += width;
  }

  /** JSON that is written already. */
  json(written: string): void {
    this.room(written.length * MOST_BYTES);
    const { buffer } = this;
    let { end } = this;
    for (let at = 0; at < written.length; at++) {
      const unit = written.charCodeAt(at);
      if (unit > 0x7e) return this.utf8(written);
      buffer[end++] = unit;
    }
    this.end = end;
  }

  /** A string as RFC 8785 §3.2.2.2 writes it; what neither it nor Postgres can hold is replaced. */
  text(value: string): void {
    this.room(value.length * MOST_BYTES + 2);
    const { buffer } = this;
    let { end } = this;
    buffer[end++] = QUOTE;
    for (let at = 0; at < value.length; at++) {
      const unit = value.charCodeAt(at);
      if (unit < 0x20 || unit > 0x7e || unit === QUOTE || unit === BACKSLASH)
        return this.utf8(JSON.stringify(storable(value)));
      buffer[end++] = unit;
    }
    buffer[end++] = QUOTE;
    this.end = end;
  }

  private utf8(written: string): void {
    this.end += this.buffer.write(written, this.end, 'utf8');
  }

  private room(bytes: number): void {
    if (this.end + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.end + bytes));
    this.buffer.copy(larger, 0, 0, this.end);
    this.buffer = larger;
  }
}

const output = new Output();

const REPLACEMENT = '\ufffd';

/** Without U+0000 and lone surrogates. */
export function storable(value: string): string {
  return value.toWellFormed().replaceAll('\0', REPLACEMENT);
}
