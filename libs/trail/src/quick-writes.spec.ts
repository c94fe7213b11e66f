import { QuickWrites } from './quick-writes';

let now: number;
let threadTime: number;
let writes: QuickWrites;

beforeEach(() => {
  now = 1_000;
  threadTime = 200;
  writes = new QuickWrites(
    () => now,
    () => threadTime,
  );
});

/** A write that takes some time, of which the thread runs or waits for a processor for a part. */
const write = (ms: number, without = 0) =>
  writes.measured(() => {
    now += ms;
    threadTime += without;
  });

describe('small writes', () => {
  it('are made at once while the disk takes them at once', () => {
    for (let count = 0; count < 3; count++) {
      expect(writes.takes(2_000)).toBe(true);
      write(1);
    }
  });

  it('are left to a thread when they are not small', () => {
    expect(writes.takes(64 * 1024)).toBe(true);
    expect(writes.takes(64 * 1024 + 1)).toBe(false);
  });

  it('are left to a thread for ten seconds after one that was slow, and then tried again', () => {
    write(6);
    expect(writes.takes(1)).toBe(false);
    now += 9_999;
    expect(writes.takes(1)).toBe(false);
    now += 1;
    expect(writes.takes(1)).toBe(true);
  });

  it('are still made at once after one in whose midst the thread lost its processor', () => {
    write(12, 11);
    expect(writes.takes(1)).toBe(true);
  });

  it('are left to a thread after one that was slow beside a lost processor', () => {
    write(18, 12);
    expect(writes.takes(1)).toBe(false);
  });

  it('are left to a thread after one that took long, where the kernel does not tell why', () => {
    writes = new QuickWrites(() => now);
    write(6);
    expect(writes.takes(1)).toBe(false);
  });

  it('are left to a thread after one that failed slowly, and its failure is told', () => {
    expect(() =>
      writes.measured(() => {
        now += 6;
        throw new Error('no space');
      }),
    ).toThrow('no space');
    expect(writes.takes(1)).toBe(false);
  });
});
