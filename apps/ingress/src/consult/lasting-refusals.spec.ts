import fc from 'fast-check';
import { LocalLimiter, MemorySource, type Charge, type Spending } from '@sallyport/limits';
import { describeLimiter, tenPerMinute } from '../../../../libs/limits/src/limiter.suite';
import { LastingRefusals } from './lasting-refusals';
import type { ConsultedLimiter, DecidedBy } from './with-fallback';

const twoPerSecond: Charge = { ...tenPerMinute, limit: 2, windowSeconds: 1, burst: 2 };

/** The engine as a service that takes `delayMs` to answer, and counts how often it is asked. */
function service({ delayMs = 0, decidedBy = 'service' as DecidedBy } = {}) {
  const clock = { time: 1000, now: () => clock.time, monotonic: () => clock.time };
  const engine = new LocalLimiter(new MemorySource(clock));
  const state = { clock, engine, decidedBy, asked: 0, repeated: 0 };
  const limiter: ConsultedLimiter = {
    spend(tenant, charges, done) {
      state.asked++;
      engine.spend(tenant, charges, (spending) => {
        clock.time += delayMs;
        done(spending, state.decidedBy);
      });
    },
  };
  const lasting = new LastingRefusals(limiter, clock, { add: () => void state.repeated++ });
  const spend = (charges: readonly Charge[] = [twoPerSecond], tenant = 'default'): Spending => {
    let heard: Spending | undefined;
    lasting.spend(tenant, charges, (spending) => (heard = spending));
    return heard!;
  };
  return Object.assign(state, { lasting, spend });
}

describeLimiter('an engine whose refusals last', async () => {
  const { lasting, clock } = service();
  return {
    limiter: lasting,
    advance: async (milliseconds) => void (clock.time += milliseconds),
    close: async () => {},
  };
});

describe('a caller who does not heed Retry-After', () => {
  it('costs the service one question for each wait, and is told the same wait, less what has passed', () => {
    const limits = service();
    for (let used = 0; used < 2; used++) limits.spend();
    const waits = Array.from({ length: 600 }, () => {
      const { standings } = limits.spend();
      limits.clock.time += 1;
      return standings[0]!.retryAfterMs;
    });
    // Refused 500 times until one has room, let in once, and refused again.
    expect(waits.slice(0, 502)).toEqual([...Array.from({ length: 500 }, (_, index) => 500 - index), 0, 499]);
    expect(limits).toMatchObject({ asked: 2 + 3, repeated: 597 });
  });

  it('is let in as soon as the service would let it in, however late that answered', () => {
    const limits = service({ delayMs: 7 });
    while (limits.spend().allowed);
    const [refused] = limits.spend().standings;
    limits.clock.time += refused!.retryAfterMs - 7;
    expect(limits.spend().allowed).toBe(true);
  });

  it('is asked about once a second where the wait is longer: the buckets may have been lost', () => {
    const limits = service();
    limits.spend([{ ...tenPerMinute, cost: 10 }]);
    for (let elapsed = 0; elapsed < 3000; elapsed += 10) {
      expect(limits.spend([tenPerMinute]).allowed).toBe(false);
      limits.clock.time += 10;
    }
    expect(limits.asked).toBe(1 + 3);
  });

  it('is told that waiting never helps as often as it asks', () => {
    const limits = service();
    const tooMuch = [{ ...tenPerMinute, cost: 11 }];
    const first = limits.spend(tooMuch);
    limits.clock.time += 10;
    expect(limits.spend(tooMuch)).toEqual(first);
    expect(limits.asked).toBe(1);
  });
});

it('a caller that is let in for less than it was refused is told the longer wait from then on', () => {
  const limits = service();
  const twice = { ...twoPerSecond, cost: 2 };
  limits.spend([twice]);
  limits.clock.time += 229;
  expect(limits.spend([twice]).standings[0]!.retryAfterMs).toBe(771);
  limits.clock.time += 271;
  expect(limits.spend([twoPerSecond]).allowed).toBe(true);
  expect(limits.spend([twice]).standings[0]!.retryAfterMs).toBe(1000);
});

describe('the service is asked', () => {
  const different: [string, Partial<Charge>, string][] = [
    ['of another key', { key: 'other' }, 'default'],
    ['of another tenant', {}, 'other'],
    ['of a limit that has changed', { limit: 3 }, 'default'],
    ['of a window that has changed', { windowSeconds: 2 }, 'default'],
    ['of another burst', { burst: 1 }, 'default'],
    ['of less', { cost: 1 }, 'default'],
    ['of the same under another name', { policy: 'other' }, 'default'],
  ];

  it.each(different)('%s', (_, change, tenant) => {
    const limits = service();
    const twice = { ...twoPerSecond, cost: 2 };
    limits.spend([twice]);
    limits.spend([twice]);
    expect(limits.asked).toBe(2);
    limits.spend([{ ...twice, ...change }], tenant);
    expect(limits.asked).toBe(3);
  });

  it('of the same together with something else', () => {
    const limits = service();
    while (limits.spend().allowed);
    const before = limits.asked;
    limits.spend([twoPerSecond, tenPerMinute]);
    expect(limits.asked).toBe(before + 1);
  });

  it('after a refusal by its stand-in, which knows nothing of its buckets', () => {
    const limits = service({ decidedBy: 'local' });
    while (limits.spend().allowed);
    const before = limits.asked;
    limits.spend();
    expect(limits.asked).toBe(before + 1);
  });

  it('again when more callers were refused than are remembered, and never less than is right', () => {
    const limits = service();
    const all = Array.from({ length: 5000 }, (_, caller) => [{ ...twoPerSecond, cost: 2, key: `caller-${caller}` }]);
    for (const charges of all) limits.spend(charges);
    for (let turn = 0; turn < 2; turn++) for (const charges of all) expect(limits.spend(charges).allowed).toBe(false);
    expect(limits.asked).toBeGreaterThan(10_000);
  });
});

it('whatever callers do, each is let in or refused, and told to wait, as the service alone would have it', () => {
  const step = fc.record({
    caller: fc.constantFrom('a', 'b', 'c'),
    also: fc.boolean(),
    cost: fc.integer({ min: 1, max: 3 }),
    later: fc.nat({ max: 400 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const limits = service();
      const alone = new LocalLimiter(new MemorySource(limits.clock));
      for (const { caller, also, cost, later } of steps) {
        limits.clock.time += later;
        const charges: Charge[] = [{ ...twoPerSecond, key: caller, cost }];
        if (also) charges.push({ ...tenPerMinute, policy: 'all', cost: 1 });
        let expected: Spending | undefined;
        alone.spend('default', charges, (spending) => (expected = spending));
        const given = limits.spend(charges);
        const waits = ({ standings }: Spending): number =>
          Math.max(...standings.map(({ retryAfterMs }) => retryAfterMs));
        expect(given.allowed).toBe(expected!.allowed);
        // What others have taken since from a bucket of all is not in an answer that is given again.
        if (also) expect(waits(given)).toBeLessThanOrEqual(waits(expected!));
        else expect(waits(given)).toBe(waits(expected!));
      }
    }),
  );
});
