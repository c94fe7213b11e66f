import type { Bytes } from '../bytes';
import { RegexPattern } from './compile-regex';
import { Search } from './lazy-dfa';
import { Candidates, LiteralGate, setBit } from './literal-gate';
import type { Occurrences } from './literal-automaton';
import type { Pattern } from './pattern';

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
  private readonly gates: readonly LiteralGate[];
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
    const { gates, candidates, patterns } = this;
    candidates.count = 0;
    for (let index = 0; index < gates.length; index++) {
      const gate = gates[index]!;
      if (!gate.concerns(wanted)) continue;
      const occurrences = this.occurrences[index]!;
      occurrences.reset();
      gate.read(value, 0, value.length, occurrences);
      gate.judge(occurrences, wanted, hits, candidates);
    }
    for (let index = 0; index < candidates.count; index++) {
      const bit = candidates.bits[index]!;
      if (patterns[bit]!.test(value)) setBit(hits, bit);
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
