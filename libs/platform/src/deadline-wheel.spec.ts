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

  it.each([2_000, 2_300, 2_600, 3_000])(
    'keeps what is armed at the end of a pause of %d ms, before the time that has passed was made up for',
    (pause) => {
      wheel.arm(entry('before'), 50);
      time += pause;
      for (const [index, name] of ['soon', 'later', 'last'].entries()) wheel.arm(entry(name), 50 + index * 1_200);
      pass(45);
      expect(expired).toEqual(['before']);
      pass(20);
      expect(expired).toEqual(['before', 'soon']);
      pass(60_000);
      expect(expired).toEqual(['before', 'soon', 'later', 'last']);
      expect(jest.getTimerCount()).toBe(0);
    },
  );

  it('has no timer while nothing is under way', () => {
    wheel.arm(entry('a'), 5);
    pass(50);
    expect(jest.getTimerCount()).toBe(0);
    wheel.arm(entry('b'), 5);
    pass(50);
    expect(expired).toEqual(['a', 'b']);
  });

  it('has no timer when the last one that was waited for is taken out, however far its deadline', () => {
    const [one, other] = [entry('a'), entry('b')];
    wheel.arm(one, 50);
    wheel.arm(other, 50);
    wheel.disarm(one);
    expect(jest.getTimerCount()).toBe(1);
    wheel.disarm(other);
    expect(jest.getTimerCount()).toBe(0);
    wheel.arm(one, 5);
    pass(13);
    expect(expired).toEqual(['a']);
    pass(100);
    expect(expired).toEqual(['a']);
  });

  it('takes out one of many that share a tick, and no other', () => {
    const entries = ['a', 'b', 'c'].map(entry);
    for (const each of entries) wheel.arm(each, 5);
    wheel.disarm(entries[0]!);
    wheel.disarm(entries[0]!);
    pass(50);
    expect(expired.sort()).toEqual(['b', 'c']);
  });

  it('lets an entry that expires take another of the same tick out', () => {
    const [one, other] = [entry('a'), entry('b')];
    const pair: DeadlineWheel<typeof one> = new DeadlineWheel(
      { now: () => time, monotonic: () => time },
      ({ name }) => {
        expired.push(name);
        pair.disarm(other);
      },
    );
    pair.arm(one, 5);
    pair.arm(other, 5);
    pass(50);
    expect(expired).toEqual(['a']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('caps what would not fit into a turn', () => {
    wheel.arm(entry('a'), 3_600_000);
    pass(2_600);
    expect(expired).toEqual(['a']);
  });
});
