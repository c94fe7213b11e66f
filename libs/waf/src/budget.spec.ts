import { defaultBudget, Meter } from './budget';

/** Units after which the clock is looked at. */
const LOOK = 4096;

/** A machine on which time passes and is used as the test says. */
function machine() {
  let [clock, processor, looks] = [0, 0, 0];
  return {
    now: () => clock,
    used: () => {
      looks += 1;
      return processor;
    },
    /** This thread works. */
    work(ms: number) {
      clock += ms;
      processor += ms;
    },
    /** Something else runs, of this process or not. */
    wait(ms: number, ofThisProcess = 0) {
      clock += ms;
      processor += ofThisProcess;
    },
    get looks() {
      return looks;
    },
  };
}

/** Works in slices until it is done or has used up what it may. @returns milliseconds of work */
function workUntilExhausted(meter: Meter, step: () => void, most = 10_000): number {
  meter.resume();
  for (let steps = 1; steps <= most; steps++) {
    step();
    if (!meter.isDue(LOOK)) continue;
    meter.pause();
    if (meter.exhausted) return steps;
    meter.resume();
  }
  meter.pause();
  return Number.POSITIVE_INFINITY;
}

describe('the budget of a transaction', () => {
  it('is 20 ms, 2 ms more for each KiB, and never more than 400 ms', () => {
    for (const [bytes, allowed] of [
      [0, 20],
      [10 * 1024, 40],
      [1024 * 1024, 400],
    ] as const) {
      const { now, used, work } = machine();
      const meter = new Meter(now, defaultBudget, used);
      meter.grant(bytes);
      expect(workUntilExhausted(meter, () => work(1))).toBe(allowed + 1);
      expect(meter.spentMillis).toBe(allowed + 1);
    }
  });

  it('is not touched by what others do between its slices', () => {
    const { now, used, work } = machine();
    const meter = new Meter(now, defaultBudget, used);
    for (let slice = 0; slice < 5; slice++) {
      work(500);
      meter.resume();
      work(3);
      expect(meter.isDue(LOOK)).toBe(false);
      meter.pause();
    }
    expect([meter.spentMillis, meter.exhausted]).toEqual([15, false]);
  });

  it('is not touched while the machine runs something else, even in the first slice', () => {
    const { now, used, work, wait } = machine();
    const meter = new Meter(now, defaultBudget, used);
    const step = () => {
      work(0.5);
      wait(50);
    };
    expect(workUntilExhausted(meter, step, 20)).toBe(Number.POSITIVE_INFINITY);
    expect(meter.spentMillis).toBeLessThan(20);
  });

  it('is not charged for more than the clock says, however busy other threads are', () => {
    const { now, used, work, wait } = machine();
    const meter = new Meter(now, defaultBudget, used);
    const step = () => {
      work(1);
      wait(0, 3);
    };
    expect(workUntilExhausted(meter, step)).toBe(21);
  });

  it('goes by the clock where processor time cannot be told', () => {
    const { now, work, wait } = machine();
    const meter = new Meter(now, defaultBudget);
    const step = () => {
      work(1);
      wait(1);
    };
    expect(workUntilExhausted(meter, step)).toBe(11);
  });

  it('asks a transaction that takes less than a slice for no processor time', () => {
    const one = machine();
    const meter = new Meter(one.now, defaultBudget, one.used);
    for (let phase = 0; phase < 4; phase++) {
      meter.resume();
      one.work(0.9);
      meter.isDue(LOOK);
      meter.pause();
    }
    expect(meter.spentMillis).toBeCloseTo(3.6);
    expect(one.looks).toBe(0);
  });
});
