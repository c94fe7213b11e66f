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
  /** Sets of bytes: a value that is without the bytes of any one of them cannot match. */
  readonly needs?: readonly ByteSet[];
  /** Bytes of the shortest value that can match, where more is known than `required` tells. */
  readonly shortest?: number;
  test(value: Bytes): boolean;
  /** Leftmost match and its groups, with the priorities of PCRE. */
  exec(value: Bytes): Captures | undefined;
  /** As `exec`, with places in between at which others may have their turn; absent where it does not take long. */
  execInSteps?(value: Bytes): Generator<void, Captures | undefined, void>;
}
