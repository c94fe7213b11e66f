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
});
