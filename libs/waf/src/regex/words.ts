import { foldText, type Bytes } from '../bytes';
import { LiteralAutomaton } from './literal-automaton';
import type { Captures, Pattern, RequiredLiterals } from './pattern';

/** A pattern that is a list of words: it matches where any of them occurs, whatever the case of ASCII letters. */
export class WordsPattern implements Pattern {
  readonly required: RequiredLiterals;
  private readonly words: readonly Bytes[];
  private automaton: LiteralAutomaton | undefined;

  constructor(words: readonly Bytes[]) {
    this.words = words.filter((word) => word !== '');
    this.required = [this.words.map(foldText)];
  }

  test(value: Bytes): boolean {
    return this.find(value) !== undefined;
  }

  /** The word as it stands in the list: of those whose end comes first the longest, as libmodsecurity reports it. */
  exec(value: Bytes): Captures | undefined {
    const found = this.find(value);
    return found === undefined ? undefined : [this.words[found]];
  }

  private find(value: Bytes): number | undefined {
    if (this.words.length === 0) return undefined;
    // Whoever looks for many patterns at once has an automaton for all of their words; this one is made when it is asked for.
    this.automaton ??= new LiteralAutomaton(this.required[0]!);
    const output = this.automaton.first(value);
    return output === undefined ? undefined : this.automaton.outputs[output]![0];
  }
}

/** @param words bytes as they stand in the rule or its file */
export function compileWords(words: readonly Bytes[]): Pattern {
  return new WordsPattern(words);
}
