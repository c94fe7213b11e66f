import * as fc from 'fast-check';
import { ClockComparison } from './clock-comparison';

const TEN_MINUTES = 600_000;

function comparing() {
  const time = { wall: 1_795_450_000_000, monotonic: 0 };
  const comparison = new ClockComparison({ now: () => time.wall, monotonic: () => time.monotonic });
  return { time, comparison };
}

describe('a comparison of clocks', () => {
  it('says nothing while nobody is heard', () => {
    const { comparison } = comparing();
    expect(comparison.offset()).toBeUndefined();
    expect(comparison.isOffForMost(0)).toBe(false);
  });

  it('holds the least late of three messages for the truth: a message may be late, and never early', () => {
    const { time, comparison } = comparing();
    for (const late of [5, 4_000, 900]) comparison.heard('auth', time.wall - late);
    expect(comparison.offset()).toBe(5);
    comparison.heard('auth', time.wall - 7_000);
    expect(comparison.offset()).toBe(900);
  });

  it('finds a clock that is set forward within three messages, and one that is set back at once', () => {
    const { time, comparison } = comparing();
    const hearBoth = () => ['auth', 'waf'].forEach((node) => comparison.heard(node, 1_795_450_000_000));
    hearBoth();
    hearBoth();
    time.wall += TEN_MINUTES;
    hearBoth();
    hearBoth();
    expect(comparison.isOffForMost(30_000)).toBe(false);
    hearBoth();
    expect(comparison.isOffForMost(30_000)).toBe(true);
    time.wall -= 2 * TEN_MINUTES;
    hearBoth();
    expect(comparison.offset()).toBe(-TEN_MINUTES);
  });

  it('takes one node for wrong where most agree, and never those who agree', () => {
    const offsets = fc.array(fc.integer({ min: -500, max: 500 }), { minLength: 3, maxLength: 9 });
    fc.assert(
      fc.property(offsets, fc.constantFrom(-TEN_MINUTES, TEN_MINUTES), (spread, wrong) => {
        const clocks = [...spread, wrong];
        const verdicts = clocks.map((own, at) => {
          const { time, comparison } = comparing();
          clocks.forEach((other, of) => of !== at && comparison.heard(`node-${of}`, time.wall - own + other));
          return comparison.isOffForMost(30_000);
        });
        expect(verdicts).toEqual([...spread.map(() => false), true]);
      }),
    );
  });

  it('does not let a single other node decide, neither against the clock nor for it', () => {
    const { time, comparison } = comparing();
    comparison.heard('auth', time.wall - TEN_MINUTES);
    expect(comparison.offset()).toBe(TEN_MINUTES);
    expect(comparison.isOffForMost(30_000)).toBe(false);
    comparison.heard('auth', time.wall);
    expect(comparison.isRightForMost(30_000)).toBe(false);
  });

  it('does not hold a clock for wrong that stands between two that are', () => {
    const { time, comparison } = comparing();
    comparison.heard('ahead', time.wall + TEN_MINUTES);
    comparison.heard('behind', time.wall - TEN_MINUTES);
    comparison.heard('right', time.wall);
    expect(comparison.offset()).toBe(0);
    expect(comparison.isOffForMost(30_000)).toBe(false);
  });

  it('forgets who has said nothing for twenty seconds', () => {
    const { time, comparison } = comparing();
    expect(comparison.heard('auth', time.wall)).toBe(true);
    expect(comparison.heard('auth', time.wall)).toBe(false);
    time.monotonic += 20_001;
    expect(comparison.offset()).toBeUndefined();
    expect(comparison.heard('auth', time.wall)).toBe(true);
  });

  it('remembers only so many nodes, whoever makes them up', () => {
    const { time, comparison } = comparing();
    for (let made = 0; made < 10_000; made++) comparison.heard(`made-up-${made}`, time.wall);
    expect(comparison.heard('one more', time.wall)).toBe(false);
    time.monotonic += 20_001;
    expect(comparison.heard('one more', time.wall)).toBe(true);
  });
});
