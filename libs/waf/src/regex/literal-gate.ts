import { setBit } from '../bit-set';
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

/** Sets of required literals of one pattern that count; the others are let be. */
const LAYERS = 4;

/**
 * One pass over a value that tells which patterns may match it, and decides those that are lists of words. The sets of a pattern's
 * required literals are numbered: an occurrence of a literal sets a bit of the row of each set it is in, and a pattern may match
 * where its bit is set in all rows.
 */
export class LiteralGate {
  /** The patterns this gate knows, as a row. */
  private readonly members: Uint32Array;
  /** Patterns that a literal decides. */
  private readonly decided: Uint32Array;
  private readonly automaton: LiteralAutomaton;
  /** `LAYERS` rows: bits of the patterns that have no set of that number. */
  private readonly absent: Uint32Array;
  /** As `absent`, and while a value is judged what was met in it. */
  private readonly rows: Uint32Array;
  /** For each output state in turn: words of `rows` and what is set in them, in turn; and where those of a state begin. */
  private readonly effects: Int32Array;
  private readonly effectsFrom: Int32Array;

  /**
   * @param patterns all there are
   * @param bits those this gate is for
   * @param number among the gates of a set
   */
  constructor(
    patterns: readonly Pattern[],
    bits: readonly number[],
    readonly number: number,
  ) {
    const words = (patterns.length + 31) >>> 5;
    this.members = new Uint32Array(words);
    this.decided = new Uint32Array(words);
    this.absent = new Uint32Array(words * LAYERS);
    const numbers = new Map<Bytes, number>();
    const effects: Map<number, number>[] = [];
    for (const bit of bits) {
      const pattern = patterns[bit]!;
      setBit(this.members, bit);
      if (pattern instanceof WordsPattern) setBit(this.decided, bit);
      const sets = pattern.required.filter((set) => !set.includes('')).slice(0, LAYERS);
      for (let layer = 0; layer < LAYERS; layer++) {
        const word = layer * words + (bit >>> 5);
        if (layer >= sets.length) this.absent[word]! |= 1 << (bit & 31);
        for (const literal of sets[layer] ?? []) {
          let number = numbers.get(literal);
          if (number === undefined) numbers.set(literal, (number = effects.push(new Map()) - 1));
          effects[number]!.set(word, (effects[number]!.get(word) ?? 0) | (1 << (bit & 31)));
        }
      }
    }
    this.rows = this.absent.slice();
    this.automaton = new LiteralAutomaton([...numbers.keys()]);
    const all: number[] = [];
    this.effectsFrom = Int32Array.from(
      [0, ...this.automaton.outputs].map((literals) => {
        if (typeof literals !== 'number') for (const pair of together(effects, literals)) all.push(...pair);
        return all.length;
      }),
    );
    this.effects = Int32Array.from(all);
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
   * @returns whether literals decided that anything is there
   */
  judge(occurrences: Occurrences, wanted: Uint32Array, hits: Uint32Array, candidates: Candidates): boolean {
    const { rows, members, decided } = this;
    this.meet(occurrences);
    const words = members.length;
    let any = false;
    for (let word = 0; word < words; word++) {
      let met = wanted[word]! & members[word]!;
      for (let layer = 0; met !== 0 && layer < LAYERS; layer++) met &= rows[layer * words + word]!;
      if (met === 0) continue;
      const found = met & decided[word]!;
      if (found !== 0) {
        hits[word]! |= found;
        any = true;
      }
      for (let rest = met & ~found; rest !== 0; rest &= rest - 1) {
        candidates.add(word * 32 + 31 - Math.clz32(rest & -rest));
      }
    }
    this.forget(occurrences);
    return any;
  }

  private meet({ outputs, count }: Occurrences): void {
    const { rows, effects, effectsFrom } = this;
    for (let index = 0; index < count; index++) {
      const output = outputs[index]!;
      const end = effectsFrom[output + 1]!;
      for (let at = effectsFrom[output]!; at < end; at += 2) rows[effects[at]!]! |= effects[at + 1]!;
    }
  }

  private forget({ outputs, count }: Occurrences): void {
    const { rows, absent, effects, effectsFrom } = this;
    for (let index = 0; index < count; index++) {
      const output = outputs[index]!;
      const end = effectsFrom[output + 1]!;
      for (let at = effectsFrom[output]!; at < end; at += 2) rows[effects[at]!] = absent[effects[at]!]!;
    }
  }
}

/** What some literals set that occur together. */
function together(effects: readonly ReadonlyMap<number, number>[], literals: Int32Array): ReadonlyMap<number, number> {
  const all = new Map<number, number>();
  for (const literal of literals) {
    for (const [word, bits] of effects[literal]!) all.set(word, (all.get(word) ?? 0) | bits);
  }
  return all;
}
