import { bitSet, type BitSet } from './bit-set';

/** What a transaction notes while it runs a phase. */
export class PhaseSets {
  /** Patterns that were found. */
  readonly found: BitSet;
  /** Places of the rules to be visited. */
  readonly visits: BitSet;
  /** Places of those whose outcome is foregone no more. */
  readonly stirred: BitSet;

  /**
   * @param rules of the phase
   * @param words 32-bit words of a row of patterns
   */
  constructor(rules: number, words: number) {
    this.found = new Uint32Array(words);
    this.visits = bitSet(rules);
    this.stirred = bitSet(rules);
  }
}
