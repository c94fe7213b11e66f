import { Breaker } from './breaker';

describe('Breaker', () => {
  let time: number;
  let changes: boolean[];
  let probes: number[];
  let breaker: Breaker;

  beforeEach(() => {
    jest.useFakeTimers();
    time = 0;
    changes = [];
    probes = [];
    breaker = new Breaker({
      clock: { now: () => time, monotonic: () => time },
      chance: () => 0.5,
      probe: () => void probes.push(time),
      changed: (open) => changes.push(open),
    });
  });
  afterEach(() => {
    breaker.close();
    jest.useRealTimers();
  });

  const pass = (milliseconds: number): void => {
    for (const end = time + milliseconds; time < end;) {
      time += 10;
      jest.advanceTimersByTime(10);
    }
  };

  it('opens at the third miss within a second', () => {
    breaker.missed();
    pass(500);
    breaker.missed();
    expect(breaker.open).toBe(false);
    pass(500);
    breaker.missed();
    expect(breaker.open).toBe(true);
    expect(changes).toEqual([true]);
  });

  it('bears misses that are further apart', () => {
    for (let count = 0; count < 20; count++) {
      breaker.missed();
      pass(510);
    }
    expect(breaker.open).toBe(false);
  });

  it('probes four times a second while it is open, and no more when it is closed', () => {
    for (let count = 0; count < 3; count++) breaker.missed();
    pass(1_000);
    expect(probes).toEqual([250, 500, 750, 1_000]);
    breaker.answered();
    expect([breaker.open, changes]).toEqual([false, [true, false]]);
    pass(1_000);
    expect(probes).toHaveLength(4);
  });

  it('forgets the misses that opened it', () => {
    for (let count = 0; count < 3; count++) breaker.missed();
    breaker.answered();
    breaker.missed();
    breaker.missed();
    expect(breaker.open).toBe(false);
  });

  it('counts no further misses while it is open: those were asked before', () => {
    for (let count = 0; count < 50; count++) breaker.missed();
    breaker.answered();
    expect(breaker.open).toBe(false);
    expect(changes).toEqual([true, false]);
  });
});
