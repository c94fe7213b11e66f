import type { Bytes } from '../bytes';
import type { Pattern } from './pattern';

/** Patterns that are looked for together; bit `i` of a row is pattern `i`. */
export class PatternSet {
  /** 32-bit words of a row. */
  readonly words: number;

  constructor(private readonly patterns: readonly Pattern[]) {
    this.words = (patterns.length + 31) >>> 5;
  }

  /**
   * @param wanted the patterns that are looked for
   * @param hits those that are found are added
   */
  scan(value: Bytes, wanted: Uint32Array, hits: Uint32Array): void {
    for (let bit = 0; bit < this.patterns.length; bit++) {
      if (((wanted[bit >>> 5]! >>> (bit & 31)) & 1) === 1 && this.patterns[bit]!.test(value)) {
        hits[bit >>> 5]! |= 1 << (bit & 31);
      }
    }
  }

  /** As `scan`, with pauses in which others may go on. */
  *scanInSteps(value: Bytes, wanted: Uint32Array, hits: Uint32Array): Generator<void, void, void> {
    for (let bit = 0; bit < this.patterns.length; bit++) {
      if (((wanted[bit >>> 5]! >>> (bit & 31)) & 1) === 0) continue;
      if (this.patterns[bit]!.test(value)) hits[bit >>> 5]! |= 1 << (bit & 31);
      yield;
    }
  }
}
