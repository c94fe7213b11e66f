import type { Bytes } from '../bytes';
import { RegexPattern } from './compile-regex';
import { Search } from './lazy-dfa';
import { LiteralAutomaton, type Occurrences } from './literal-automaton';
import type { Pattern } from './pattern';
import { WordsPattern } from './words';

/** Bytes read, or new states made, before a scan in steps pauses. */
const STEP_BYTES = 4096;
const STEP_STATES = 96;

/**
 * Patterns that are looked for together; bit `i` of a row is pattern `i`. One pass finds the literals of all of them. Lists of words
 * are decided by it; an expression is tried only where one text of each of its sets of required literals occurs.
 */
export class PatternSet {
  /** 32-bit words of a row. */
  readonly words: number;
  private readonly literals: LiteralAutomaton;
  private readonly occurrences: Occurrences;
  /** By literal: the sets it belongs to. */
  private readonly setsOf: readonly Int32Array[];
  /** By set: its pattern. */
  private readonly patternOf: Int32Array;
  private readonly setMet: Uint32Array;
  /** By pattern: how many of its sets were met in this scan, and how many there are. */
  private readonly met: Int32Array;
  private readonly metIn: Uint32Array;
  private readonly needed: Int32Array;
  private scans = 0;
  /** Patterns of which nothing is known. */
  private readonly always: Uint32Array;
  /** Patterns that a literal decides. */
  private readonly decided: Uint32Array;
  private readonly candidates: Int32Array;

  constructor(private readonly patterns: readonly Pattern[]) {
    this.words = (patterns.length + 31) >>> 5;
    this.always = new Uint32Array(this.words);
    this.decided = new Uint32Array(this.words);
    this.needed = new Int32Array(patterns.length);
    this.met = new Int32Array(patterns.length);
    this.metIn = new Uint32Array(patterns.length);
    this.candidates = new Int32Array(patterns.length);
    const numbers = new Map<Bytes, number>();
    const setsOf: number[][] = [];
    const patternOf: number[] = [];
    patterns.forEach((pattern, bit) => {
      const sets = pattern.required.filter((set) => !set.includes(''));
      this.needed[bit] = sets.length;
      if (sets.length === 0) this.always[bit >>> 5]! |= 1 << (bit & 31);
      if (pattern instanceof WordsPattern) this.decided[bit >>> 5]! |= 1 << (bit & 31);
      for (const set of sets) {
        const number = patternOf.push(bit) - 1;
        for (const literal of set) {
          const known = numbers.get(literal);
          if (known === undefined) numbers.set(literal, setsOf.push([number]) - 1);
          else setsOf[known]!.push(number);
        }
      }
    });
    this.setsOf = setsOf.map((sets) => Int32Array.from(sets));
    this.patternOf = Int32Array.from(patternOf);
    this.setMet = new Uint32Array(patternOf.length);
    this.literals = new LiteralAutomaton([...numbers.keys()]);
    this.occurrences = this.literals.occurrences();
  }

  /** Bytes of the tables for literals; states of expressions are in their pool. */
  get memoryBytes(): number {
    return this.literals.memoryBytes;
  }

  /**
   * @param wanted the patterns that are looked for
   * @param hits those that are found are added
   */
  scan(value: Bytes, wanted: Uint32Array, hits: Uint32Array): void {
    const { occurrences } = this;
    occurrences.reset();
    this.literals.scan(value, 0, value.length, occurrences);
    const count = this.findCandidates(occurrences, wanted, hits);
    for (let index = 0; index < count; index++) {
      const bit = this.candidates[index]!;
      if (this.patterns[bit]!.test(value)) hits[bit >>> 5]! |= 1 << (bit & 31);
    }
  }

  /** As `scan`, with pauses in which others may go on. */
  *scanInSteps(value: Bytes, wanted: Uint32Array, hits: Uint32Array): Generator<void, void, void> {
    // Others scan in the pauses, so that this one needs room of its own.
    const occurrences = this.literals.occurrences();
    occurrences.reset();
    for (let at = 0; at < value.length; at += STEP_BYTES) {
      this.literals.scan(value, at, Math.min(value.length, at + STEP_BYTES), occurrences);
      yield;
    }
    const count = this.findCandidates(occurrences, wanted, hits);
    for (const bit of this.candidates.slice(0, count)) {
      const pattern = this.patterns[bit]!;
      if (yield* testInSteps(pattern, value)) hits[bit >>> 5]! |= 1 << (bit & 31);
    }
  }

  /** Adds what literals decide to the hits. @returns how many patterns must be tried, which stand in `candidates` */
  private findCandidates(occurrences: Occurrences, wanted: Uint32Array, hits: Uint32Array): number {
    const { always, candidates } = this;
    let count = 0;
    for (let word = 0; word < this.words; word++) {
      for (let rest = wanted[word]! & always[word]!; rest !== 0; rest &= rest - 1) {
        candidates[count++] = word * 32 + 31 - Math.clz32(rest & -rest);
      }
    }
    this.scans = (this.scans + 1) >>> 0;
    for (let index = 0; index < occurrences.count; index++) {
      const literals = this.literals.literalsOf(occurrences.states[index]!);
      for (let at = 0; at < literals.length; at++) count = this.meet(literals[at]!, wanted, hits, count);
    }
    return count;
  }

  private meet(literal: number, wanted: Uint32Array, hits: Uint32Array, candidates: number): number {
    const { setMet, patternOf, metIn, met, scans } = this;
    const sets = this.setsOf[literal]!;
    let count = candidates;
    for (let index = 0; index < sets.length; index++) {
      const set = sets[index]!;
      if (setMet[set] === scans) continue;
      setMet[set] = scans;
      const bit = patternOf[set]!;
      if (((wanted[bit >>> 5]! >>> (bit & 31)) & 1) === 0) continue;
      if (metIn[bit] !== scans) {
        metIn[bit] = scans;
        met[bit] = 0;
      }
      met[bit]!++;
      if (met[bit] !== this.needed[bit]) continue;
      if (((this.decided[bit >>> 5]! >>> (bit & 31)) & 1) === 1) hits[bit >>> 5]! |= 1 << (bit & 31);
      else this.candidates[count++] = bit;
    }
    return count;
  }
}

function* testInSteps(pattern: Pattern, value: Bytes): Generator<void, boolean, void> {
  if (!(pattern instanceof RegexPattern)) {
    const found = pattern.test(value);
    yield;
    return found;
  }
  const search = new Search();
  for (let at = 0; !search.done; yield) {
    const end = Math.min(value.length, at + STEP_BYTES);
    at = pattern.automaton.advance(search, value, at, end === value.length, end, STEP_STATES);
  }
  return search.found && (pattern.exact || pattern.test(value));
}
