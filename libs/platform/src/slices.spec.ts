import { atOnce, inSlices, TookTooLong, type Sliced } from './slices';

describe('work in slices', () => {
  let now = 0;
  const clock = { monotonic: () => now };
  beforeEach(() => (now = 0));

  function* work(steps: number, ms: number, note: (step: number) => void): Sliced<string> {
    for (let step = 0; step < steps; step++) {
      now += ms;
      note(step);
      yield;
    }
    return 'done';
  }

  it('lets others have their turn whenever a slice is used up', async () => {
    const turns: string[] = [];
    const other = () => {
      turns.push('other');
      if (turns.filter((turn) => turn === 'other').length < 10) setImmediate(other);
    };
    setImmediate(other);
    const done = await inSlices(
      work(6, 2, (step) => turns.push(`step ${step}`)),
      { clock, sliceMs: 4 },
    );
    expect(done).toBe('done');
    expect(turns.slice(0, 5)).toEqual(['step 0', 'step 1', 'other', 'step 2', 'step 3']);
  });

  it('gives up what uses more than its budget, and tells it', async () => {
    let released = false;
    function* endless(): Sliced<never> {
      try {
        for (;;) {
          now += 3;
          yield;
        }
      } finally {
        released = true;
      }
    }
    await expect(inSlices(endless(), { clock, budgetMs: 100, used: () => now })).rejects.toBeInstanceOf(TookTooLong);
    expect(released).toBe(true);
  });

  it('passes on what the work throws', async () => {
    function* broken(): Sliced<never> {
      yield;
      throw new RangeError('no');
    }
    await expect(inSlices(broken(), { clock })).rejects.toThrow('no');
    expect(() => atOnce(broken())).toThrow('no');
  });

  it('can be done at once', () => {
    expect(atOnce(work(3, 1, () => undefined))).toBe('done');
  });
});
