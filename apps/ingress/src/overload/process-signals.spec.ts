import { ProcessSignals } from './process-signals';

describe('what a process feels', () => {
  let late: number;
  let sockets: number;
  let signals: ProcessSignals;

  beforeEach(() => {
    [late, sockets] = [0, 0];
    signals = new ProcessSignals(
      () => sockets,
      () => late,
    );
  });
  afterEach(() => signals.close());

  it('is late by what waits beside its loop, where that is more', () => {
    late = 12_345;
    expect(signals.read().loopDelayMs).toBe(12_345);
    late = 0;
    expect(signals.read().loopDelayMs).toBeLessThan(12_345);
  });

  it('is short of sockets by those of its listeners or by all descriptors, whichever is nearer to its limit', () => {
    sockets = 0.9;
    expect(signals.read().sockets).toBe(0.9);
    sockets = 0;
    expect(signals.read().sockets).toBeGreaterThan(0);
    expect(signals.read().sockets).toBeLessThan(0.9);
  });
});
