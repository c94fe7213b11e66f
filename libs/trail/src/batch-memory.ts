const STEP_BYTES = 64 * 1024;

/** Memory of its own, somewhat larger than asked for, so that it does for what comes next. */
export function steppedMemory(bytes: number): Buffer {
  return Buffer.allocUnsafeSlow(Math.max(1, Math.ceil(bytes / STEP_BYTES)) * STEP_BYTES);
}

/**
 * Memory for batches on their way. Ten a second, each in an array of its own that is dead a moment later, would be a fifth of
 * what a quiet gateway asks the system for, in pieces of ever other sizes, between which the C library finds room only by
 * growing.
 */
export class BatchMemory {
  readonly #free: Buffer[] = [];

  /**
   * @param mostKept pieces that lie here unused, at most
   * @param mostBytes of a piece that is kept
   */
  constructor(
    private readonly mostKept: number,
    private readonly mostBytes: number,
  ) {}

  take(bytes: number): Buffer {
    const at = this.#free.findIndex(({ length }) => length >= bytes);
    return at < 0 ? steppedMemory(bytes) : this.#free.splice(at, 1)[0]!;
  }

  /** To be called when nobody looks at it any more. */
  give(memory: Buffer): void {
    if (memory.length > this.mostBytes) return;
    this.#free.push(memory);
    // The smallest goes: where they have become too small for what comes, none of what is large enough would ever be kept.
    if (this.#free.length > this.mostKept) this.#free.sort((one, other) => other.length - one.length).pop();
  }
}
