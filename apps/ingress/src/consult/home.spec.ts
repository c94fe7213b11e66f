import fc from 'fast-check';
import { homeOf } from './home';

const replicas = (count: number) => Array.from({ length: count }, (_, index) => ({ address: `10.0.0.${index}:9102` }));
const keys = Array.from({ length: 3_000 }, (_, index) => `default:route:orders:consumer=c${index}`);

describe('homeOf', () => {
  it('finds the same replica in whatever order they are known', () =>
    fc.assert(
      fc.property(fc.string(), fc.integer({ min: 1, max: 8 }), (key, count) => {
        const known = replicas(count);
        expect(homeOf(key, [...known].reverse())!.address).toBe(homeOf(key, known)!.address);
      }),
    ));

  it('spreads keys about evenly', () => {
    const counts = new Map<string, number>();
    for (const key of keys) {
      const { address } = homeOf(key, replicas(3))!;
      counts.set(address, (counts.get(address) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });

  it('moves only the keys of a replica that goes', () => {
    const all = replicas(4);
    const [gone, ...left] = all;
    for (const key of keys) {
      const before = homeOf(key, all)!;
      if (before !== gone) expect(homeOf(key, left)).toBe(before);
    }
  });

  it('knows of none where there is none', () => expect(homeOf('k', [])).toBeUndefined());
});
