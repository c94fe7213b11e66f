import type { Bytes } from '../bytes';
import type { Scan } from '../value-scanner';
import { foldName } from './fold-name';

const NOTHING: readonly Bytes[] = [];

/** The values of a variable at one moment, in order; members of a collection have names. */
export class Entries {
  static readonly none = new Entries(NOTHING, NOTHING);
  private folded: readonly Bytes[] | undefined;
  /** By index of a value: what the phase that is running has found in it. */
  scans: (Scan | undefined)[] | undefined;

  /** @param names of as many members as there are values; undefined for a variable without members. */
  constructor(
    readonly names: readonly Bytes[] | undefined,
    readonly values: readonly Bytes[],
  ) {}

  static single(value: Bytes): Entries {
    return new Entries(undefined, [value]);
  }

  /** Names in lower case, which is how selectors find them. */
  get foldedNames(): readonly Bytes[] {
    this.folded ??= this.names ? this.names.map((name) => foldName(name)) : NOTHING;
    return this.folded;
  }

  /** @param name in lower case */
  first(name: Bytes): Bytes | undefined {
    return this.values[this.foldedNames.indexOf(name)];
  }
}
