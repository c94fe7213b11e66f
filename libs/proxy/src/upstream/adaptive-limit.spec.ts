import { adaptiveLimit } from '@sallyport/contracts';
import fc from 'fast-check';
import { AdaptiveLimit, nextLimit } from './adaptive-limit';

const bounds = adaptiveLimit.parse({ least: 4, most: 1_000 });

describe('the next limit', () => {
  const numbers = {
    limit: fc.double({ min: 4, max: 1_000, noNaN: true }),
    time: fc.double({ min: 0.001, max: 1e6, noNaN: true }),
  };

  it('stays within its bounds, whatever is measured', () => {
    fc.assert(
      fc.property(
        numbers.limit,
        numbers.time,
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (limit, baseline, current) => {
          const next = nextLimit(limit, baseline, current, bounds);
          expect(next).toBeGreaterThanOrEqual(bounds.least);
          expect(next).toBeLessThanOrEqual(bounds.most);
        },
      ),
    );
  });

  it('never falls while things take no longer than is tolerated, and never by more than a half', () => {
    fc.assert(
      fc.property(
        numbers.limit,
        numbers.time,
        fc.double({ min: 0, max: 2, noNaN: true }),
        (limit, baseline, factor) => {
          expect(nextLimit(limit, baseline, baseline * factor, bounds)).toBeGreaterThanOrEqual(
            Math.min(limit, bounds.most),
          );
          expect(nextLimit(limit, baseline, baseline * 1e6, bounds)).toBeGreaterThanOrEqual(limit / 2);
        },
      ),
    );
  });

  it('is never higher for a longer time', () => {
    fc.assert(
      fc.property(numbers.limit, numbers.time, numbers.time, numbers.time, (limit, baseline, one, other) => {
        const [short, long] = [Math.min(one, other), Math.max(one, other)];
        expect(nextLimit(limit, baseline, long, bounds)).toBeLessThanOrEqual(nextLimit(limit, baseline, short, bounds));
      }),
    );
  });
});

describe('an adaptive limit', () => {
  let now: number;
  const make = (initial = 20) =>
    new AdaptiveLimit({ ...bounds, initial }, { clock: { monotonic: () => now }, random: () => 0.5 });
  const enters = (limit: AdaptiveLimit): boolean => {
    const { hasRoom } = limit;
    if (hasRoom) limit.enter();
    return hasRoom;
  };
  beforeEach(() => (now = 0));

  /** A server with `capacity` places that takes `ms`, and longer in proportion once more is under way. */
  const run = (limit: AdaptiveLimit, capacity: number, ms: number, windows: number, offered = 1_000) => {
    for (let window = 0; window < windows; window++) {
      let under = 0;
      while (under < offered && enters(limit)) under++;
      now += 250;
      const took = ms * Math.max(1, under / capacity);
      for (let at = 0; at < under; at++) limit.leave(took);
    }
  };

  it('finds what a server can take, and not much more', () => {
    const limit = make();
    run(limit, 100, 10, 60);
    expect(limit.limit).toBeGreaterThanOrEqual(100);
    expect(limit.limit).toBeLessThanOrEqual(300);
  });

  it('falls when the server becomes slower, and rises again when it recovers', () => {
    const limit = make();
    run(limit, 100, 10, 60);
    const before = limit.limit;
    run(limit, 20, 10, 40);
    expect(limit.limit).toBeLessThan(before / 2);
    run(limit, 100, 10, 60);
    expect(limit.limit).toBeGreaterThanOrEqual(100);
  });

  it('does not grow while nobody reaches it', () => {
    const limit = make();
    run(limit, 100, 10, 100, 5);
    expect(limit.limit).toBe(20);
  });

  it('gives way to a server that is slower for good, once there is room to measure', () => {
    const limit = make(100);
    run(limit, 1_000, 10, 10, 40);
    run(limit, 1_000, 50, 300, 20);
    run(limit, 1_000, 50, 40);
    expect(limit.limit).toBeGreaterThan(100);
  });

  it('does not stay at the bottom for ever when a server is slower for good and the load does not end', () => {
    const limit = make(100);
    run(limit, 100, 10, 10);
    run(limit, 100, 100, 60);
    expect(limit.limit).toBeLessThan(10);
    run(limit, 100, 100, 400);
    expect(limit.limit).toBeGreaterThan(50);
  });

  it('counts what came too late to be turned away, and has room again when that is below the limit', () => {
    const limit = make(10);
    for (let at = 0; at < 12; at++) limit.enter();
    expect([limit.inFlight, limit.hasRoom]).toEqual([12, false]);
    for (let at = 0; at < 3; at++) limit.leave(undefined);
    expect(limit.hasRoom).toBe(true);
  });

  it('keeps within other bounds as soon as it has them', () => {
    const limit = make(100);
    limit.use({ ...bounds, most: 50 });
    expect(limit.limit).toBe(50);
    limit.use({ ...bounds, least: 60 });
    expect(limit.limit).toBe(60);
  });

  it('never lets in more than its limit, and forgets nobody, in any order of comings and goings', () => {
    const steps = fc.array(fc.oneof(fc.constant('enter' as const), fc.double({ min: 0, max: 1e4, noNaN: true })), {
      maxLength: 300,
    });
    fc.assert(
      fc.property(steps, (all) => {
        now = 0;
        const limit = make();
        let under = 0;
        for (const step of all) {
          if (step === 'enter') {
            if (enters(limit)) under++;
            expect(under).toBeLessThanOrEqual(bounds.most);
          } else if (under > 0) {
            now += step / 100;
            under--;
            limit.leave(step);
          }
          expect(limit.inFlight).toBe(under);
          expect(limit.limit).toBeGreaterThanOrEqual(bounds.least);
        }
      }),
    );
  });
});
