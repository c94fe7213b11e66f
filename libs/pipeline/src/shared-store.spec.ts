import { MemoryStore } from './shared-store';
import { describeSharedStore } from './shared-store.suite';

describeSharedStore('the store of one process, as a store', async () => {
  let now = 0;
  const store = new MemoryStore({ now: () => now, monotonic: () => now }, 1_000_000);
  return { store, peer: store, advance: (ms) => void (now += ms), close: async () => undefined };
});

describe('the store of one process', () => {
  let now: number;
  const store = (maxBytes = 10_000): MemoryStore => new MemoryStore({ now: () => now, monotonic: () => now }, maxBytes);
  const read = (from: MemoryStore, key: string): string | undefined => {
    let found: Buffer | undefined;
    from.get(key, (value) => (found = value));
    return found?.toString();
  };

  beforeEach(() => {
    now = 0;
  });

  it('keeps a value as long as it was told to', () => {
    const kept = store();
    kept.set('a', Buffer.from('1'), 100);
    now = 99;
    expect(read(kept, 'a')).toBe('1');
    now = 100;
    expect(read(kept, 'a')).toBeUndefined();
  });

  it('gives a key to the first who claims it, and shows it to the others', () => {
    const kept = store();
    const found: unknown[] = [];
    for (const value of ['1', '2'])
      kept.claim('a', Buffer.from(value), 100, (before) => found.push(before?.toString()));
    expect(found).toEqual([undefined, '1']);
    kept.remove('a', Buffer.from('1'));
    kept.claim('a', Buffer.from('3'), 100, (before) => found.push(before));
    expect(found.at(-1)).toBeUndefined();
  });

  it('never holds more than it may: what was written longest ago goes first', () => {
    const kept = store(1000);
    for (let at = 0; at < 100; at++) kept.set(`k${at}`, Buffer.alloc(200), 1000);
    const left = Array.from({ length: 100 }, (_, at) => at).filter((at) => read(kept, `k${at}`) !== undefined);
    expect(left).toEqual([98, 99]);
  });

  it('takes nothing that alone is too large, and says so', () => {
    const kept = store(1000);
    const stored: boolean[] = [];
    kept.set('a', Buffer.alloc(2000), 1000, (fits) => stored.push(fits));
    kept.claim('b', Buffer.alloc(2000), 1000, (before) => stored.push(before === 'unavailable'));
    expect([stored, read(kept, 'a')]).toEqual([[false, true], undefined]);
  });

  it('never lets what was claimed make room for something else before its time is over', () => {
    const kept = store(1000);
    kept.claim('claimed', Buffer.alloc(500), 1000, () => undefined);
    for (let at = 0; at < 10; at++) kept.set(`k${at}`, Buffer.alloc(200), 1000);
    expect(read(kept, 'claimed')).toBeDefined();
    const before: unknown[] = [];
    kept.claim('other', Buffer.alloc(500), 1000, (found) => before.push(found));
    now = 1000;
    kept.claim('other', Buffer.alloc(500), 1000, (found) => before.push(found));
    expect(before).toEqual(['unavailable', undefined]);
  });
});
