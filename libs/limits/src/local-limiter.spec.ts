import type { Clock } from '@sallyport/contracts';
import type { Charge, Spending } from './limiter';
import { describeLimiter, tenPerMinute } from './limiter.suite';
import { LocalLimiter } from './local-limiter';
import { MemorySource } from './memory-source';
import type { LimitSource } from './source';

class SteppedClock implements Clock {
  private time = 0.5;
  now = (): number => this.time;
  monotonic = (): number => this.time;
  advance = async (milliseconds: number): Promise<void> => {
    this.time += milliseconds;
  };
}

describeLimiter('engine over memory', async () => {
  const clock = new SteppedClock();
  return { limiter: new LocalLimiter(new MemorySource(clock)), advance: clock.advance, close: async () => {} };
});

describe('LocalLimiter', () => {
  const spend = (limiter: LocalLimiter, charges: Charge[]): Spending => {
    let spending: Spending | undefined;
    limiter.spend('default', charges, (answer) => (spending = answer));
    return spending!;
  };

  it('answers from memory before spend returns', () => {
    const limiter = new LocalLimiter(new MemorySource(new SteppedClock()));
    expect(spend(limiter, [tenPerMinute]).allowed).toBe(true);
  });

  it('gives each of several deciders its share, burst and rate alike', () => {
    const limiter = new LocalLimiter(new MemorySource(new SteppedClock()), () => 4);
    const answers = Array.from({ length: 5 }, () => spend(limiter, [tenPerMinute]));
    expect(answers.map(({ allowed }) => allowed)).toEqual([true, true, false, false, false]);
    // Ten a minute among four is one in 24 s; half a request of the 2.5 is left.
    expect(answers[2]!.standings[0]).toMatchObject({ remaining: 0, retryAfterMs: 12_000 });
  });

  it('lets none through where its share is less than one request, and says when the whole limit may be back', () => {
    const limiter = new LocalLimiter(new MemorySource(new SteppedClock()), () => 3);
    const twoPerMinute = { ...tenPerMinute, limit: 2, burst: 2 };
    expect(spend(limiter, [twoPerMinute])).toMatchObject({
      allowed: false,
      standings: [{ remaining: 0, retryAfterMs: 60_000 }],
    });
  });

  it('follows the number of deciders as it changes', () => {
    let deciders = 10;
    const limiter = new LocalLimiter(new MemorySource(new SteppedClock()), () => deciders);
    expect(spend(limiter, [tenPerMinute]).allowed).toBe(true);
    expect(spend(limiter, [tenPerMinute]).allowed).toBe(false);
    deciders = 1;
    expect(spend(limiter, [tenPerMinute]).allowed).toBe(false);
  });

  const silent: LimitSource = { draw: (_tenant, _draws, done) => done(undefined) };

  it('asks its stand-in when the source cannot be reached', () => {
    const limiter = new LocalLimiter(silent, () => 1, new LocalLimiter(new MemorySource(new SteppedClock())));
    expect(spend(limiter, [tenPerMinute]).allowed).toBe(true);
  });

  it('refuses when the source cannot be reached and nobody stands in: never unlimited', () => {
    expect(spend(new LocalLimiter(silent), [tenPerMinute])).toEqual({
      allowed: false,
      standings: [{ policy: 'default', limit: 10, windowSeconds: 60, remaining: 0, resetMs: 0, retryAfterMs: 60_000 }],
    });
  });
});
