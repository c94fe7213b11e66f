import { array, assert, constantFrom, nat, property, record } from 'fast-check';
import { breaker as schema } from '@sallyport/contracts';
import { Breaker } from './breaker';

const settings = schema.parse({});
const opened = (at = 1_000): Breaker => {
  const breaker = new Breaker(settings);
  for (let n = 0; n < 5; n++) breaker.record('gateway', false, at);
  return breaker;
};

describe('a breaker', () => {
  it('opens on five gateway failures in a row, not on four', () => {
    const breaker = new Breaker(settings);
    for (let n = 0; n < 4; n++) expect(breaker.record('gateway', false, n)).toBe(false);
    breaker.record('ok', false, 5);
    for (let n = 0; n < 4; n++) expect(breaker.record('gateway', false, n)).toBe(false);
    expect(breaker.record('gateway', false, 9)).toBe(true);
    expect(breaker.open).toBe(true);
  });

  it('opens when more than half of twenty calls in ten seconds fail, whatever lies between', () => {
    const breaker = new Breaker(settings);
    for (let n = 0; n < 10; n++) {
      breaker.record('ok', false, n);
      breaker.record('error', false, n);
    }
    expect(breaker.open).toBe(false);
    breaker.record('error', false, 10);
    expect(breaker.open).toBe(true);
  });

  it('forgets failures that are older than its window', () => {
    const breaker = new Breaker({ ...settings, consecutive: 0 });
    for (let n = 0; n < 19; n++) breaker.record('error', false, 0);
    for (let n = 0; n < 19; n++) breaker.record('ok', false, 11_001);
    breaker.record('error', false, 11_001);
    expect(breaker.open).toBe(false);
  });

  it('lets one call through every five seconds while it is open', () => {
    const breaker = opened(1_000);
    expect(breaker.admits(5_999)).toBe(false);
    expect([breaker.admits(6_000), breaker.begin(6_000)]).toEqual([true, true]);
    expect(breaker.admits(6_001)).toBe(false);
    expect(breaker.wait(7_000)).toBe(4_000);
    expect(breaker.admits(11_000)).toBe(true);
  });

  it('closes when the probe is answered, and by nothing else', () => {
    const breaker = opened(1_000);
    expect(breaker.record('ok', false, 2_000)).toBe(false);
    breaker.begin(6_000);
    breaker.record('gateway', true, 6_100);
    expect(breaker.open).toBe(true);
    breaker.begin(11_000);
    expect(breaker.record('ok', true, 11_100)).toBe(true);
    expect([breaker.open, breaker.admits(11_100), breaker.begin(11_100)]).toEqual([false, true, false]);
  });

  it('has no opinion on calls that we ended ourselves', () => {
    const breaker = new Breaker(settings);
    for (let n = 0; n < 50; n++) breaker.record('none', false, n);
    expect(breaker.open).toBe(false);
  });

  it('never admits more than one call in a probe interval while it is open', () => {
    const step = record({ after: nat(2_000), verdict: constantFrom('error', 'gateway', 'none') });
    assert(
      property(array(step, { maxLength: 60 }), (steps) => {
        const breaker = opened(1_000);
        let now = 1_000;
        let last = -Infinity;
        for (const { after, verdict } of steps) {
          now += after;
          if (!breaker.admits(now)) continue;
          expect(now - last).toBeGreaterThanOrEqual(settings.probeMs);
          last = now;
          breaker.record(verdict, breaker.begin(now), now);
        }
      }),
    );
  });

  it('judges by new settings without forgetting what it counted', () => {
    const breaker = new Breaker(settings);
    for (let n = 0; n < 3; n++) breaker.record('gateway', false, n);
    breaker.use({ ...settings, consecutive: 4 });
    breaker.record('gateway', false, 4);
    expect(breaker.open).toBe(true);
  });
});
