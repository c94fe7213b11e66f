/** A set of small numbers, a bit each, 32 a word. */
export type BitSet = Uint32Array;

/** @returns an empty set of numbers below `size` */
export function bitSet(size: number): BitSet {
  return new Uint32Array((size + 31) >>> 5);
}

export function setBit(bits: BitSet, at: number): void {
  bits[at >>> 5]! |= 1 << (at & 31);
}

export function hasBit(bits: BitSet, at: number): boolean {
  return ((bits[at >>> 5]! >>> (at & 31)) & 1) === 1;
}

/** @returns the first number from a place on that is in the set, -1 where none is. */
export function nextBit(bits: BitSet, from: number): number {
  let word = from >>> 5;
  if (word >= bits.length) return -1;
  let rest = bits[word]! & (-1 << (from & 31));
  while (rest === 0) {
    if (++word >= bits.length) return -1;
    rest = bits[word]!;
  }
  return word * 32 + 31 - Math.clz32(rest & -rest);
}

/** Adds to a set what is in another one of the same size. */
export function addBits(bits: BitSet, others: BitSet): void {
  for (let word = 0; word < bits.length; word++) bits[word]! |= others[word]!;
}
