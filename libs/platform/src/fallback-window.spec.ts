import { FallbackWindow, type Fallback } from './fallback-window';

describe('FallbackWindow', () => {
  let time: number;
  let up: boolean;
  let counted: [number, unknown][];
  let began: string[];
  let ended: Fallback[];
  let window: FallbackWindow;

  beforeEach(() => {
    jest.useFakeTimers();
    time = 0;
    up = false;
    [counted, began, ended] = [[], [], []];
    const add = (value = 1, labels = {}) => void counted.push([value, labels]);
    window = new FallbackWindow('waf', {
      clock: { now: () => 1_000_000 + time, monotonic: () => time },
      seconds: { add, series: () => ({ add }) },
      isUp: () => up,
      began: (service, mode) => void began.push(`${service} ${mode}`),
      ended: (fallback) => void ended.push(fallback),
    });
  });
  afterEach(() => {
    window.close();
    jest.useRealTimers();
  });

  const pass = (milliseconds: number): void => {
    for (const end = time + milliseconds; time < end;) {
      time += 50;
      jest.advanceTimersByTime(50);
    }
  };
  const seconds = () => counted.reduce((sum, [value]) => sum + value, 0);

  it('lasts from the first answer without the service to the next answer of the service', () => {
    window.answered();
    window.stoodIn('deny');
    pass(1_500);
    window.stoodIn('deny');
    pass(500);
    window.answered();
    pass(5_000);
    expect(seconds()).toBeCloseTo(2);
    expect(counted.at(-1)![1]).toEqual({ service: 'waf', mode: 'deny' });
    expect(ended).toEqual([{ service: 'waf', mode: 'deny', startedAt: 1_000_000, endedAt: 1_002_000, requests: 2 }]);
  });

  it('counts the time of a window that is still open as it passes', () => {
    window.stoodIn('deny');
    pass(3_000);
    expect(seconds()).toBeGreaterThan(2.5);
    expect(ended).toEqual([]);
  });

  it('is one for an incident that flickers', () => {
    for (let count = 0; count < 20; count++) {
      window.stoodIn('local');
      pass(100);
      window.answered();
      pass(300);
    }
    expect(began).toEqual(['waf local']);
    pass(2_000);
    expect(ended.map(({ requests }) => requests)).toEqual([20]);
    expect(seconds()).toBeCloseTo(2);
  });

  it('ends also when nobody asks any more, once the service would be asked again', () => {
    window.stoodIn('local');
    pass(4_000);
    expect(ended).toEqual([]);
    up = true;
    pass(500);
    expect(ended).toHaveLength(1);
  });

  it('tells the modes apart that requests were decided in', () => {
    window.stoodIn('deny');
    window.stoodIn('allow_flagged');
    window.stoodIn('deny');
    window.answered();
    pass(2_000);
    expect(ended.map(({ mode, requests }) => [mode, requests])).toEqual([
      ['deny', 2],
      ['allow_flagged', 1],
    ]);
  });

  it('ends with the process', () => {
    window.stoodIn('deny');
    window.close();
    window.close();
    expect(ended).toHaveLength(1);
  });
});
