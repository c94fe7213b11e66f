import type { Bytes } from '../bytes';
import { LiteralAutomaton, type Occurrences } from './literal-automaton';
import type { Pattern } from './pattern';
import { WordsPattern } from './words';

/** Patterns that a gate lets through: those that must be tried. */
export class Candidates {
  readonly bits: Int32Array;
  count = 0;

  constructor(patterns: number) {
    this.bits = new Int32Array(patterns);
  }

  add(bit: number): void {
    this.bits[this.count++] = bit;
  }
}

/** One pass over a value that tells which patterns may match it, and decides those that are lists of words. */
export class LiteralGate {
  /** The patterns this gate knows, as a row. */
  private readonly members: Uint32Array;
  /** Patterns of which nothing is known. */
  private readonly always: Uint32Array;
  /** Patterns that a literal decides. */
  private readonly decided: Uint32Array;
  private readonly automaton: LiteralAutomaton;
  /** By literal: the sets it belongs to. */
  private readonly setsOf: readonly Int32Array[];
  /** By set: its pattern. */
  private readonly patternOf: Int32Array;
  /** By pattern: how many sets it has. */
  private readonly needed: Int32Array;
  /** By set, and by pattern: in which scan it was met last; by pattern: how many of its sets were. */
  private readonly setMetIn: Uint32Array;
  private readonly metIn: Uint32Array;
  private readonly met: Int32Array;
  private scans = 0;

  /**
   * @param patterns all there are
   * @param bits those this gate is for
   */
  constructor(patterns: readonly Pattern[], bits: readonly number[]) {
    const words = (patterns.length + 31) >>> 5;
    this.members = new Uint32Array(words);
    this.always = new Uint32Array(words);
    this.decided = new Uint32Array(words);
    this.needed = new Int32Array(patterns.length);
    this.met = new Int32Array(patterns.length);
    this.metIn = new Uint32Array(patterns.length);
    const numbers = new Map<Bytes, number>();
    const setsOf: number[][] = [];
    const patternOf: number[] = [];
    for (const bit of bits) {
      const pattern = patterns[bit]!;
      const sets = pattern.required.filter((set) => !set.includes(''));
      setBit(this.members, bit);
      this.needed[bit] = sets.length;
      if (sets.length === 0) setBit(this.always, bit);
      if (pattern instanceof WordsPattern) setBit(this.decided, bit);
      for (const set of sets) {
        const number = patternOf.push(bit) - 1;
        for (const literal of set) {
          const known = numbers.get(literal);
          if (known === undefined) numbers.set(literal, setsOf.push([number]) - 1);
          else setsOf[known]!.push(number);
        }
      }
    }
    this.setsOf = setsOf.map((sets) => Int32Array.from(sets));
    this.patternOf = Int32Array.from(patternOf);
    this.setMetIn = new Uint32Array(patternOf.length);
    this.automaton = new LiteralAutomaton([...numbers.keys()]);
  }

  get memoryBytes(): number {
    return this.automaton.memoryBytes;
  }

  /** Whether any of the patterns that are looked for is one of this gate. */
  concerns(wanted: Uint32Array): boolean {
    const { members } = this;
    for (let word = 0; word < members.length; word++) if ((members[word]! & wanted[word]!) !== 0) return true;
    return false;
  }

  /** Room for a scan. */
  occurrences(): Occurrences {
    return this.automaton.occurrences();
  }

  read(value: Bytes, from: number, to: number, occurrences: Occurrences): void {
    this.automaton.scan(value, from, to, occurrences);
  }

  /**
   * What the occurrences in a value mean.
   * @param hits what literals decide is added
   * @param candidates what must be tried is added
   */
  judge(occurrences: Occurrences, wanted: Uint32Array, hits: Uint32Array, candidates: Candidates): void {
    const { always } = this;
    for (let word = 0; word < always.length; word++) {
      for (let rest = wanted[word]! & always[word]!; rest !== 0; rest &= rest - 1) {
        candidates.add(word * 32 + 31 - Math.clz32(rest & -rest));
      }
    }
    this.scans++;
    for (let index = 0; index < occurrences.count; index++) {
      const literals = this.automaton.literalsOf(occurrences.states[index]!);
      for (let at = 0; at < literals.length; at++) this.meet(literals[at]!, wanted, hits, candidates);
    }
  }

  private meet(literal: number, wanted: Uint32Array, hits: Uint32Array, candidates: Candidates): void {
    const { setMetIn, patternOf, metIn, met, scans } = this;
    const sets = this.setsOf[literal]!;
    for (let index = 0; index < sets.length; index++) {
      const set = sets[index]!;
      const bit = patternOf[set]!;
      if (!hasBit(wanted, bit) || setMetIn[set] === scans) continue;
      setMetIn[set] = scans;
      if (metIn[bit] !== scans) {
        metIn[bit] = scans;
        met[bit] = 0;
      }
      if (++met[bit]! !== this.needed[bit]) continue;
      if (hasBit(this.decided, bit)) setBit(hits, bit);
      else candidates.add(bit);
    }
  }
}

export function setBit(row: Uint32Array, bit: number): void {
  row[bit >>> 5]! |= 1 << (bit & 31);
}

function hasBit(row: Uint32Array, bit: number): boolean {
  return ((row[bit >>> 5]! >>> (bit & 31)) & 1) === 1;
}
