import { setBit } from '../bit-set';
import type { Bytes } from '../bytes';
import { RegexPattern } from './compile-regex';
import { Search } from './lazy-dfa';
import { Candidates, LiteralGate } from './literal-gate';
import type { Occurrences } from './literal-automaton';
import type { Pattern } from './pattern';
import { WordsPattern } from './words';

/** Bytes read, or new states made, before a scan in steps pauses. */
const STEP_BYTES = 4096;
const STEP_STATES = 96;
/** So many patterns are tried on a value of so many bytes in less time than a gate takes to leave some of them out. */
const FEW = 4;
const SHORT = 64;

/** What a scan writes on; scans that take turns have one each. */
export interface Room {
  readonly candidates: Candidates;
  /** By gate, made when it is needed. */
  readonly occurrences: (Occurrences | undefined)[];
}

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
  private readonly ownRoom: Room;

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
    this.ownRoom = this.room();
  }

  /** Bytes of the tables for literals; states of expressions are in their pool. */
  get memoryBytes(): number {
    return this.gates.reduce((sum, gate) => sum + gate.memoryBytes, 0);
  }

  /** Room for one scan at a time. */
  room(): Room {
    return { candidates: new Candidates(this.patterns.length), occurrences: [] };
  }

  /**
   * @param wanted the patterns that are looked for
   * @param hits those that are found are added
   * @returns whether any was found
   */
  scan(value: Bytes, wanted: Uint32Array, hits: Uint32Array, room: Room = this.ownRoom): boolean {
    const { patterns } = this;
    const { candidates } = room;
    candidates.count = 0;
    let any = false;
    if (value.length > SHORT || !this.takeFew(wanted, candidates)) {
      for (let index = 0; index < this.gates.length; index++) {
        const gate = this.gates[index]!;
        if (!gate.concerns(wanted)) continue;
        const occurrences = this.occurrencesOf(index, room);
        gate.read(value, 0, value.length, occurrences);
        if (gate.judge(occurrences, wanted, hits, candidates)) any = true;
      }
    }
    for (let index = 0; index < candidates.count; index++) {
      const bit = candidates.bits[index]!;
      if (!patterns[bit]!.test(value)) continue;
      setBit(hits, bit);
      any = true;
    }
    return any;
  }

  /** As `scan`, with pauses in which others may go on. */
  *scanInSteps(
    value: Bytes,
    wanted: Uint32Array,
    hits: Uint32Array,
    room: Room = this.room(),
  ): Generator<void, boolean, void> {
    const { candidates } = room;
    candidates.count = 0;
    let any = false;
    for (let index = 0; index < this.gates.length; index++) {
      const gate = this.gates[index]!;
      if (!gate.concerns(wanted)) continue;
      const occurrences = this.occurrencesOf(index, room);
      for (let at = 0; at < value.length; at += STEP_BYTES) {
        gate.read(value, at, Math.min(value.length, at + STEP_BYTES), occurrences);
        yield;
      }
      if (gate.judge(occurrences, wanted, hits, candidates)) any = true;
    }
    for (let index = 0; index < candidates.count; index++) {
      const bit = candidates.bits[index]!;
      if (!(yield* testInSteps(this.patterns[bit]!, value))) continue;
      setBit(hits, bit);
      any = true;
    }
    return any;
  }

  private occurrencesOf(gate: number, { occurrences }: Room): Occurrences {
    const own = (occurrences[gate] ??= this.gates[gate]!.occurrences());
    own.reset();
    return own;
  }

  /** Makes all that is wanted candidates where it is little, and none a list of words. @returns whether it did */
  private takeFew(wanted: Uint32Array, candidates: Candidates): boolean {
    const { lists } = this;
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
}

function* testInSteps(pattern: Pattern, value: Bytes): Generator<void, boolean, void> {
  if (!(pattern instanceof RegexPattern)) {
    if (pattern.execInSteps) return (yield* pattern.execInSteps(value)) !== undefined;
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
