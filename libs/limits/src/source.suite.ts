import { rateOf } from './gcra';
import type { Draw, Drawn, LimitSource } from './source';

export interface SourceUnderTest {
  readonly source: LimitSource;
  /** Lets time pass: by a fake clock, or really. */
  advance(milliseconds: number): Promise<void>;
  close(): Promise<void>;
}

const tenPerMinute = rateOf(10, 60, 10);

/** What every source of limits must do. `make` hands out one without any bucket in it. */
export function describeLimitSource(name: string, make: () => Promise<SourceUnderTest>): void {
  describe(`limit source: ${name}`, () => {
    let under: SourceUnderTest;
    beforeEach(async () => {
      under = await make();
    });
    afterEach(() => under.close());

    const draw = (draws: Draw[], tenant = 'default'): Promise<Drawn> =>
      new Promise((resolve, reject) =>
        under.source.draw(tenant, draws, (drawn) => (drawn ? resolve(drawn) : reject(new Error('no answer')))),
      );
    const one = (key: string, cost = 1, rate = tenPerMinute): Draw => ({ key, rate, cost });

    it('adds the cost to the debt', async () => {
      const { taken, debts } = await draw([one('a', 3)]);
      expect({ taken, debts }).toEqual({ taken: true, debts: [3 * tenPerMinute.perRequest] });
    });

    it('takes exactly the burst from a full bucket, also when all come at once', async () => {
      const results = await Promise.all(Array.from({ length: 25 }, () => draw([one('a')])));
      expect(results.filter(({ taken }) => taken)).toHaveLength(10);
    });

    it('draws on all buckets or on none', async () => {
      await draw([one('used-up', 10)]);
      const refused = await draw([one('fresh', 4), one('used-up')]);
      expect(refused.taken).toBe(false);
      expect(refused.debts[0]).toBe(0);
      expect((await draw([one('fresh', 10)])).taken).toBe(true);
    });

    it('counts two draws on one bucket in one call together', async () => {
      const refused = await draw([one('a', 6), one('a', 6)]);
      expect(refused.taken).toBe(false);
      expect(refused.debts).toEqual([0, 6 * tenPerMinute.perRequest]);
      expect((await draw([one('a', 4), one('a', 6)])).taken).toBe(true);
    });

    it('keeps tenants and keys apart', async () => {
      await draw([one('a', 10)]);
      expect((await draw([one('b')])).taken).toBe(true);
      expect((await draw([one('a')], 'other')).taken).toBe(true);
    });

    it('drains a debt as time passes, and never below nothing', async () => {
      const tenPerSecond = rateOf(10, 1, 10);
      await draw([one('a', 10, tenPerSecond)]);
      await under.advance(210);
      expect((await draw([one('a', 2, tenPerSecond)])).taken).toBe(true);
      await under.advance(1_050);
      expect((await draw([one('a', 0, tenPerSecond)])).debts).toEqual([0]);
      expect((await draw([one('a', 10, tenPerSecond)])).taken).toBe(true);
    });

    it('keeps large amounts exact', async () => {
      const large = rateOf(999_999_937, 86_400, 999_999_937);
      const cost = 999_999_936;
      const { taken, debts } = await draw([one('a', cost, large)]);
      expect({ taken, debts }).toEqual({ taken: true, debts: [cost * large.perRequest] });
    });

    it('takes any text as a key', async () => {
      for (const key of ['a b', 'ü{x}', "'; return 1 --", 'a\nb', '2001:db8::/64']) {
        expect((await draw([one(key, 10)])).taken).toBe(true);
        expect((await draw([one(key)])).taken).toBe(false);
      }
    });

    it('answers an empty call', async () => {
      expect(await draw([])).toEqual({ taken: true, debts: [] });
    });
  });
}
