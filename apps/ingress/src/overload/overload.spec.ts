import { isRefusal, type RoutePriority } from '@sallyport/contracts';
import { createMetrics } from '@sallyport/platform';
import { Overload } from './overload';
import type { Pressure, Signals } from './pressure';

const quiet: Signals = { loopDelayMs: 1, heap: 0.2, sockets: 0 };

describe('a busy process', () => {
  let signals: Signals;
  let open: Set<{ claim: string }>;
  let draw: number;
  let told: Pressure[];
  let overload: Overload;
  const metrics = createMetrics('ingress');

  beforeEach(() => {
    signals = quiet;
    open = new Set();
    draw = 0;
    told = [];
    overload = new Overload({
      read: () => signals,
      underWay: () => open,
      random: () => Uint8Array.of(draw, 0),
      metrics,
      logger: { warn: () => undefined, debug: () => undefined },
      onPressure: (pressure) => void told.push(pressure),
    });
  });
  afterEach(() => overload.close());

  const under = (count: number, claim = 'a') => {
    for (let at = 0; at < count; at++) open.add({ claim });
  };
  const feel = (next: Partial<Signals>, times = 3) => {
    signals = { ...quiet, ...next };
    for (let at = 0; at < times; at++) overload.refresh();
  };
  const isTurnedAway = (priority: RoutePriority, claim = 'a') =>
    overload.judge({ priority, claim }, open.size + 1) !== undefined;

  it('asks nothing of a request in quiet times but two comparisons', () => {
    under(500);
    feel({});
    expect(overload.pressed).toBe(false);
    expect(open.size).toBeLessThan(overload.limit);
  });

  it('turns away low priority first, then normal in proportion, and leaves high alone', () => {
    under(100);
    feel({ loopDelayMs: 50 });
    expect((['low', 'normal', 'high'] as const).map((priority) => isTurnedAway(priority))).toEqual([
      true,
      false,
      false,
    ]);
    signals = { ...quiet, loopDelayMs: 140 };
    for (let at = 0; at < 3; at++) overload.refresh();
    draw = 100;
    expect(isTurnedAway('normal')).toBe(true);
    draw = 200;
    expect(isTurnedAway('normal')).toBe(false);
    expect(isTurnedAway('high')).toBe(false);
  });

  it('turns nobody away while there is next to nothing under way: it is not the load then', () => {
    under(10);
    feel({ loopDelayMs: 300 });
    expect(isTurnedAway('low')).toBe(false);
    expect(isTurnedAway('normal')).toBe(false);
  });

  it('turns nobody away for a late loop without load, whatever else it feels', () => {
    under(10);
    feel({ loopDelayMs: 300, heap: 0.85 });
    expect(isTurnedAway('normal')).toBe(false);
  });

  it('refuses everything when the heap is nearly full, however little is under way', () => {
    feel({ heap: 0.92 });
    expect(isTurnedAway('high')).toBe(true);
    expect(told.at(-1)).toMatchObject({ lean: true, closed: false });
  });

  it('says when to come again, spread by thirty per cent around a second', () => {
    under(100);
    feel({ loopDelayMs: 50 });
    const waits = [0, 128, 255].map((value) => {
      draw = value;
      const refusal = overload.judge({ priority: 'low', claim: 'a' }, 100);
      return isRefusal(refusal) ? refusal.retryAfterMs : undefined;
    });
    expect(waits).toEqual([700, 1000, 1298]);
  });

  it('keeps room for what is important when very many are under way', () => {
    expect(overload.judge({ priority: 'low', claim: 'a' }, 8_001)).toMatchObject({ code: 'INGRESS_OVERLOADED' });
    expect(overload.judge({ priority: 'normal', claim: 'a' }, 8_001)).toBeUndefined();
    expect(overload.judge({ priority: 'normal', claim: 'a' }, 10_001)).toMatchObject({ code: 'INGRESS_OVERLOADED' });
    expect(overload.judge({ priority: 'high', claim: 'a' }, 10_001)).toBeUndefined();
  });

  it('turns away whoever has more than a fair share before anybody else', () => {
    under(90, 'greedy');
    under(5, 'modest');
    under(5, 'another');
    draw = 255;
    feel({ loopDelayMs: 90 });
    expect(isTurnedAway('normal', 'greedy')).toBe(true);
    expect(isTurnedAway('normal', 'modest')).toBe(false);
    expect(isTurnedAway('normal', 'new')).toBe(false);
  });

  it('stops accepting when its sockets run out, and says so once', () => {
    feel({ sockets: 0.95 }, 5);
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ closed: true, lean: false });
    feel({}, 5);
    expect(told.at(-1)).toMatchObject({ closed: false });
  });
});
