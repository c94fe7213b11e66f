import * as fc from 'fast-check';
import { addBits, bitSet, hasBit, nextBit, setBit } from './bit-set';

const SIZE = 131;
const numbers = fc.uniqueArray(fc.nat(SIZE - 1));

function setOf(members: readonly number[]) {
  const bits = bitSet(SIZE);
  for (const member of members) setBit(bits, member);
  return bits;
}

function membersOf(bits: ReturnType<typeof bitSet>): number[] {
  const members: number[] = [];
  for (let at = nextBit(bits, 0); at >= 0; at = nextBit(bits, at + 1)) members.push(at);
  return members;
}

const ascending = (one: number, other: number) => one - other;

describe('a set of bits', () => {
  it('gives back its members in order, and has no other', () => {
    fc.assert(
      fc.property(numbers, (members) => {
        const bits = setOf(members);
        expect(membersOf(bits)).toEqual([...members].sort(ascending));
        for (let at = 0; at < SIZE; at++) expect(hasBit(bits, at)).toBe(members.includes(at));
      }),
    );
  });

  it('has the members of both when those of another one are added', () => {
    fc.assert(
      fc.property(numbers, numbers, (some, others) => {
        const bits = setOf(some);
        addBits(bits, setOf(others));
        expect(membersOf(bits)).toEqual([...new Set([...some, ...others])].sort(ascending));
      }),
    );
  });
});
