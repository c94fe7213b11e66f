/** Reads as many bytes as were announced (RFC 9112 §6.2), of a whole body or of one chunk. */
export class CountedBody {
  private left = 0;

  /** Whether the last byte was read. */
  get complete(): boolean {
    return this.left === 0;
  }

  /** So many bytes follow. */
  begin(length: number): void {
    this.left = length;
  }

  /**
   * Reads on, to the end of the bytes that were announced or of those that have come.
   * @param at where in `bytes` to begin
   * @param pieces gets what was read
   * @returns where it ended
   */
  read(bytes: Buffer, at: number, pieces: Buffer[]): number {
    const end = Math.min(bytes.length, at + this.left);
    pieces.push(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
    this.left -= end - at;
    return end;
  }
}
