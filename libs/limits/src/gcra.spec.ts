import fc from 'fast-check';
import { debtAt, emptyAfter, NEVER_MS, rateOf, roomLeft, waitFor, type Bucket, type Rate } from './gcra';

/** One step as a source makes it. */
function spend(rate: Rate, bucket: Bucket, cost: number, now: number): { allowed: boolean; bucket: Bucket } {
  const debt = debtAt(rate, bucket, now);
  const allowed = waitFor(rate, debt, cost) === 0;
  return { allowed, bucket: { debt: allowed ? debt + cost * rate.perRequest : debt, at: Math.max(bucket.at, now) } };
}

const empty: Bucket = { debt: 0, at: 0 };

const limits = fc
  .record({ limit: fc.integer({ min: 1, max: 5_000 }), windowSeconds: fc.integer({ min: 1, max: 600 }) })
  .chain((limit) => fc.record({ limit: fc.constant(limit), burst: fc.integer({ min: 1, max: limit.limit }) }))
  .map(({ limit, burst }) => ({ ...limit, burst, rate: rateOf(limit.limit, limit.windowSeconds, burst) }));

describe('the generic cell rate algorithm', () => {
  it('admits at most the burst and what drained meanwhile, in any window, exactly', () => {
    const arrivals = fc.array(
      fc.record({ gap: fc.integer({ min: 0, max: 3_000 }), cost: fc.integer({ min: 1, max: 4 }) }),
      {
        maxLength: 60,
      },
    );
    fc.assert(
      fc.property(limits, arrivals, ({ limit, windowSeconds, burst, rate }, steps) => {
        let bucket = empty;
        let now = 0;
        const admitted: { at: number; cost: number }[] = [];
        for (const { gap, cost } of steps) {
          now += gap;
          const step = spend(rate, bucket, cost, now);
          bucket = step.bucket;
          if (step.allowed) admitted.push({ at: now, cost });
        }
        for (let from = 0; from < admitted.length; from++) {
          let sum = 0n;
          for (let to = from; to < admitted.length; to++) {
            sum += BigInt(admitted[to]!.cost);
            // sum ≤ burst + limit · t / window, without a division
            const windowMs = BigInt(windowSeconds) * 1000n;
            const drained = BigInt(limit) * BigInt(admitted[to]!.at - admitted[from]!.at);
            expect(sum * windowMs <= BigInt(burst) * windowMs + drained).toBe(true);
          }
        }
      }),
    );
  });

  it('admits a steady caller at exactly the rate for ever: nothing drifts', () => {
    const sevenPerSecond = rateOf(7, 1, 7);
    let bucket = empty;
    let admitted = 0;
    for (let now = 0; now <= 100_000; now++) {
      const step = spend(sevenPerSecond, bucket, 1, now);
      bucket = step.bucket;
      if (step.allowed) admitted++;
    }
    expect(admitted).toBe(7 + 700);
  });

  it('tells the exact wait: one millisecond earlier is refused, then it passes', () => {
    fc.assert(
      fc.property(
        limits,
        fc.integer({ min: 1, max: 5_000 }),
        fc.integer({ min: 1, max: 5_000 }),
        ({ rate }, owed, cost) => {
          const debt = Math.min(rate.capacity, owed * rate.perRequest);
          const wait = waitFor(rate, debt, cost);
          fc.pre(wait > 0 && wait < NEVER_MS);
          expect(spend(rate, { debt, at: 0 }, cost, wait - 1).allowed).toBe(false);
          expect(spend(rate, { debt, at: 0 }, cost, wait).allowed).toBe(true);
        },
      ),
    );
  });

  it('never asks a smaller cost or a smaller debt to wait longer', () => {
    fc.assert(
      fc.property(
        limits,
        fc.nat(10_000_000),
        fc.nat(10_000_000),
        fc.nat(100),
        fc.nat(100),
        ({ rate }, d1, d2, c1, c2) => {
          const [lessDebt, moreDebt] = [Math.min(d1, d2), Math.max(d1, d2)];
          const [lessCost, moreCost] = [Math.min(c1, c2), Math.max(c1, c2)];
          expect(waitFor(rate, lessDebt, lessCost)).toBeLessThanOrEqual(waitFor(rate, moreDebt, moreCost));
        },
      ),
    );
  });

  it('mints nothing when the clock runs backwards, not even when it swings', () => {
    fc.assert(
      fc.property(
        limits,
        fc.array(fc.integer({ min: 0, max: 10_000 }), { maxLength: 50 }),
        ({ limit, windowSeconds, burst, rate }, clock) => {
          let bucket = empty;
          let admitted = 0;
          for (const now of clock) {
            const step = spend(rate, bucket, 1, now);
            bucket = step.bucket;
            if (step.allowed) admitted++;
          }
          const latest = Math.max(0, ...clock);
          expect(admitted * windowSeconds * 1000).toBeLessThanOrEqual(burst * windowSeconds * 1000 + limit * latest);
        },
      ),
    );
  });

  it('stays exact where a product would leave the whole numbers of a double', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e9 }), fc.integer({ min: 1, max: 31_622_400 }), (limit, windowSeconds) => {
        const rate = rateOf(limit, windowSeconds, limit);
        expect(Object.values(rate).every((ticks) => Number.isSafeInteger(ticks) && ticks > 0)).toBe(true);
        expect(roomLeft(rate, 0)).toBe(limit);
        // Never faster than asked, and slower by less than 0.002 %.
        const exact = limit / (windowSeconds * 1000);
        const real = rate.perMillisecond / rate.perRequest;
        expect(real).toBeLessThanOrEqual(exact * (1 + 1e-12));
        expect(real).toBeGreaterThan(exact * (1 - 2e-5));
      }),
    );
  });

  it('divides a limit so that all who share it stay within it together', () => {
    fc.assert(
      fc.property(limits, fc.integer({ min: 1, max: 12 }), ({ limit, windowSeconds, burst }, deciders) => {
        const share = rateOf(limit, windowSeconds, burst, deciders);
        expect(roomLeft(share, 0) * deciders).toBeLessThanOrEqual(burst);
        expect(share.perRequest * limit).toBe(share.perMillisecond * windowSeconds * 1000 * deciders);
      }),
    );
  });

  it('is empty exactly when it says it will be', () => {
    fc.assert(
      fc.property(limits, fc.integer({ min: 1, max: 10_000_000 }), ({ rate }, debt) => {
        const after = emptyAfter(rate, debt);
        expect(debtAt(rate, { debt, at: 0 }, after)).toBe(0);
        expect(debtAt(rate, { debt, at: 0 }, after - 1)).toBeGreaterThan(0);
      }),
    );
  });
});
