import type { Bytes } from '../bytes';
import { foldName } from './fold-name';

const NOTHING: readonly Bytes[] = [];

/** The values of a variable at one moment, in order; members of a collection have names. */
export class Entries {
  static readonly none = new Entries(NOTHING, NOTHING);
  static readonly zero = new Entries(undefined, ['0']);
  static readonly one = new Entries(undefined, ['1']);
  static readonly empty = new Entries(undefined, ['']);
  private folded: readonly Bytes[] | undefined;

  /**
   * @param names of as many members as there are values; undefined for a variable without members.
   * @param fold makes them lower case, where that is known; otherwise it is done here.
   */
  constructor(
    readonly names: readonly Bytes[] | undefined,
    readonly values: readonly Bytes[],
    private readonly fold?: () => readonly Bytes[],
  ) {}

  /** A flag as rules read it. */
  static flag(isSet: boolean): Entries {
    return isSet ? Entries.one : Entries.zero;
  }

  static single(value: Bytes): Entries {
    if (value === '') return Entries.empty;
    return new Entries(undefined, [value]);
  }

  /** Names in lower case, which is how selectors find them. */
  get foldedNames(): readonly Bytes[] {
    this.folded ??= this.fold?.() ?? this.names?.map((name) => foldName(name)) ?? NOTHING;
    return this.folded;
  }

  /** @param name in lower case */
  first(name: Bytes): Bytes | undefined {
    return this.values[this.foldedNames.indexOf(name)];
  }
}
