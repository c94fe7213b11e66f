import type { Bytes, ByteSet } from '../bytes';

/** A transformation of SecLang, `t:name`. */
export interface Transformation {
  /** As the reference manual spells it; rules may spell it in any letter case. */
  readonly name: string;
  /** A value without any of these bytes stays as it is; undefined where any value may change. */
  readonly trigger: ByteSet | undefined;
  /** Bytes that may be in what it makes though they were not in the value; undefined: any. */
  readonly adds?: ByteSet;
  /** With one of these bytes in the value, what it makes may hold any byte whatever `adds` says. */
  readonly escapes?: ByteSet;
  /** Bytes it makes of each byte of a value, at most; undefined: any number. */
  readonly perByte?: number;
  /** Bytes it reads at a time, each of `perByte`: it makes nothing of those that are left over; undefined: 1. */
  readonly block?: number;
  /** Bytes of which one is enough for nothing to be made of a value that has none of `unless`. */
  readonly emptiedBy?: { readonly bytes: ByteSet; readonly unless: ByteSet };
  /**
   * Linear in the value, and never throws: what cannot be decoded stays as far as it cannot.
   * @returns the very same string where nothing changed.
   */
  apply(value: Bytes): Bytes;
}
