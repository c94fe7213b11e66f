import fc from 'fast-check';
import { Balancer } from './balance';

const target = (name: string, weight = 1) => ({ name, weight });

describe('Balancer', () => {
  it('spreads the picks of a heavy target', () => {
    const balancer = new Balancer([target('a', 5), target('b'), target('c')]);
    const picks = Array.from({ length: 7 }, () => balancer.pick()!.name).join('');
    expect(picks).toBe('aabacaa');
  });

  it('gives every target exactly its share in each round', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 8 }), (weights) => {
        const targets = weights.map((weight, at) => target(String(at), weight));
        const sum = weights.reduce((a, b) => a + b, 0);
        const balancer = new Balancer(targets);
        const counts = new Map<string, number>();
        for (let turn = 0; turn < sum; turn++) {
          const { name } = balancer.pick()!;
          counts.set(name, (counts.get(name) ?? 0) + 1);
        }
        for (const { name, weight } of targets) expect(counts.get(name) ?? 0).toBe(weight);
      }),
    );
  });

  it('picks nobody when nobody takes traffic', () => {
    expect(new Balancer([target('a', 0)]).pick()).toBeUndefined();
    expect(new Balancer([]).pick()).toBeUndefined();
  });
});
