import { array, assert, boolean, integer, nat, property, record } from 'fast-check';
import { ejection as schema } from '@sallyport/contracts';
import { OutlierDetector, OutlierRecord } from './outlier';
import type { Verdict } from './verdict';

const settings = schema.parse({});

function group(size: number, more: Partial<typeof settings> = {}) {
  const records = Array.from({ length: size }, () => new OutlierRecord(settings.windowMs));
  const outAnyway = new Set<number>();
  const detector = new OutlierDetector({ ...settings, ...more }, records, (at) => outAnyway.has(at));
  return { records, detector, outAnyway };
}

function answer(detector: OutlierDetector, at: number, verdict: Verdict, ms: number, now: number) {
  detector.measure(at, ms, now);
  return detector.observe(at, verdict, now);
}

function fail(detector: OutlierDetector, at: number, times: number, now: number): string[] {
  return Array.from({ length: times }, () => answer(detector, at, 'error', 5, now)?.change ?? '').filter(Boolean);
}

describe('an outlier', () => {
  it('is ejected after five failures in a row, for thirty seconds', () => {
    const { detector } = group(3);
    expect(fail(detector, 1, 5, 1_000)).toEqual(['ejected']);
    expect([detector.isOut(1, 30_999), detector.isOut(1, 31_000)]).toEqual([true, false]);
    expect(detector.sweep(31_000)).toEqual([{ at: 1, change: 'returned' }]);
  });

  it('is ejected when most of its calls fail, although some are answered', () => {
    const { detector } = group(2);
    let ejected = 0;
    for (let n = 0; n < 40; n++) if (answer(detector, 0, n % 3 === 0 ? 'ok' : 'gateway', 5, 1_000)) ejected++;
    expect(ejected).toBe(1);
  });

  it('is ejected for longer each time, and forgiven when it has been well for as long', () => {
    const { detector, records } = group(2);
    let now = 1_000;
    for (const times of [1, 2, 3]) {
      fail(detector, 0, 5, now);
      expect(records[0]!.ejectedUntil).toBe(now + times * 30_000);
      now += times * 30_000;
      detector.sweep(now);
    }
    detector.sweep(now + 89_999);
    expect(records[0]!.timesEjected).toBe(3);
    detector.sweep(now + 90_000);
    expect(records[0]!.timesEjected).toBe(2);
  });

  it('is one that takes three times the median of its group for ten seconds', () => {
    const { detector } = group(3);
    let ejectedAt = 0;
    for (let now = 1_000; now <= 20_000 && ejectedAt === 0; now += 1_000) {
      for (let n = 0; n < 10; n++) [30, 35, 120].forEach((ms, at) => answer(detector, at, 'ok', ms, now));
      if (detector.sweep(now).some(({ at, change }) => at === 2 && change === 'ejected')) ejectedAt = now;
    }
    expect(ejectedAt).toBe(11_000);
  });

  it('is not one whose few calls were slow before there were no more', () => {
    const { detector } = group(3);
    [30, 35, 200].forEach((ms, at) => answer(detector, at, 'ok', ms, 1_000));
    for (let now = 1_000; now <= 60_000; now += 1_000) expect(detector.sweep(now)).toEqual([]);
  });

  it('is not one that was slow and then not called, nor looked at, for a while', () => {
    const { detector } = group(2);
    const calls = (now: number): void => {
      for (let n = 0; n < 5; n++) [30, 200].forEach((ms, at) => answer(detector, at, 'ok', ms, now));
    };
    calls(1_000);
    for (let now = 1_000; now <= 30_000; now += 1_000) expect(detector.sweep(now)).toEqual([]);
    calls(30_500);
    expect(detector.sweep(60_000)).toEqual([]);
  });

  it('is also one with little to do, whose calls are gathered until they are enough', () => {
    const { detector } = group(2);
    const ejections: number[] = [];
    for (let now = 1_000; now <= 20_000; now += 1_000) {
      [30, 200].forEach((ms, at) => answer(detector, at, 'ok', ms, now));
      if (detector.sweep(now).length > 0) ejections.push(now);
    }
    expect(ejections).toEqual([15_000]);
  });

  it('is not one that was slow for a moment, nor one among quick ones that is a little less quick', () => {
    const { detector } = group(2);
    for (let now = 1_000; now <= 40_000; now += 1_000) {
      for (let n = 0; n < 5; n++) {
        answer(detector, 0, 'ok', 1, now);
        answer(detector, 1, 'ok', now % 9_000 === 0 ? 4 : 15, now);
      }
      expect(detector.sweep(now)).toEqual([]);
    }
    const moody = group(2).detector;
    for (let now = 1_000; now <= 40_000; now += 1_000) {
      for (let n = 0; n < 5; n++) {
        answer(moody, 0, 'ok', 30, now);
        answer(moody, 1, 'ok', now % 9_000 === 0 ? 30 : 300, now);
      }
      expect(moody.sweep(now)).toEqual([]);
    }
  });

  it('is never the last that takes calls, nor one of more than half that are out for whatever reason', () => {
    const { detector, outAnyway } = group(4);
    outAnyway.add(0).add(3);
    expect(fail(detector, 1, 50, 1_000)).toEqual([]);
    outAnyway.delete(3);
    // That it is held back itself is no reason to keep it in.
    outAnyway.add(1);
    expect(fail(detector, 1, 50, 1_000)).toEqual(['ejected']);
    expect(fail(detector, 2, 50, 1_000)).toEqual([]);
  });

  it('is never the last, and never one of more than half', () => {
    expect(fail(group(1).detector, 0, 50, 1_000)).toEqual([]);
    const step = record({ at: nat(7), failed: boolean(), ms: integer({ min: 0, max: 4_000 }), after: nat(3_000) });
    assert(
      property(integer({ min: 1, max: 8 }), array(step, { maxLength: 300 }), (size, steps) => {
        const { detector } = group(size, { consecutive: 1, minimum: 1, latencyForMs: 1_000 });
        let now = 1_000;
        for (const { at, failed, ms, after } of steps) {
          now += after;
          detector.sweep(now);
          answer(detector, at % size, failed ? 'gateway' : 'ok', ms, now);
          const out = Array.from({ length: size }, (_, one) => detector.isOut(one, now)).filter(Boolean).length;
          expect(out).toBeLessThanOrEqual(Math.floor(size / 2));
          expect(out).toBeLessThan(size);
        }
      }),
    );
  });
});
