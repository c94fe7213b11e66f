/** One record on its way into the spool. */
export interface Entry {
  readonly uid: string;
  /** What a loss of it is counted under: `<kind>/<route class>`. */
  readonly label: string;
  /** Control records are found by uid as long as they are not trimmed, and may use the last of the space. */
  readonly control: boolean;
  /** Writes the body, as bytes or as their text, now that the record's place is known. */
  body(chain: string, seq: number): string | Uint8Array;
}
