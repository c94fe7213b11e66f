import type { Bytes } from '../bytes';

/** Outputs met in a scan, each once: an output is where some literals end together. */
export class Occurrences {
  readonly outputs: Int32Array;
  count = 0;
  /** Where the automaton stands. */
  at = 0;
  private readonly met: Uint32Array;
  private generation = 0;

  constructor(outputs: number) {
    this.outputs = new Int32Array(outputs);
    this.met = new Uint32Array(outputs);
  }

  reset(): void {
    this.count = 0;
    this.at = 0;
    // After 2^32 scans an old number must not look like a new one.
    if (this.generation === 0xffffffff) {
      this.met.fill(0);
      this.generation = 0;
    }
    this.generation++;
  }

  add(output: number): void {
    if (this.met[output] === this.generation) return;
    this.met[output] = this.generation;
    this.outputs[this.count++] = output;
  }
}

/** States with a row of their own: those nearest to the start, where nearly all of any text is read. */
const STATES_WITH_ROWS = 1024;

type Numbers = Uint16Array | Int32Array;

/**
 * Finds all occurrences of many literals in one pass, whatever the case of ASCII letters (Aho and Corasick).
 *
 * States are numbered level by level, so that the children of a state follow each other. The first ones have every transition in
 * a row. Those farther from the start have their children and the state to fall back to only: rows for all of them would be
 * megabytes, and a text that leads from one to the other would find none of it in the cache. A fall brings the automaton nearer to
 * the start and a byte leads away by one, so that there are never more falls than bytes.
 */
export class LiteralAutomaton {
  private readonly classOf = new Uint8Array(256);
  /** Length of a row: classes of bytes. Class 0 is every byte that no literal has. */
  private readonly stride: number;
  private readonly withRow: number;
  private readonly rows: Numbers;
  /** By state: its first child; those of the next state begin where its own end. */
  private readonly firstChild: Int32Array;
  /** By state: the class of the byte that leads there from its parent. */
  private readonly into: Uint8Array;
  /** By state: that of the longest end of what was read that some literal begins with. */
  private readonly fallback: Int32Array;
  /** By state: one more than the output there; 0: no literal ends. */
  private readonly outputAt: Int32Array;
  /** By output: the numbers of the literals that end there, the longest first. */
  readonly outputs: readonly Int32Array[];

  /**
   * @param literals folded to lower case and not empty; the number of each is its place
   * @param statesWithRows the most there may be; the start has one in any case
   */
  constructor(literals: readonly Bytes[], statesWithRows = STATES_WITH_ROWS) {
    this.stride = numberClasses(literals, this.classOf);
    const trie = plant(literals, this.classOf);
    const { size } = trie;
    this.firstChild = new Int32Array(size + 1);
    this.into = new Uint8Array(size);
    this.fallback = new Int32Array(size);
    this.outputAt = new Int32Array(size);
    this.withRow = Math.min(size, Math.max(1, statesWithRows));
    this.rows =
      size <= 0x10000 ? new Uint16Array(this.withRow * this.stride) : new Int32Array(this.withRow * this.stride);
    this.outputs = this.link(trie);
  }

  get memoryBytes(): number {
    const { rows, firstChild, into, fallback, outputAt, outputs } = this;
    const tables = [rows, firstChild, into, fallback, outputAt];
    return (
      tables.reduce((sum, { byteLength }) => sum + byteLength, 0) +
      outputs.reduce((sum, { byteLength }) => sum + byteLength + 64, 0)
    );
  }

  /** Room for a scan of this automaton. */
  occurrences(): Occurrences {
    return new Occurrences(this.outputs.length);
  }

  /**
   * Reads on where `occurrences` stands, and adds what ends in between. Goes as `next` does, which it does not call: every byte of
   * a request comes by here some times, and a call for those that are far from the start would cost a third more for all.
   */
  scan(value: Bytes, from: number, to: number, occurrences: Occurrences): void {
    const { rows, classOf, stride, withRow, outputAt, firstChild, into, fallback } = this;
    let state = occurrences.at;
    for (let at = from; at < to; at++) {
      const column = classOf[value.charCodeAt(at) & 0xff]!;
      for (;;) {
        if (state < withRow) {
          state = rows[state * stride + column]!;
          break;
        }
        let child = firstChild[state]!;
        const end = firstChild[state + 1]!;
        while (child < end && into[child] !== column) child++;
        if (child < end) {
          state = child;
          break;
        }
        state = fallback[state]!;
      }
      const output = outputAt[state]!;
      if (output !== 0) occurrences.add(output - 1);
    }
    occurrences.at = state;
  }

  /** @returns the output at which the first occurrence ends */
  first(value: Bytes): number | undefined {
    let state = 0;
    for (let at = 0; at < value.length; at++) {
      state = this.next(state, this.classOf[value.charCodeAt(at) & 0xff]!);
      if (this.outputAt[state] !== 0) return this.outputAt[state]! - 1;
    }
    return undefined;
  }

  private next(from: number, column: number): number {
    const { rows, stride, withRow, firstChild, into, fallback } = this;
    for (let state = from; ; state = fallback[state]!) {
      if (state < withRow) return rows[state * stride + column]!;
      const end = firstChild[state + 1]!;
      for (let child = firstChild[state]!; child < end; child++) if (into[child] === column) return child;
    }
  }

  /** Numbers the states level by level; what a state needs of nearer ones is known when its turn comes. */
  private link(trie: Trie): Int32Array[] {
    const { firstChild, into, fallback } = this;
    const planted = new Int32Array(trie.size);
    const outputs: Int32Array[] = [];
    let known = 1;
    for (let state = 0; state < trie.size; state++) {
      firstChild[state] = known;
      for (let child = trie.child[planted[state]!]!; child !== 0; child = trie.sibling[child]!) {
        planted[known] = child;
        into[known] = trie.into[child]!;
        // The start falls back to itself, and a literal of one byte to the start.
        if (state > 0) fallback[known] = this.next(fallback[state]!, into[known]!);
        known++;
      }
      firstChild[state + 1] = known;
      if (state < this.withRow) this.fillRow(state);
      this.note(state, trie.ends[planted[state]!], outputs);
    }
    return outputs;
  }

  private fillRow(state: number): void {
    const { rows, stride, firstChild, into, fallback } = this;
    const row = state * stride;
    if (state > 0) rows.copyWithin(row, fallback[state]! * stride, (fallback[state]! + 1) * stride);
    for (let child = firstChild[state]!; child < firstChild[state + 1]!; child++) rows[row + into[child]!] = child;
  }

  /** Where a state ends no literal itself, those end that end at the state it falls back to. */
  private note(state: number, ends: readonly number[] | undefined, outputs: Int32Array[]): void {
    const behind = this.outputAt[this.fallback[state]!]!;
    if (!ends) this.outputAt[state] = behind;
    else this.outputAt[state] = outputs.push(Int32Array.from([...ends, ...(outputs[behind - 1] ?? [])]));
  }
}

/** @returns how many classes there are: one for each byte of a literal, in both cases of a letter, and one for the others */
function numberClasses(literals: readonly Bytes[], classOf: Uint8Array): number {
  let classes = 1;
  for (const literal of literals) {
    for (let at = 0; at < literal.length; at++) {
      const byte = literal.charCodeAt(at);
      if (classOf[byte] === 0) classOf[byte] = classes++;
    }
  }
  for (let byte = 65; byte <= 90; byte++) classOf[byte] = classOf[byte + 32]!;
  return classes;
}

/** The beginnings of all literals. By state: its first child, the next child of its parent, and the class that leads there; 0: none. */
interface Trie {
  size: number;
  readonly child: Int32Array;
  readonly sibling: Int32Array;
  readonly into: Uint8Array;
  /** By state: the literals that end there. */
  readonly ends: (number[] | undefined)[];
}

function plant(literals: readonly Bytes[], classOf: Uint8Array): Trie {
  const most = literals.reduce((sum, { length }) => sum + length, 1);
  const [child, sibling, into] = [new Int32Array(most), new Int32Array(most), new Uint8Array(most)];
  const trie: Trie = { size: 1, child, sibling, into, ends: [] };
  literals.forEach((literal, number) => {
    let state = 0;
    for (let at = 0; at < literal.length; at++) {
      const column = classOf[literal.charCodeAt(at)]!;
      let next = child[state]!;
      while (next !== 0 && into[next] !== column) next = sibling[next]!;
      if (next === 0) {
        next = trie.size++;
        into[next] = column;
        sibling[next] = child[state]!;
        child[state] = next;
      }
      state = next;
    }
    (trie.ends[state] ??= []).push(number);
  });
  return trie;
}
