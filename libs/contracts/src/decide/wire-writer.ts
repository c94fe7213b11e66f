/** Longest text that is written byte by byte; longer ones are cheaper through the runtime. */
const SHORT = 96;
/** A length is written before its content is known, in a varint padded to this many bytes: any decoder reads it. */
const LENGTH_BYTES = 3;
const LONGEST = 2 ** (7 * LENGTH_BYTES) - 1;
const FIRST_BYTES = 16 * 1024;
/** A buffer that one large message has blown up is not kept. */
const KEPT_BYTES = 1024 * 1024;

/**
 * Writes the hot messages of the `Decide` streams in the protobuf encoding, field by field into one buffer: no object
 * stands between a value and its bytes. The `tag` of a field is its number times eight plus its wire type. As proto3
 * has it, empty text and zero are left out.
 */
export class WireWriter {
  private buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private at = 0;

  /** Bytes written since the last `take`. */
  get length(): number {
    return this.at;
  }

  /** Takes back everything written after `length` was this. */
  truncate(length: number): void {
    this.at = length;
  }

  /**
   * What was written, as a buffer of its own; the writer is empty again.
   * @param room bytes left free in front of it, for whoever frames it.
   */
  take(room = 0): Buffer {
    const taken = Buffer.allocUnsafe(room + this.at);
    this.buffer.copy(taken, room, 0, this.at);
    this.at = 0;
    if (this.buffer.length > KEPT_BYTES) this.buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
    return taken;
  }

  uint(tag: number, value: number): void {
    if (value === 0) return;
    this.room(6);
    this.buffer[this.at++] = tag;
    this.varint(value);
  }

  /** Also when it is zero: for members of a oneof, and fields whose absence says something. */
  present(tag: number, value: number): void {
    this.room(6);
    this.buffer[this.at++] = tag;
    this.varint(value);
  }

  /** A whole number up to 2^53, where `uint` goes to 2^32. */
  uint64(tag: number, value: number): void {
    this.room(11);
    this.buffer[this.at++] = tag;
    let rest = value;
    while (rest > 0x7f) {
      this.buffer[this.at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.buffer[this.at++] = rest;
  }

  flag(tag: number, value: boolean): void {
    if (value) this.present(tag, 1);
  }

  /** Text, as UTF-8. */
  text(tag: number, value: string): void {
    const { length } = value;
    if (length === 0) return;
    if (length > SHORT) return this.longText(tag, value);
    this.room(2 + length);
    const start = this.at;
    const { buffer } = this;
    buffer[start] = tag;
    buffer[start + 1] = length;
    for (let index = 0, at = start + 2; index < length; index++, at++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return this.longText(tag, value);
      buffer[at] = code;
    }
    this.at = start + 2 + length;
  }

  /** Bytes that are held as text, one character a byte. */
  latin1(tag: number, value: string): void {
    const { length } = value;
    if (length === 0) return;
    this.room(6 + length);
    this.buffer[this.at++] = tag;
    this.varint(length);
    if (length > SHORT) this.at += this.buffer.write(value, this.at, length, 'latin1');
    else for (let index = 0; index < length; index++) this.buffer[this.at++] = value.charCodeAt(index);
  }

  bytes(tag: number, value: Uint8Array): void {
    if (value.length > 0) this.message(tag, value);
  }

  /** A message that is encoded already. */
  message(tag: number, encoded: Uint8Array): void {
    this.room(6 + encoded.length);
    this.buffer[this.at++] = tag;
    this.varint(encoded.length);
    this.buffer.set(encoded, this.at);
    this.at += encoded.length;
  }

  /** What is written next, up to `close`, belongs to a message within the message. @returns what `close` needs. */
  open(tag: number): number {
    this.room(1 + LENGTH_BYTES);
    this.buffer[this.at] = tag;
    this.at += 1 + LENGTH_BYTES;
    return this.at;
  }

  /** @throws RangeError when the message within is larger than 2 MiB. */
  close(opened: number): void {
    const length = this.at - opened;
    if (length > LONGEST) throw new RangeError(`a message of ${length} bytes is too large`);
    this.buffer[opened - 3] = (length & 0x7f) | 0x80;
    this.buffer[opened - 2] = ((length >>> 7) & 0x7f) | 0x80;
    this.buffer[opened - 1] = length >>> 14;
  }

  private longText(tag: number, value: string): void {
    this.room(6 + 3 * value.length);
    this.buffer[this.at++] = tag;
    const bytes = Buffer.byteLength(value, 'utf8');
    this.varint(bytes);
    this.at += this.buffer.write(value, this.at, bytes, 'utf8');
  }

  private varint(value: number): void {
    let rest = value >>> 0;
    while (rest > 0x7f) {
      this.buffer[this.at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.buffer[this.at++] = rest;
  }

  private room(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.buffer.length, this.at + bytes));
    this.buffer.copy(larger, 0, 0, this.at);
    this.buffer = larger;
  }
}
