import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import type { Exchange } from './exchange';
import { ExchangeList } from './open-exchanges';

const someExchange = () => ({ place: 0 }) as Exchange;

describe('the exchanges under way', () => {
  it('are those that came and have not left, whatever the order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { maxLength: 200 }), (steps) => {
        const list = new ExchangeList();
        const pool = Array.from({ length: 20 }, someExchange);
        const there = new Set<Exchange>();
        for (const step of steps) {
          const exchange = pool[step % pool.length]!;
          if (step < pool.length && !there.has(exchange)) {
            list.enter(exchange);
            there.add(exchange);
          } else {
            list.leave(exchange);
            there.delete(exchange);
          }
        }
        expect(new Set(list)).toEqual(there);
        expect(list.size).toBe(there.size);
      }),
    );
  });

  it('are all seen by whoever ends each as it is looked at', () => {
    const list = new ExchangeList();
    const exchanges = Array.from({ length: 5 }, someExchange);
    for (const exchange of exchanges) list.enter(exchange);
    const seen: Exchange[] = [];
    for (const exchange of list) {
      seen.push(exchange);
      list.leave(exchange);
    }
    expect(seen).toEqual(exchanges);
    expect(list.size).toBe(0);
  });

  it('are let go when they leave, also when others before them have grown old', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as (how?: { type: 'minor' }) => void;
    const open = new ExchangeList();
    comeAndGo(open, 100, collect);
    const before = getHeapStatistics().used_heap_size;

    comeAndGo(open, 2_000);

    collect({ type: 'minor' });
    collect({ type: 'minor' });
    // A Set keeps half of the 32 MiB that came and went here until the next full collection.
    expect(getHeapStatistics().used_heap_size - before).toBeLessThan(8 * 1024 * 1024);
  });
});

/** Each of 16 KiB, and 32 of them at a time. @param last called while the last ones are still there */
function comeAndGo(open: ExchangeList, count: number, last: () => void = () => undefined): void {
  const here: Exchange[] = [];
  for (let at = 0; at < count; at++) {
    const each = { place: -1, load: new Array<number>(2_048).fill(at) } as unknown as Exchange;
    open.enter(each);
    here.push(each);
    if (here.length > 32) open.leave(here.shift()!);
  }
  last();
  for (const each of here) open.leave(each);
}
