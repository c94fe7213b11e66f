import type { Bytes } from '../bytes';

/** A rule file as text; whoever reads it decodes as latin1, one character a byte. */
export interface RuleFile {
  /** As errors name it, for example `rules/REQUEST-901-INITIALIZATION.conf`. */
  readonly name: string;
  readonly text: Bytes;
}

/** Where rules come from. The engine reads no file system: whoever has one hands this in. */
export interface RuleSource {
  /** In the order in which they take effect: the setup first. */
  readonly files: readonly RuleFile[];
  /**
   * A data file as a rule names it, `php-errors.data` or `data/php-errors.data`.
   * @param from name of the rule file that asks
   * @returns undefined where there is none.
   */
  read(name: string, from: string): Bytes | undefined;
  /**
   * Files of an `Include`, which may hold wildcards, in the order of their names; empty where none fits.
   * @param from name of the rule file that asks
   */
  include?(pattern: string, from: string): readonly RuleFile[];
}

/** Where something stands in the rules. */
export interface Place {
  readonly file: string;
  /** Counted from 1; the line on which the directive begins. */
  readonly line: number;
}

/** Why a rule set is refused, as a whole. */
export class RuleError extends Error {
  /**
   * @param directive for example `SecRule`
   * @param problem one sentence without the place
   */
  constructor(
    readonly place: Place,
    readonly directive: string,
    readonly problem: string,
  ) {
    super(`${place.file}:${place.line}: ${directive}: ${problem}`);
    this.name = 'RuleError';
  }
}
