import { hasBit, nextBit, setBit } from '../bit-set';
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

/** Wanted patterns that are so few, with texts of so few bytes, get a gate of their own, whose tables stay at hand. */
const FEW_FOR_GATE = 24;
const SMALL_GATE_BYTES = 2048;
/** Such gates of one set, at most. */
const MOST_SMALL_GATES = 64;

/** Patterns that are looked for, and how. */
export interface Wanted {
  readonly row: Uint32Array;
  /** Their numbers, where they are so few that short values are tried with each of them. */
  readonly few: Int32Array | undefined;
  /** Gates that know all of them, and perhaps others. */
  readonly gates: readonly LiteralGate[];
}

/** What a scan writes on; scans that take turns have one each. */
export interface Room {
  readonly candidates: Candidates;
  /** By number of the gate, made when they are needed. */
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
  /** By row of what is wanted. */
  private readonly smallGates = new Map<string, LiteralGate>();
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
    this.gates = [...groups.values()].map((bits, number) => new LiteralGate(patterns, bits, number));
    this.ownRoom = this.room();
  }

  /** Bytes of the tables for literals; states of expressions are in their pool. */
  get memoryBytes(): number {
    return [...this.gates, ...this.smallGates.values()].reduce((sum, gate) => sum + gate.memoryBytes, 0);
  }

  /**
   * Makes ready to look for some patterns, which takes longer than to look for them once.
   * @param row they are as long as what is returned is used
   */
  wanted(row: Uint32Array): Wanted {
    const bits: number[] = [];
    for (let bit = nextBit(row, 0); bit >= 0; bit = nextBit(row, bit + 1)) bits.push(bit);
    const isFew = bits.length <= FEW && !bits.some((bit) => hasBit(this.lists, bit));
    const small = this.smallGate(row, bits);
    const gates = small ? [small] : this.gates.filter((gate) => gate.concerns(row));
    return { row, few: isFew ? Int32Array.from(bits) : undefined, gates };
  }

  /** As `wanted`, for a row that is written anew for each value. */
  wantedOnce(row: Uint32Array): Wanted {
    return { row, few: undefined, gates: this.gates };
  }

  private smallGate(row: Uint32Array, bits: readonly number[]): LiteralGate | undefined {
    if (bits.length > FEW_FOR_GATE) return undefined;
    const key = row.join();
    const known = this.smallGates.get(key);
    if (known || this.smallGates.size >= MOST_SMALL_GATES) return known;
    const literals = bits.flatMap((bit) => this.patterns[bit]!.required.flat());
    if (literals.reduce((sum, { length }) => sum + length, 0) > SMALL_GATE_BYTES) return undefined;
    const gate = new LiteralGate(this.patterns, bits, this.gates.length + this.smallGates.size);
    this.smallGates.set(key, gate);
    return gate;
  }

  /** Room for one scan at a time. */
  room(): Room {
    return { candidates: new Candidates(this.patterns.length), occurrences: [] };
  }

  /**
   * @param hits those of what is wanted that are found are added
   * @returns whether any was found
   */
  scan(value: Bytes, wanted: Wanted, hits: Uint32Array, room: Room = this.ownRoom): boolean {
    const { patterns } = this;
    const { few } = wanted;
    if (few && value.length <= SHORT) return this.tryEach(value, few, hits);
    const { candidates } = room;
    candidates.count = 0;
    let any = false;
    for (const gate of wanted.gates) {
      if (!gate.concerns(wanted.row)) continue;
      const occurrences = occurrencesOf(gate, room);
      gate.read(value, 0, value.length, occurrences);
      if (gate.judge(occurrences, wanted.row, hits, candidates)) any = true;
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
    wanted: Wanted,
    hits: Uint32Array,
    room: Room = this.room(),
  ): Generator<void, boolean, void> {
    const { candidates } = room;
    candidates.count = 0;
    let any = false;
    for (const gate of wanted.gates) {
      if (!gate.concerns(wanted.row)) continue;
      const occurrences = occurrencesOf(gate, room);
      for (let at = 0; at < value.length; at += STEP_BYTES) {
        gate.read(value, at, Math.min(value.length, at + STEP_BYTES), occurrences);
        yield;
      }
      if (gate.judge(occurrences, wanted.row, hits, candidates)) any = true;
    }
    for (let index = 0; index < candidates.count; index++) {
      const bit = candidates.bits[index]!;
      if (!(yield* testInSteps(this.patterns[bit]!, value))) continue;
      setBit(hits, bit);
      any = true;
    }
    return any;
  }

  private tryEach(value: Bytes, bits: Int32Array, hits: Uint32Array): boolean {
    let any = false;
    for (let index = 0; index < bits.length; index++) {
      const bit = bits[index]!;
      if (!this.patterns[bit]!.test(value)) continue;
      setBit(hits, bit);
      any = true;
    }
    return any;
  }
}

function occurrencesOf(gate: LiteralGate, { occurrences }: Room): Occurrences {
  const own = (occurrences[gate.number] ??= gate.occurrences());
  own.reset();
  return own;
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
