import type { Bytes } from '../bytes';
import { RegexPattern } from './compile-regex';
import { Search } from './lazy-dfa';
import { FARTHEST } from './leading';
import { LiteralAutomaton, type Occurrences } from './literal-automaton';
import type { Pattern } from './pattern';
import { resultOf } from './steps';
import { TextPattern } from './text-pattern';
import { WordsPattern } from './words';

/** New transitions between two places at which others may have their turn. */
const TRANSITIONS_AT_ONCE = 64;

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
  return pattern instanceof WordsPattern || pattern instanceof TextPattern || isExact(pattern);
}

function isExact(pattern: Pattern | undefined): pattern is RegexPattern {
  return pattern instanceof RegexPattern && pattern.exact;
}

/**
 * @param patterns of which the scanner gives the numbers. Expressions without lookarounds and references, texts and lists of
 * words are decided as the text goes by and keep nothing of it; for the others all of it is kept until the end.
 */
export function compileScanner(patterns: readonly Pattern[]): () => Scanner {
  const plan = new ScanPlan(patterns);
  return () => new PatternScanner(plan);
}

/** An expression, and which pattern it is. */
interface Expression {
  readonly number: number;
  readonly pattern: RegexPattern;
}

/** What it means that a literal occurs. */
interface Meaning {
  /** Which patterns are found with it. */
  readonly found: number[];
  /** Numbers of expressions that may begin from here on. */
  readonly awake: number[];
}

/** Patterns by the way in which they are looked for. */
class ScanPlan {
  readonly expressions: readonly Expression[];
  /** Numbers of the expressions that any text may begin. */
  readonly alwaysAwake: readonly number[];
  /** Words of all lists, and texts with which expressions begin: looked for in one pass. */
  readonly literals: LiteralAutomaton;
  /** Which patterns are texts. */
  readonly texts: readonly number[];
  /** Which patterns are decided at the end. */
  readonly undecided: readonly number[];
  /** By literal. */
  private readonly meanings: Meaning[] = [];

  constructor(readonly patterns: readonly Pattern[]) {
    const numbers = patterns.map((_, number) => number);
    this.texts = numbers.filter((number) => patterns[number] instanceof TextPattern);
    this.undecided = numbers.filter((number) => !isDecidedAlong(patterns[number]!));
    this.expressions = numbers.flatMap((number) => {
      const pattern = patterns[number];
      return isExact(pattern) ? [{ number, pattern }] : [];
    });
    this.alwaysAwake = [...this.expressions.keys()].filter((at) => !this.expressions[at]!.pattern.leading);
    this.literals = this.compileLiterals();
  }

  /** @returns what the literals mean that end at an output */
  meaningsAt(output: number): readonly Meaning[] {
    return Array.from(this.literals.outputs[output]!, (literal) => this.meanings[literal]!);
  }

  private compileLiterals(): LiteralAutomaton {
    const numbers = new Map<Bytes, number>();
    const meaningOf = (text: Bytes): Meaning => {
      const known = numbers.get(text);
      if (known !== undefined) return this.meanings[known]!;
      numbers.set(text, this.meanings.length);
      const meaning: Meaning = { found: [], awake: [] };
      this.meanings.push(meaning);
      return meaning;
    };
    this.patterns.forEach((pattern, number) => {
      if (!(pattern instanceof WordsPattern)) return;
      for (const word of pattern.required.flat()) meaningOf(word).found.push(number);
    });
    this.expressions.forEach(({ pattern }, at) => {
      for (const text of pattern.leading?.texts ?? []) meaningOf(text).awake.push(at);
    });
    return new LiteralAutomaton([...numbers.keys()]);
  }
}

class PatternScanner implements Scanner {
  /** By expression: how far it was looked for; undefined while no match can have begun. */
  private readonly searches: (Search | undefined)[] = [];
  private readonly occurrences: Occurrences;
  private readonly found = new Set<number>();
  private readonly texts: readonly TextSearch[];
  /** A line feed at the end of a piece: what it means to `$` is known when the text goes on or ends. */
  private heldBack: Bytes = '';
  /** The last bytes that were read: a match may have begun in them. */
  private readonly behind = new Behind();
  private readonly kept: Bytes[] = [];

  constructor(private readonly plan: ScanPlan) {
    this.occurrences = plan.literals.occurrences();
    this.occurrences.reset();
    this.texts = plan.texts.map((number) => new TextSearch(number, (plan.patterns[number] as TextPattern).text));
    for (const at of plan.alwaysAwake) this.searches[at] = new Search();
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
    const fresh: number[] = [];
    yield* this.readLiterals(text, fresh);
    for (const search of this.texts) if (search.isFoundIn(text)) fresh.push(search.number);
    for (const [at, search] of this.searches.entries()) {
      if (!search || search.done) continue;
      const { number, pattern } = this.plan.expressions[at]!;
      yield* advance(pattern, search, text, last);
      if (search.found) fresh.push(number);
    }
    this.behind.add(text);
    return fresh;
  }

  private *readLiterals(text: Bytes, fresh: number[]): Generator<void, void, void> {
    const before = this.occurrences.count;
    this.plan.literals.scan(text, 0, text.length, this.occurrences);
    for (let index = before; index < this.occurrences.count; index++) {
      for (const { found, awake } of this.plan.meaningsAt(this.occurrences.outputs[index]!)) {
        for (const number of found) {
          if (!this.found.has(number)) fresh.push(number);
          this.found.add(number);
        }
        for (const at of awake) yield* this.wake(at);
      }
    }
  }

  /** Begins to look for an expression where the first match may have begun. */
  private *wake(at: number): Generator<void, void, void> {
    if (this.searches[at]) return;
    const { pattern } = this.plan.expressions[at]!;
    const search = (this.searches[at] = new Search());
    if (this.behind.precededBy !== undefined) pattern.automaton.beginBehind(search, this.behind.precededBy);
    yield* advance(pattern, search, this.behind.text, false);
  }
}

/** The end of what was read. */
class Behind {
  text: Bytes = '';
  /** The byte before it; undefined where the text begins with it. */
  precededBy: number | undefined;

  add(piece: Bytes): void {
    const text = this.text + piece;
    const start = text.length - FARTHEST;
    if (start > 0) this.precededBy = text.charCodeAt(start - 1);
    this.text = start > 0 ? text.slice(start) : text;
  }
}

function* advance(
  { automaton }: RegexPattern,
  search: Search,
  text: Bytes,
  last: boolean,
): Generator<void, void, void> {
  let at = 0;
  while (!search.done && (last || at < text.length)) {
    at = automaton.advance(search, text, at, last, text.length, TRANSITIONS_AT_ONCE);
    if (!search.done && at < text.length) yield;
  }
}

/** One text, looked for in pieces. */
class TextSearch {
  private found = false;
  /** What may be the beginning of it. */
  private before: Bytes = '';

  constructor(
    readonly number: number,
    private readonly text: Bytes,
  ) {}

  /** @returns whether the piece is the first with which the text is there */
  isFoundIn(piece: Bytes): boolean {
    if (this.found) return false;
    const value = this.before + piece;
    this.found = value.includes(this.text);
    this.before = value.slice(Math.max(0, value.length - this.text.length + 1));
    return this.found;
  }
}
