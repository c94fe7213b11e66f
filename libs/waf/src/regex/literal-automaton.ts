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

/**
 * Finds all occurrences of many literals in one pass, whatever the case of ASCII letters (Aho and Corasick). Every transition is
 * in the table; states at which some literal ends have the greatest numbers, so that a comparison tells them.
 */
export class LiteralAutomaton {
  private readonly table: Uint16Array | Int32Array;
  private readonly classOf = new Uint8Array(256);
  /** Length of a row: classes of bytes. */
  private readonly stride: number;
  private readonly firstOutput: number;
  /** By output: the numbers of the literals that end there, the longest first. */
  readonly outputs: readonly Int32Array[];

  /** @param literals folded to lower case and not empty; the number of each is its place */
  constructor(literals: readonly Bytes[]) {
    this.stride = this.numberClasses(literals);
    const trie = this.plant(literals);
    const { order, failures } = this.link(trie);
    const all = order.map((state) => literalsAt(state, trie, failures));
    const silent = order.filter((_, index) => all[index]!.length === 0);
    const speaking = order.filter((_, index) => all[index]!.length > 0);
    this.firstOutput = silent.length;
    this.outputs = all.filter((numbers) => numbers.length > 0).map((numbers) => Int32Array.from(numbers));
    const renumbered = new Int32Array(trie.size);
    [...silent, ...speaking].forEach((state, number) => (renumbered[state] = number));
    this.table = this.tableOf(trie, renumbered);
  }

  get memoryBytes(): number {
    return this.table.byteLength + this.outputs.reduce((sum, { byteLength }) => sum + byteLength + 64, 0);
  }

  /** Room for a scan of this automaton. */
  occurrences(): Occurrences {
    return new Occurrences(this.outputs.length);
  }

  /** Reads on where `occurrences` stands, and adds what ends in between. */
  scan(value: Bytes, from: number, to: number, occurrences: Occurrences): void {
    const { table, classOf, stride, firstOutput } = this;
    let state = occurrences.at;
    for (let at = from; at < to; at++) {
      state = table[state * stride + classOf[value.charCodeAt(at) & 0xff]!]!;
      if (state >= firstOutput) occurrences.add(state - firstOutput);
    }
    occurrences.at = state;
  }

  /** @returns the output at which the first occurrence ends */
  first(value: Bytes): number | undefined {
    const { table, classOf, stride, firstOutput } = this;
    let state = 0;
    for (let at = 0; at < value.length; at++) {
      state = table[state * stride + classOf[value.charCodeAt(at) & 0xff]!]!;
      if (state >= firstOutput) return state - firstOutput;
    }
    return undefined;
  }

  private numberClasses(literals: readonly Bytes[]): number {
    let classes = 1;
    for (const literal of literals) {
      for (let at = 0; at < literal.length; at++) {
        const byte = literal.charCodeAt(at);
        if (this.classOf[byte] === 0) this.classOf[byte] = classes++;
      }
    }
    for (let byte = 65; byte <= 90; byte++) this.classOf[byte] = this.classOf[byte + 32]!;
    return classes;
  }

  private plant(literals: readonly Bytes[]): Trie {
    const most = literals.reduce((sum, { length }) => sum + length, 1);
    const trie: Trie = { table: new Int32Array(most * this.stride), size: 1, ends: [] };
    literals.forEach((literal, number) => {
      let state = 0;
      for (let at = 0; at < literal.length; at++) {
        const cell = state * this.stride + this.classOf[literal.charCodeAt(at)]!;
        if (trie.table[cell] === 0) trie.table[cell] = trie.size++;
        state = trie.table[cell]!;
      }
      (trie.ends[state] ??= []).push(number);
    });
    return trie;
  }

  /** Fills in where a state goes on that has no child for a byte, level by level. */
  private link({ table, size }: Trie): { order: number[]; failures: Int32Array } {
    const { stride } = this;
    const failures = new Int32Array(size);
    const order = [0];
    for (let index = 0; index < order.length; index++) {
      const state = order[index]!;
      const row = state * stride;
      const failureRow = failures[state]! * stride;
      for (let column = 0; column < stride; column++) {
        const other = state === 0 ? 0 : table[failureRow + column]!;
        const child = table[row + column]!;
        if (child === 0) {
          table[row + column] = other;
        } else {
          failures[child] = other;
          order.push(child);
        }
      }
    }
    return { order, failures };
  }

  private tableOf({ table, size }: Trie, renumbered: Int32Array): Uint16Array | Int32Array {
    const { stride } = this;
    const cells = size <= 0xffff ? new Uint16Array(size * stride) : new Int32Array(size * stride);
    for (let state = 0; state < size; state++) {
      const from = state * stride;
      const to = renumbered[state]! * stride;
      for (let column = 0; column < stride; column++) cells[to + column] = renumbered[table[from + column]!]!;
    }
    return cells;
  }
}

interface Trie {
  readonly table: Int32Array;
  size: number;
  /** By state: the literals that end there. */
  readonly ends: (number[] | undefined)[];
}

function literalsAt(state: number, { ends }: Trie, failures: Int32Array): number[] {
  const numbers: number[] = [];
  for (let at = state; at !== 0; at = failures[at]!) for (const number of ends[at] ?? []) numbers.push(number);
  return numbers;
}
