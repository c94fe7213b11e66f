import type { Bytes } from '../bytes';
import { RegexPattern } from './compile-regex';
import { Search } from './lazy-dfa';
import { LiteralAutomaton, type Occurrences } from './literal-automaton';
import type { Pattern } from './pattern';
import { WordsPattern } from './words';

/** Looks for patterns in a text that arrives in pieces, and finds what it would find in the whole, however it is cut. */
export interface Scanner {
  /** @returns numbers of the patterns found up to here that were not found before */
  write(chunk: Bytes): number[];
  /** The text is at its end. @returns as `write` does */
  end(): number[];
}

/**
 * @param patterns of which the scanner gives the numbers. Expressions without lookarounds and references, and lists of words, are
 * decided as the text goes by and keep nothing of it; for the others all of it is kept until the end.
 */
export function compileScanner(patterns: readonly Pattern[]): () => Scanner {
  const words = new WordsInCommon(patterns);
  return () => new PatternScanner(patterns, words);
}

/** The words of all lists of words, looked for in one pass. */
class WordsInCommon {
  readonly automaton: LiteralAutomaton;
  /** By literal: the patterns it belongs to. */
  private readonly patternsOf: number[][] = [];

  constructor(patterns: readonly Pattern[]) {
    const numbers = new Map<Bytes, number>();
    patterns.forEach((pattern, index) => {
      if (!(pattern instanceof WordsPattern)) return;
      for (const word of pattern.required.flat()) {
        let number = numbers.get(word);
        if (number === undefined) numbers.set(word, (number = this.patternsOf.push([]) - 1));
        this.patternsOf[number]!.push(index);
      }
    });
    this.automaton = new LiteralAutomaton([...numbers.keys()]);
  }

  patternsAt(output: number): number[] {
    return [...this.automaton.outputs[output]!].flatMap((literal) => this.patternsOf[literal]!);
  }
}

class PatternScanner implements Scanner {
  private readonly searches: (Search | undefined)[];
  private readonly occurrences: Occurrences;
  private readonly found = new Set<number>();
  /** A line feed at the end of a piece: what it means to `$` is known when the text goes on or ends. */
  private heldBack: Bytes = '';
  private readonly kept: Bytes[] | undefined;

  constructor(
    private readonly patterns: readonly Pattern[],
    private readonly words: WordsInCommon,
  ) {
    this.searches = patterns.map((pattern) => (pattern instanceof RegexPattern ? new Search() : undefined));
    this.occurrences = words.automaton.occurrences();
    this.occurrences.reset();
    if (patterns.some((pattern) => !isDecidedAlong(pattern))) this.kept = [];
  }

  write(chunk: Bytes): number[] {
    if (chunk === '') return [];
    const text = this.heldBack + chunk;
    this.heldBack = text.endsWith('\n') ? '\n' : '';
    this.kept?.push(chunk);
    return this.read(this.heldBack === '' ? text : text.slice(0, -1), false);
  }

  end(): number[] {
    const fresh = this.read(this.heldBack, true);
    const whole = this.kept?.join('') ?? '';
    this.patterns.forEach((pattern, index) => {
      if (isDecidedAlong(pattern) || this.searches[index]?.found === false) return;
      if (pattern.test(whole)) fresh.push(index);
    });
    return fresh;
  }

  private read(text: Bytes, last: boolean): number[] {
    const fresh = this.readWords(text);
    this.searches.forEach((search, index) => {
      if (!search || search.done) return;
      const pattern = this.patterns[index] as RegexPattern;
      pattern.automaton.advance(search, text, 0, last);
      if (search.found && pattern.exact) fresh.push(index);
    });
    return fresh;
  }

  private readWords(text: Bytes): number[] {
    const before = this.occurrences.count;
    this.words.automaton.scan(text, 0, text.length, this.occurrences);
    const fresh: number[] = [];
    for (let index = before; index < this.occurrences.count; index++) {
      for (const pattern of this.words.patternsAt(this.occurrences.outputs[index]!)) {
        if (this.found.has(pattern)) continue;
        this.found.add(pattern);
        fresh.push(pattern);
      }
    }
    return fresh;
  }
}

function isDecidedAlong(pattern: Pattern): boolean {
  return pattern instanceof WordsPattern || (pattern instanceof RegexPattern && pattern.exact);
}
