import { QuickWrites } from './quick-writes';

let now: number;
let writes: QuickWrites;

beforeEach(() => {
  now = 1_000;
  writes = new QuickWrites(() => now);
});

const write = (ms: number) => writes.measured(() => (now += ms));

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
