import type { Charge, Limiter, Spending } from './limiter';

export interface LimiterUnderTest {
  readonly limiter: Limiter;
  /** Lets time pass for the engine behind the limiter. */
  advance(milliseconds: number): Promise<void>;
  close(): Promise<void>;
}

export const tenPerMinute: Charge = { policy: 'default', key: 'k', limit: 10, windowSeconds: 60, burst: 10, cost: 1 };

/** What a limiter must do at either distance. `make` hands out one that has counted nothing. */
export function describeLimiter(name: string, make: () => Promise<LimiterUnderTest>): void {
  describe(`limiter: ${name}`, () => {
    let under: LimiterUnderTest;
    beforeEach(async () => {
      under = await make();
    });
    afterEach(() => under.close());

    const spend = (charges: readonly Charge[], tenant = 'default'): Promise<Spending> =>
      new Promise((resolve) => under.limiter.spend(tenant, charges, resolve));

    it('lets a caller through and says where it stands', async () => {
      expect(await spend([tenPerMinute])).toEqual({
        allowed: true,
        standings: [{ policy: 'default', limit: 10, windowSeconds: 60, remaining: 9, resetMs: 6_000, retryAfterMs: 0 }],
      });
    });

    it('admits the burst and not one more, also when all ask in the same turn', async () => {
      const spendings = await Promise.all(Array.from({ length: 30 }, () => spend([tenPerMinute])));
      expect(spendings.map(({ allowed }) => allowed)).toEqual(Array.from({ length: 30 }, (_, index) => index < 10));
    });

    it('tells a refused caller the exact wait after which the same call passes', async () => {
      await spend([{ ...tenPerMinute, cost: 10 }]);
      const [standing] = (await spend([tenPerMinute])).standings;
      expect(standing).toMatchObject({ remaining: 0, resetMs: 60_000, retryAfterMs: 6_000 });
      await under.advance(5_999);
      expect((await spend([tenPerMinute])).allowed).toBe(false);
      await under.advance(1);
      expect((await spend([tenPerMinute])).allowed).toBe(true);
    });

    it('takes all charges or none, and names the one that had no room', async () => {
      const route: Charge = { ...tenPerMinute, policy: 'route', key: 'r' };
      await spend([{ ...tenPerMinute, cost: 10 }]);
      const refused = await spend([route, tenPerMinute]);
      expect(refused.allowed).toBe(false);
      expect(refused.standings.map(({ policy, retryAfterMs }) => [policy, retryAfterMs])).toEqual([
        ['route', 0],
        ['default', 6_000],
      ]);
      expect((await spend([{ ...route, cost: 10 }])).allowed).toBe(true);
    });

    it('keeps tenants apart', async () => {
      await spend([{ ...tenPerMinute, cost: 10 }]);
      expect((await spend([tenPerMinute], 'other')).allowed).toBe(true);
    });

    it('lets fewer come at once where a burst says so', async () => {
      const two: Charge = { ...tenPerMinute, burst: 2 };
      const spendings = [await spend([two]), await spend([two]), await spend([two])];
      expect(spendings.map(({ allowed }) => allowed)).toEqual([true, true, false]);
    });

    it('takes a burst of 0 for the limit itself', async () => {
      expect((await spend([{ ...tenPerMinute, burst: 0, cost: 10 }])).allowed).toBe(true);
    });

    it('says that waiting never helps when the cost exceeds the whole bucket', async () => {
      const spending = await spend([{ ...tenPerMinute, cost: 11 }]);
      expect(spending).toMatchObject({ allowed: false, standings: [{ remaining: 10, retryAfterMs: 2 ** 32 - 1 }] });
    });

    it('lets a call without charges through', async () => {
      expect(await spend([])).toEqual({ allowed: true, standings: [] });
    });

    it('begins afresh when the limit of a key is changed', async () => {
      await spend([{ ...tenPerMinute, cost: 10 }]);
      expect((await spend([{ ...tenPerMinute, limit: 20, burst: 20 }])).allowed).toBe(true);
    });

    it('keeps the largest limits it can be given', async () => {
      const charge: Charge = { ...tenPerMinute, limit: 1e9, burst: 1e9, windowSeconds: 31_622_400, cost: 1e9 };
      expect((await spend([charge])).allowed).toBe(true);
      expect((await spend([{ ...charge, cost: 1 }])).standings[0]).toMatchObject({
        remaining: 0,
        resetMs: 2 ** 32 - 1,
      });
    });
  });
}
