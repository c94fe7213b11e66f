import { RE2JS } from 're2js';

/** States of a compiled expression; what repeats a thousand times within a thousand is no pattern for a name. */
const MAX_PROGRAM = 4_000;
/** States times characters that one match may cost: some tens of milliseconds. */
const MAX_WORK = 4_000_000;

/** A regular expression that is matched in time linear in the text, whatever the text. */
export class Pattern {
  private readonly compiled: RE2JS;
  private readonly size: number;

  /** @throws Error on an expression that needs backtracking (lookaround, back references), or is too large. */
  constructor(readonly source: string) {
    this.compiled = RE2JS.compile(RE2JS.translateRegExp(source));
    this.size = this.compiled.programSize();
    if (this.size > MAX_PROGRAM) throw new Error('the expression is too large');
  }

  /** @returns undefined when the text is too long to be matched. */
  matches(text: string): boolean | undefined {
    return text.length * this.size > MAX_WORK ? undefined : this.compiled.test(text);
  }
}
