import { DeadlineWheel } from './deadline-wheel';

describe('DeadlineWheel', () => {
  let time: number;
  let expired: string[];
  let wheel: DeadlineWheel<{ name: string; expires: number }>;

  beforeEach(() => {
    jest.useFakeTimers();
    time = 1_003;
    expired = [];
    wheel = new DeadlineWheel({ now: () => time, monotonic: () => time }, ({ name }) => expired.push(name));
  });
  afterEach(() => {
    wheel.close();
    jest.useRealTimers();
  });

  const pass = (milliseconds: number): void => {
    for (const end = time + milliseconds; time < end;) {
      time++;
      jest.advanceTimersByTime(1);
    }
  };
  const entry = (name: string) => ({ name, expires: 0 });

  it('never expires early, and at most two ticks late', () => {
    wheel.arm(entry('a'), 25);
    pass(24);
    expect(expired).toEqual([]);
    pass(21);
    expect(expired).toEqual(['a']);
  });

  it('passes over what was answered', () => {
    const answered = entry('a');
    wheel.arm(answered, 5);
    answered.expires = 0;
    pass(100);
    expect(expired).toEqual([]);
  });

  it('obeys the last deadline of an entry that is armed again', () => {
    const again = entry('a');
    wheel.arm(again, 5);
    pass(3);
    wheel.arm(again, 100);
    pass(90);
    expect(expired).toEqual([]);
    pass(40);
    expect(expired).toEqual(['a']);
  });

  it('tells each once after the process stood still for longer than a turn of the wheel', () => {
    ['a', 'b', 'c'].forEach((name, index) => wheel.arm(entry(name), index * 500));
    time += 60_000;
    jest.advanceTimersByTime(20);
    expect(expired).toEqual(['a', 'b', 'c']);
  });

  it('has no timer while nothing is under way', () => {
    wheel.arm(entry('a'), 5);
    pass(50);
    expect(jest.getTimerCount()).toBe(0);
    wheel.arm(entry('b'), 5);
    pass(50);
    expect(expired).toEqual(['a', 'b']);
  });

  it('caps what would not fit into a turn', () => {
    wheel.arm(entry('a'), 3_600_000);
    pass(2_600);
    expect(expired).toEqual(['a']);
  });
});
