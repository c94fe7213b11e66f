import fc from 'fast-check';
import { BoundedCache } from './bounded-cache';

describe('a bounded cache', () => {
  it('never holds more than its capacity, and never a value that was not the last set', () => {
    const step = fc.record({ does: fc.constantFrom('get', 'set', 'delete'), key: fc.nat(30), value: fc.nat() });
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 20 }), fc.array(step, { maxLength: 300 }), (capacity, steps) => {
        const cache = new BoundedCache<number>(capacity);
        const all = new Map<string, number>();
        for (const { does, key, value } of steps) {
          const name = String(key);
          if (does === 'set') {
            cache.set(name, value);
            all.set(name, value);
          } else if (does === 'delete') {
            cache.delete(name);
            all.delete(name);
          } else {
            const found = cache.get(name);
            if (found !== undefined) expect(found).toBe(all.get(name));
          }
          expect(cache.size).toBeLessThanOrEqual(capacity);
        }
      }),
    );
  });

  it('keeps what is used however much else comes by', () => {
    const cache = new BoundedCache<string>(10);
    cache.set('kept', 'value');
    for (let other = 0; other < 1_000; other++) {
      cache.set(`other ${other}`, 'value');
      expect(cache.get('kept')).toBe('value');
    }
  });

  it('holds the half of its capacity that was set last', () => {
    const cache = new BoundedCache<number>(10);
    for (let key = 0; key < 103; key++) cache.set(String(key), key);
    for (let key = 98; key < 103; key++) expect(cache.get(String(key))).toBe(key);
  });

  it('has nothing after it was cleared', () => {
    const cache = new BoundedCache<number>(4);
    for (let key = 0; key < 3; key++) cache.set(String(key), key);
    cache.clear();
    expect(cache.size).toBe(0);
    expect(cache.get('0')).toBeUndefined();
  });
});
