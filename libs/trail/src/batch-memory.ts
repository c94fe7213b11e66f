/**
 * Memory for batches on their way. Ten a second, each in an array of its own that is dead a moment later, would be a fifth of
 * what a quiet gateway asks the system for. All pieces are of one size from the first on: the system counts only what was
 * written to, and one that is replaced by a larger one later leaves a hole where it lay and takes its place behind everything
 * that lives, which the C library then cannot give back.
 */
export class BatchMemory {
  readonly #free: Buffer[] = [];

  /**
   * @param mostKept pieces that lie here unused, at most
   * @param pieceBytes what does for all but a single large batch
   */
  constructor(
    private readonly mostKept: number,
    private readonly pieceBytes: number,
  ) {}

  /** @returns at least as many bytes, of arbitrary content. */
  take(bytes: number): Buffer {
    if (bytes > this.pieceBytes) return Buffer.allocUnsafeSlow(bytes);
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.pieceBytes);
  }

  /** To be called when nobody looks at it any more. */
  give(memory: Buffer): void {
    if (memory.length === this.pieceBytes && this.#free.length < this.mostKept) this.#free.push(memory);
  }
}
