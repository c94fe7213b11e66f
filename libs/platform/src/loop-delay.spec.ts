import { LoopDelay } from './loop-delay';

describe('LoopDelay', () => {
  let between = 0;
  const looks = {
    enable: () => true,
    disable: () => true,
    percentile: () => between * 1e6,
    reset: () => void (between = 0),
  };
  const delay = new LoopDelay(100, looks);

  it('says how late the loop was, without the time between two looks', () => {
    between = 140;
    expect(delay.read()).toBe(40);
  });

  it('is not late where a look came before its time, or none has come', () => {
    between = 99;
    expect(delay.read()).toBe(0);
    expect(delay.read()).toBe(0);
  });
});
