import type { Bytes, ByteSet } from '../bytes';

/** Groups of a match, `[0]` the whole; undefined for one that took no part. At most ten. */
export type Captures = readonly (Bytes | undefined)[];

/**
 * Texts without which a pattern cannot match: of each set one must occur, folded to lower case (ASCII). Empty: nothing can be
 * said, the pattern must always be tried.
 */
export type RequiredLiterals = readonly (readonly Bytes[])[];

/** Something to be found in a value, in time linear in it. */
export interface Pattern {
  readonly required: RequiredLiterals;
  /** Set where a value without any of these bytes cannot match. */
  readonly trigger?: ByteSet;
  test(value: Bytes): boolean;
  /** Leftmost match and its groups, with the priorities of PCRE. */
  exec(value: Bytes): Captures | undefined;
}
