import type { Bytes } from '../bytes';
import { RegexPattern } from './compile-regex';
import { JointAutomaton, type JointSearch } from './joint-search';
import { LiteralAutomaton, type Occurrences } from './literal-automaton';
import type { Pattern } from './pattern';
import { WordsPattern } from './words';

/** Looks for patterns in a text that arrives in pieces, and finds what it would find in the whole, however it is cut. */
export interface Scanner {
  /** @returns numbers of the patterns found up to here that were not found before */
  write(chunk: Bytes): number[];
  /** The text is at its end. @returns as `write` does */
  end(): number[];
  /** As `write`, with places in between at which others may have their turn; to be run to its end before the next. */
  writing(chunk: Bytes): Generator<void, number[], void>;
  /** As `end`, like `writing`. */
  ending(): Generator<void, number[], void>;
}

/** Whether a scanner decides a pattern as the text goes by, and keeps nothing of the text for it. */
export function isDecidedAlong(pattern: Pattern): boolean {
  return pattern instanceof WordsPattern || (pattern instanceof RegexPattern && pattern.exact);
}

/**
 * @param patterns of which the scanner gives the numbers. Expressions without lookarounds and references, and lists of words, are
 * decided as the text goes by and keep nothing of it; for the others all of it is kept until the end.
 */
export function compileScanner(patterns: readonly Pattern[]): () => Scanner {
  const plan = new ScanPlan(patterns);
  return () => new PatternScanner(plan);
}

/** Patterns by the way in which they are looked for. */
class ScanPlan {
  readonly expressions: JointAutomaton;
  /** By number among the expressions: which pattern it is. */
  readonly expressionNumbers: readonly number[];
  readonly words: WordsInCommon;
  /** Which patterns are decided at the end. */
  readonly undecided: readonly number[];

  constructor(readonly patterns: readonly Pattern[]) {
    const numbers = patterns.map((_, number) => number);
    this.expressionNumbers = numbers.filter((number) => {
      const pattern = patterns[number];
      return pattern instanceof RegexPattern && pattern.exact;
    });
    this.expressions = new JointAutomaton(this.expressionNumbers.map((number) => patterns[number] as RegexPattern));
    this.words = new WordsInCommon(patterns);
    this.undecided = numbers.filter((number) => !isDecidedAlong(patterns[number]!));
  }
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
  private readonly search: JointSearch;
  private readonly occurrences: Occurrences;
  private readonly found = new Set<number>();
  /** A line feed at the end of a piece: what it means to `$` is known when the text goes on or ends. */
  private heldBack: Bytes = '';
  private readonly kept: Bytes[] = [];

  constructor(private readonly plan: ScanPlan) {
    this.search = plan.expressions.begin();
    this.occurrences = plan.words.automaton.occurrences();
    this.occurrences.reset();
  }

  write(chunk: Bytes): number[] {
    return resultOf(this.writing(chunk));
  }

  end(): number[] {
    return resultOf(this.ending());
  }

  *writing(chunk: Bytes): Generator<void, number[], void> {
    if (chunk === '') return [];
    const text = this.heldBack + chunk;
    this.heldBack = text.endsWith('\n') ? '\n' : '';
    if (this.plan.undecided.length > 0) this.kept.push(chunk);
    return yield* this.read(this.heldBack === '' ? text : text.slice(0, -1), false);
  }

  *ending(): Generator<void, number[], void> {
    const fresh = yield* this.read(this.heldBack, true);
    const { undecided, patterns } = this.plan;
    const whole = this.kept.join('');
    for (const number of undecided) {
      if (patterns[number]!.test(whole)) fresh.push(number);
      yield;
    }
    return fresh;
  }

  private *read(text: Bytes, last: boolean): Generator<void, number[], void> {
    const fresh = this.readWords(text);
    yield* this.search.read(text, last, (index) => fresh.push(this.plan.expressionNumbers[index]!));
    return fresh;
  }

  private readWords(text: Bytes): number[] {
    const before = this.occurrences.count;
    this.plan.words.automaton.scan(text, 0, text.length, this.occurrences);
    const fresh: number[] = [];
    for (let index = before; index < this.occurrences.count; index++) {
      for (const pattern of this.plan.words.patternsAt(this.occurrences.outputs[index]!)) {
        if (this.found.has(pattern)) continue;
        this.found.add(pattern);
        fresh.push(pattern);
      }
    }
    return fresh;
  }
}

function resultOf<Result>(steps: Generator<void, Result, void>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
