import fc from 'fast-check';
import { rateOf } from './gcra';
import { MemorySource } from './memory-source';
import type { Drawn } from './source';
import { describeLimitSource } from './source.suite';

function make(maxBuckets?: number) {
  let time = 0;
  const clock = { now: () => time, monotonic: () => time };
  const source = new MemorySource(clock, maxBuckets);
  const draw = (key: string, cost = 1, rate = tenPerMinute): Drawn => {
    let drawn: Drawn | undefined;
    source.draw('default', [{ key, rate, cost }], (answer) => (drawn = answer));
    return drawn!;
  };
  return { source, draw, advance: (milliseconds: number) => (time += milliseconds) };
}

const tenPerMinute = rateOf(10, 60, 10);

describeLimitSource('memory', async () => {
  const { source, advance } = make();
  return { source, advance: async (milliseconds) => void advance(milliseconds), close: async () => {} };
});

describe('MemorySource', () => {
  it('never holds more buckets than it may', () => {
    const { source, draw } = make(100);
    for (let caller = 0; caller < 1_000; caller++) draw(`caller-${caller}`);
    expect(source.size).toBe(100);
  });

  it('gives up buckets that owe nothing before those that owe', () => {
    const { draw, advance } = make(20);
    for (let caller = 0; caller < 10; caller++) draw(`idle-${caller}`);
    advance(60_000);
    for (let caller = 0; caller < 10; caller++) draw(`busy-${caller}`, 10);
    for (let caller = 0; caller < 10; caller++) draw(`new-${caller}`);
    for (let caller = 0; caller < 10; caller++) expect(draw(`busy-${caller}`).taken).toBe(false);
  });

  it('gives up the bucket that would soonest owe nothing when all owe', () => {
    const { draw } = make(3);
    draw('most', 10);
    draw('least', 1);
    draw('more', 9);
    draw('new', 5);
    expect([draw('most').taken, draw('more', 2).taken]).toEqual([false, false]);
  });

  it('keeps the bound with several draws in one call', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 1, maxLength: 4 })), (calls) => {
        const { source } = make(5);
        for (const keys of calls) {
          const draws = keys.map((key) => ({ key: String(key), rate: tenPerMinute, cost: 1 }));
          source.draw('default', draws, () => expect(source.size).toBeLessThanOrEqual(5));
        }
      }),
    );
  });
});
