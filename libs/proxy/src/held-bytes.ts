/** More pieces than this are copied together: a piece of one byte takes a hundred to hold. */
const MOST_PIECES = 256;
const NOTHING = Buffer.alloc(0);

/** Gathers bytes that come in pieces, in memory that grows with the bytes and not with the number of pieces. */
export class HeldBytes {
  length = 0;
  private pieces: Buffer[] = [];
  /** What came after the last piece that is kept as it came: the first `copied` bytes of it. */
  private rest = NOTHING;
  private copied = 0;

  push(piece: Buffer): void {
    this.length += piece.length;
    if (this.pieces.length < MOST_PIECES) this.pieces.push(piece);
    else this.copy(piece);
  }

  /** @returns all of it in one piece, which is held on. */
  whole(): Buffer {
    if (this.pieces.length === 1) return this.pieces[0]!;
    const whole = this.take();
    this.push(whole);
    return whole;
  }

  /** @returns all of it in one piece; nothing is held any more. */
  take(): Buffer {
    const { length } = this;
    const pieces = this.takePieces();
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, length);
  }

  /** @returns all of it in no more pieces than are kept; nothing is held any more. */
  takePieces(): readonly Buffer[] {
    const { pieces, rest, copied } = this;
    if (copied > 0) pieces.push(rest.subarray(0, copied));
    this.clear();
    return pieces;
  }

  clear(): void {
    if (this.pieces.length === 0) return;
    this.length = this.copied = 0;
    this.pieces = [];
    this.rest = NOTHING;
  }

  private copy(piece: Buffer): void {
    const needed = this.copied + piece.length;
    if (needed > this.rest.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * needed, 4_096));
      this.rest.copy(larger, 0, 0, this.copied);
      this.rest = larger;
    }
    piece.copy(this.rest, this.copied);
    this.copied = needed;
  }
}
