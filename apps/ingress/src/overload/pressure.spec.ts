import fc from 'fast-check';
import { calm, PressureGauge, type Signals } from './pressure';

const quiet: Signals = { loopDelayMs: 2, heap: 0.3, sockets: 0.1 };

describe('the pressure on a process', () => {
  const after = (signals: Partial<Signals>, readings = 3) => {
    const gauge = new PressureGauge();
    let pressure = calm;
    for (let at = 0; at < readings; at++) pressure = gauge.next({ ...quiet, ...signals });
    return pressure;
  };

  it('is none in quiet times', () => {
    expect(after({})).toBe(calm);
  });

  it('of one long pause is none', () => {
    const gauge = new PressureGauge();
    for (const loopDelayMs of [2, 2, 500, 2, 2]) expect(gauge.next({ ...quiet, loopDelayMs })).toBe(calm);
  });

  it.each<[Partial<Signals>, object]>([
    [{ loopDelayMs: 40 }, { shed: { low: 1, normal: 0, high: 0 }, cause: 'loop' }],
    [{ loopDelayMs: 80 }, { shed: { low: 1, normal: 0.1, high: 0 } }],
    [{ loopDelayMs: 140 }, { shed: { low: 1, normal: expect.closeTo(0.55, 5), high: 0 } }],
    [{ loopDelayMs: 200 }, { shed: { low: 1, normal: 1, high: 0 } }],
    [{ heap: 0.8 }, { shed: calm.shed, lean: true, closed: false, cause: 'heap' }],
    [{ heap: 0.9 }, { shed: { low: 1, normal: 1, high: 1 }, lean: true, closed: false }],
    [{ heap: 0.97 }, { lean: true, closed: true }],
    [{ sockets: 0.9 }, { shed: calm.shed, closed: true, cause: 'sockets' }],
  ])('of %j is %j', (signals, pressure) => {
    expect(after(signals)).toMatchObject(pressure);
  });

  it('does not flicker around a level', () => {
    const gauge = new PressureGauge();
    for (let at = 0; at < 3; at++) gauge.next({ ...quiet, loopDelayMs: 41 });
    for (let at = 0; at < 5; at++) expect(gauge.next({ ...quiet, loopDelayMs: 35 }).shed.low).toBe(1);
    for (let at = 0; at < 2; at++) gauge.next({ ...quiet, loopDelayMs: 20 });
    expect(gauge.next({ ...quiet, loopDelayMs: 20 })).toBe(calm);
  });

  it('never turns away more of what is more important, whatever is felt', () => {
    const signals = fc.record({
      loopDelayMs: fc.double({ min: 0, max: 1_000, noNaN: true }),
      heap: fc.double({ min: 0, max: 1, noNaN: true }),
      sockets: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(signals, { minLength: 1, maxLength: 20 }), (readings) => {
        const gauge = new PressureGauge();
        for (const reading of readings) {
          const { low, normal, high } = gauge.next(reading).shed;
          expect(low).toBeGreaterThanOrEqual(normal);
          expect(normal).toBeGreaterThanOrEqual(high);
          expect(low).toBeLessThanOrEqual(1);
        }
      }),
    );
  });
});
