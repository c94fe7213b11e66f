/** Some forty records of requests. */
const SLAB_BYTES = 64 * 1024;
/** Larger ones would leave too much of a slab unused. */
const MOST_BYTES = SLAB_BYTES / 4;
/** Of one UTF-16 code unit, at most. */
const UTF8_BYTES = 3;
/** Slabs that stay here: what a slow disk has made wait beyond them is given back to the system. */
const SLABS = 16;

/** A piece of memory that records share which follow one another. */
interface Slab {
  readonly bytes: Buffer;
  /** Everything from here on is free. */
  used: number;
  /** The record that was written last. */
  lastSeq: number;
  /** Whether it stays when it is free. */
  readonly stays: boolean;
}

/**
 * The memory in which the records of one chain wait for the disk. They come and go in order, so it goes round: a quiet gateway
 * writes into one and the same slab for ever, which stays in the processor's cache; new memory for each would be most of what
 * it asks the system for. The slabs that stay lie in one piece from the start, of which the system counts what was written to:
 * one by one they would come to lie behind whatever else lives at the time, which the C library then cannot give back.
 */
export class RecordMemory {
  /** The last is taken next. */
  readonly #free = slabsThatStay();
  #current = this.#free.pop()!;
  /** Behind it in time, oldest first. */
  readonly #full: Slab[] = [];

  /**
   * The UTF-8 bytes of a text with room in front of them, written once and where they stay: to ask for their number first, as
   * `Buffer.from` does, costs as much as to write them.
   *
   * @param seq of the record, higher than that of every one before
   * @param room bytes in front, whose content is arbitrary
   * @returns bytes that are good until `free` is told of this record or a later one.
   */
  write(seq: number, room: number, text: string): Buffer {
    const most = room + text.length * UTF8_BYTES;
    if (most > MOST_BYTES) return large(room, text);
    const slab = this.#slabFor(most);
    const start = slab.used;
    slab.used += room + slab.bytes.write(text, start + room);
    slab.lastSeq = seq;
    return slab.bytes.subarray(start, slab.used);
  }

  /** Nobody looks any more at the bytes of records up to `seq`. */
  free(seq: number): void {
    while (this.#full.length > 0 && this.#full[0]!.lastSeq <= seq) {
      const slab = this.#full.shift()!;
      slab.used = 0;
      if (slab.stays) this.#free.push(slab);
    }
    if (this.#current.lastSeq <= seq) this.#current.used = 0;
  }

  #slabFor(most: number): Slab {
    if (this.#current.used + most <= SLAB_BYTES) return this.#current;
    this.#full.push(this.#current);
    this.#current = this.#free.pop() ?? newSlab(Buffer.allocUnsafeSlow(SLAB_BYTES), false);
    return this.#current;
  }
}

function slabsThatStay(): Slab[] {
  const piece = Buffer.allocUnsafeSlow(SLABS * SLAB_BYTES);
  return Array.from({ length: SLABS }, (_, at) =>
    newSlab(piece.subarray(at * SLAB_BYTES, (at + 1) * SLAB_BYTES), true),
  );
}

function newSlab(bytes: Buffer, stays: boolean): Slab {
  return { bytes, used: 0, lastSeq: 0, stays };
}

function large(room: number, text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(room + Buffer.byteLength(text));
  bytes.write(text, room);
  return bytes;
}
