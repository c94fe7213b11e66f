import type { ThreadTime } from './thread-time';

/** More than a turn of a busy process brings; larger writes are worth a thread. */
const MOST_BYTES = 64 * 1024;
/** A write that keeps its thread asleep for longer holds up everything else of the process. */
const SLOW_MS = 5;
/** For so long after one that did, nobody but the writer waits. */
const WARY_MS = 10_000;

/**
 * Whether small writes are made where they come up. A kernel takes bytes into its cache in a few microseconds, which is a
 * tenth of what handing them to a thread and hearing from it costs; but a kernel whose cache is full lets whoever writes wait
 * for the disk.
 */
export class QuickWrites {
  #waryUntil = 0;

  /**
   * @param now milliseconds of a clock that never goes back
   * @param threadTime of the thread that writes. On a busy machine a thread loses its processor in the middle of a write as often
   *   as anywhere else, for longer than a disk takes: without this, that looks like a slow disk.
   */
  constructor(
    private readonly now: () => number,
    private readonly threadTime: ThreadTime = () => 0,
  ) {}

  /** Whether a write of so many bytes is to be made at once. */
  takes(bytes: number): boolean {
    return bytes <= MOST_BYTES && (this.#waryUntil === 0 || this.#isTrustedAgain());
  }

  #isTrustedAgain(): boolean {
    if (this.now() < this.#waryUntil) return false;
    this.#waryUntil = 0;
    return true;
  }

  /** Makes a write, and remembers when it was slow. */
  measured<Value>(write: () => Value): Value {
    const counted = this.threadTime();
    const begun = this.now();
    try {
      return write();
    } finally {
      const ended = this.now();
      if (ended - begun > SLOW_MS && ended - begun - (this.threadTime() - counted) > SLOW_MS) {
        this.#waryUntil = ended + WARY_MS;
      }
    }
  }
}
