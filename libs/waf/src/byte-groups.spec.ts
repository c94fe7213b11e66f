import fc from 'fast-check';
import { bytes } from './arbitrary-bytes.suite';
import { ByteGroups } from './byte-groups';
import { ByteSet, type Bytes } from './bytes';

const sets = fc.array(
  bytes(24).map((members) => ByteSet.of(members)),
  { maxLength: 40 },
);
const hasByteOf = (set: ByteSet, value: Bytes) => [...value].some((byte) => set.has(byte.charCodeAt(0)));

describe('groups of bytes', () => {
  it('tell of each set a value has a byte of, however many there are', () => {
    fc.assert(
      fc.property(sets, bytes(12), (some, value) => {
        const groups = new ByteGroups(some);
        const present = some.filter((set) => hasByteOf(set, value));
        expect(present.every((set) => (groups.of(value) & groups.ofSet(set)) !== 0)).toBe(true);
      }),
    );
  });

  it('are within a set only where every value with one of them has a byte of it', () => {
    fc.assert(
      fc.property(sets, bytes(12), (some, value) => {
        const groups = new ByteGroups(some);
        const within = some.filter((set) => (groups.of(value) & groups.within(set)) !== 0);
        expect(within.every((set) => hasByteOf(set, value))).toBe(true);
      }),
    );
  });

  it('tell exactly where they are few', () => {
    const some = [ByteSet.of("'"), ByteSet.of('%+'), ByteSet.range(0x80, 0xff), ByteSet.of('+ ')];
    const groups = new ByteGroups(some);
    const told = (value: Bytes) => some.map((set) => (groups.of(value) & groups.ofSet(set)) !== 0);
    expect(told('a+b')).toEqual([false, true, false, true]);
    expect(told("O'Neil")).toEqual([true, false, false, false]);
    expect(told('M\xfcller')).toEqual([false, false, true, false]);
    expect(told('')).toEqual([false, false, false, false]);
  });

  it('are joined at rare bytes first, so that everyday ones are told apart', () => {
    const groups = new ByteGroups(Array.from({ length: 0x41 }, (_, byte) => ByteSet.range(byte, byte)));
    expect(groups.of('1') & groups.of('2')).toBe(0);
    expect(groups.of('\x01') & groups.of('\x02')).not.toBe(0);
  });
});
