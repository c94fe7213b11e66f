/** A byte string: one UTF-16 unit per byte, 0 to 255. Every value the rules see is one; text is never decoded to characters. */
export type Bytes = string;

/** A text of its own: a slice keeps the whole it was cut from, and what was put together stays in pieces until somebody reads it. */
export function copyOf(text: Bytes): Bytes {
  return Buffer.from(text, 'latin1').toString('latin1');
}

/** ASCII letters in lower case, every other byte as it is: one above 0x7f is no letter. */
export function foldText(text: Bytes): Bytes {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** A set of bytes. */
export class ByteSet {
  private readonly bits = new Uint32Array(8);

  /** @param bytes each of its units is a member. */
  static of(bytes: Bytes): ByteSet {
    const set = new ByteSet();
    for (let at = 0; at < bytes.length; at++) set.add(bytes.charCodeAt(at));
    return set;
  }

  /** @param first and last, both members, 0 to 255 */
  static range(first: number, last: number): ByteSet {
    const set = new ByteSet();
    for (let byte = first; byte <= last; byte++) set.add(byte);
    return set;
  }

  add(byte: number): void {
    this.bits[byte >>> 5]! |= 1 << (byte & 31);
  }

  has(byte: number): boolean {
    return ((this.bits[byte >>> 5]! >>> (byte & 31)) & 1) === 1;
  }

  /** The same for sets of the same members. */
  get key(): string {
    return this.bits.join();
  }

  /** Whether every member of the other is one of this. */
  includes(other: ByteSet): boolean {
    return this.bits.every((word, at) => (other.bits[at]! & ~word) === 0);
  }

  /** Whether a member of the other is one of this. */
  meets(other: ByteSet): boolean {
    return this.bits.some((word, at) => (other.bits[at]! & word) !== 0);
  }

  union(other: ByteSet): ByteSet {
    const set = new ByteSet();
    for (let at = 0; at < 8; at++) set.bits[at] = this.bits[at]! | other.bits[at]!;
    return set;
  }
}
