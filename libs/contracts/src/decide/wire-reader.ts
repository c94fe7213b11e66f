/**
 * Reads messages of the `Decide` streams in the protobuf encoding, where the bytes lie. Whoever sent them may be of
 * another version or hostile: unknown fields are passed over, and what does not add up throws.
 */
export class WireReader {
  /** Position of the next byte. */
  at = 0;
  private bytes: Buffer = Buffer.alloc(0);
  private end = 0;
  private window = '';
  private windowAt = 0;

  /** Begins with a message; it is read in place and must not change meanwhile. */
  start(message: Buffer): void {
    this.bytes = message;
    this.at = 0;
    this.end = message.length;
    this.window = '';
  }

  /**
   * Takes everything from here to `end` out of the buffer at once, when much text lies there: to cut a piece from text is
   * far cheaper than to make one from bytes. What is cut keeps all of it in memory, so `end` is that of one question.
   */
  prepare(end: number): void {
    this.windowAt = this.at;
    this.window = this.bytes.toString('latin1', this.at, end);
  }

  /** Whether anything is left of the whole message. */
  get more(): boolean {
    return this.at < this.end;
  }

  /** @returns a whole number up to 2^53; larger ones lose their exactness. @throws RangeError when there is none. */
  varint(): number {
    const { bytes } = this;
    const first = this.at < this.end ? bytes[this.at++]! : this.broken();
    if (first < 0x80) return first;
    let value = first & 0x7f;
    let scale = 0x80;
    for (let count = 1; count < 10; count++) {
      const byte = this.at < this.end ? bytes[this.at++]! : this.broken();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    return this.broken();
  }

  /** A length and nothing more. @returns where what has that length ends. */
  nested(): number {
    const end = this.varint() + this.at;
    if (end > this.end) this.broken();
    return end;
  }

  text(): string {
    const end = this.nested();
    const start = this.at;
    this.at = end;
    if (start === end) return '';
    const from = start - this.windowAt;
    const to = end - this.windowAt;
    if (from < 0 || to > this.window.length || !this.isAscii(start, end))
      return this.bytes.toString('utf8', start, end);
    return this.window.substring(from, to);
  }

  /** Bytes as text, one character a byte. */
  latin1(): string {
    const end = this.nested();
    const start = this.at;
    this.at = end;
    if (start === end) return '';
    const from = start - this.windowAt;
    const to = end - this.windowAt;
    return from < 0 || to > this.window.length
      ? this.bytes.toString('latin1', start, end)
      : this.window.substring(from, to);
  }

  /** The bytes where they lie: a view that holds while the message does. */
  view(): Buffer {
    const end = this.nested();
    const start = this.at;
    this.at = end;
    return this.bytes.subarray(start, end);
  }

  /** The bytes from here to `end`, where they lie. */
  upTo(end: number): Buffer {
    return this.bytes.subarray(this.at, end);
  }

  /** Passes over a field. @throws RangeError when its wire type is none that proto3 has. */
  skip(tag: number): void {
    switch (tag & 7) {
      case 0:
        this.varint();
        return;
      case 1:
        return this.pass(8);
      case 2:
        this.at = this.nested();
        return;
      case 5:
        return this.pass(4);
      default:
        this.broken();
    }
  }

  private isAscii(start: number, end: number): boolean {
    const { bytes } = this;
    for (let at = start; at < end; at++) if (bytes[at]! > 0x7f) return false;
    return true;
  }

  private pass(count: number): void {
    if (this.at + count > this.end) this.broken();
    this.at += count;
  }

  private broken(): never {
    throw new RangeError('a message does not add up');
  }
}
