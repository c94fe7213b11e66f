import type { Bytes } from '../bytes';
import { RegexPattern } from './compile-regex';
import { Search } from './lazy-dfa';
import { Candidates, LiteralGate, setBit } from './literal-gate';
import type { Occurrences } from './literal-automaton';
import type { Pattern } from './pattern';
import { WordsPattern } from './words';

/** Bytes read, or new states made, before a scan in steps pauses. */
const STEP_BYTES = 4096;
const STEP_STATES = 96;
/** So many patterns are tried on a value of so many bytes in less time than a gate takes to leave some of them out. */
const FEW = 4;
const SHORT = 64;

/**
 * Patterns that are looked for together; bit `i` of a row is pattern `i`. One pass finds the literals of all of them. Lists of words
 * are decided by it; an expression is tried only where one text of each of its sets of required literals occurs.
 */
export class PatternSet {
  /** 32-bit words of a row. */
  readonly words: number;
  private readonly gates: readonly LiteralGate[];
  /** Patterns that are lists of words: only a gate has all of their words at hand. */
  private readonly lists: Uint32Array;
  private readonly candidates: Candidates;
  private readonly occurrences: readonly Occurrences[];

  /**
   * @param groupOf by pattern: a number that is the same for those that are looked for in the same values, so that requests do not
   * walk through the tables of answers
   */
  constructor(
    private readonly patterns: readonly Pattern[],
    groupOf: (bit: number) => number = () => 0,
  ) {
    this.words = (patterns.length + 31) >>> 5;
    this.lists = new Uint32Array(this.words);
    patterns.forEach((pattern, bit) => {
      if (pattern instanceof WordsPattern) setBit(this.lists, bit);
    });
    const groups = new Map<number, number[]>();
    patterns.forEach((_, bit) => groups.set(groupOf(bit), [...(groups.get(groupOf(bit)) ?? []), bit]));
    this.gates = [...groups.values()].map((bits) => new LiteralGate(patterns, bits));
    this.candidates = new Candidates(patterns.length);
    this.occurrences = this.gates.map((gate) => gate.occurrences());
  }

  /** Bytes of the tables for literals; states of expressions are in their pool. */
  get memoryBytes(): number {
    return this.gates.reduce((sum, gate) => sum + gate.memoryBytes, 0);
  }

  /**
   * @param wanted the patterns that are looked for
   * @param hits those that are found are added
   */
  scan(value: Bytes, wanted: Uint32Array, hits: Uint32Array): void {
    const { candidates, patterns } = this;
    candidates.count = 0;
    if (value.length > SHORT || !this.takeFew(wanted)) this.passGates(value, wanted, hits);
    for (let index = 0; index < candidates.count; index++) {
      const bit = candidates.bits[index]!;
      if (patterns[bit]!.test(value)) setBit(hits, bit);
    }
  }

  /** Makes all that is wanted candidates where it is little, and none a list of words. @returns whether it did */
  private takeFew(wanted: Uint32Array): boolean {
    const { candidates, lists } = this;
    for (let word = 0; word < wanted.length; word++) {
      for (let rest = wanted[word]!; rest !== 0; rest &= rest - 1) {
        if ((rest & -rest & lists[word]!) !== 0 || candidates.count === FEW) {
          candidates.count = 0;
          return false;
        }
        candidates.add(word * 32 + 31 - Math.clz32(rest & -rest));
      }
    }
    return true;
  }

  private passGates(value: Bytes, wanted: Uint32Array, hits: Uint32Array): void {
    const { gates, candidates } = this;
    for (let index = 0; index < gates.length; index++) {
      const gate = gates[index]!;
      if (!gate.concerns(wanted)) continue;
      const occurrences = this.occurrences[index]!;
      occurrences.reset();
      gate.read(value, 0, value.length, occurrences);
      gate.judge(occurrences, wanted, hits, candidates);
    }
  }

  /** As `scan`, with pauses in which others may go on. */
  *scanInSteps(value: Bytes, wanted: Uint32Array, hits: Uint32Array): Generator<void, void, void> {
    // Others scan in the pauses, so that this one needs room of its own.
    const candidates = new Candidates(this.patterns.length);
    for (const gate of this.gates) {
      if (!gate.concerns(wanted)) continue;
      const occurrences = gate.occurrences();
      occurrences.reset();
      for (let at = 0; at < value.length; at += STEP_BYTES) {
        gate.read(value, at, Math.min(value.length, at + STEP_BYTES), occurrences);
        yield;
      }
      gate.judge(occurrences, wanted, hits, candidates);
    }
    for (const bit of candidates.bits.subarray(0, candidates.count)) {
      if (yield* testInSteps(this.patterns[bit]!, value)) setBit(hits, bit);
    }
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
