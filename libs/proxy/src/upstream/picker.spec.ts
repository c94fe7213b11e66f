import { property, record, integer, array, assert, nat, string } from 'fast-check';
import { LeastLoaded } from './least-loaded';
import type { Balanced } from './picker';
import { Rendezvous } from './rendezvous';
import { WeightedTurns } from './weighted-turns';

const targetsOf = (...weights: number[]) => weights.map((weight, at) => ({ id: `http://t${at}`, weight, load: 0 }));

function picks(picker: { pick(out: Uint8Array | undefined, key: string): number }, times: number, key = ''): number[] {
  return Array.from({ length: times }, () => picker.pick(undefined, key));
}

const countOf = (list: readonly number[], at: number) => list.filter((one) => one === at).length;

describe('taking turns by weight', () => {
  it('spreads the picks of a heavy target out', () => {
    expect(picks(new WeightedTurns(targetsOf(5, 1, 1)), 7)).toEqual([0, 0, 1, 0, 2, 0, 0]);
  });

  it('gives every target exactly its share of each full turn', () => {
    assert(
      property(array(nat(9), { minLength: 1, maxLength: 8 }), nat(5), (weights, turns) => {
        const sum = weights.reduce((left, right) => left + right, 0);
        const picked = picks(new WeightedTurns(targetsOf(...weights)), sum * turns);
        expect(weights.map((_, at) => countOf(picked, at))).toEqual(weights.map((weight) => weight * turns));
      }),
    );
  });

  it('passes over who is out, and takes nobody when nobody is left', () => {
    const picker = new WeightedTurns(targetsOf(1, 1));
    expect([1, 2, 3].map(() => picker.pick(Uint8Array.of(1, 0)))).toEqual([1, 1, 1]);
    expect(picker.pick(Uint8Array.of(1, 1))).toBe(-1);
    expect(new WeightedTurns(targetsOf(0)).pick(undefined)).toBe(-1);
    expect(new WeightedTurns(targetsOf(1)).pick(Uint8Array.of(1))).toBe(-1);
  });
});

describe('taking the least loaded', () => {
  it('never takes a target that has more to do for its weight than another', () => {
    const target = record({ weight: integer({ min: 1, max: 10 }), load: nat(50) });
    assert(
      property(array(target, { minLength: 1, maxLength: 8 }), (given) => {
        const targets: Balanced[] = given.map((one, at) => ({ id: String(at), ...one }));
        const at = new LeastLoaded(targets).pick(undefined);
        const burden = ({ load, weight }: Balanced) => (load + 1) / weight;
        expect(burden(targets[at]!)).toBe(Math.min(...targets.map(burden)));
      }),
    );
  });

  it('lets equals take turns', () => {
    expect(picks(new LeastLoaded(targetsOf(1, 1, 1)), 6)).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it('takes nobody who is out or rests', () => {
    const picker = new LeastLoaded(targetsOf(1, 0));
    expect(picker.pick(Uint8Array.of(1, 0))).toBe(-1);
    expect(picker.pick(undefined)).toBe(0);
  });
});

describe('choosing by key', () => {
  const keys = Array.from({ length: 2_000 }, (_, at) => `key-${at}`);
  const placesOf = (targets: readonly { id: string; weight: number }[]) => {
    const picker = new Rendezvous(targets);
    return keys.map((key) => targets[picker.pick(undefined, key)]!.id);
  };

  it('gives the same key the same target, wherever it stands in the list', () => {
    const targets = targetsOf(1, 2, 3);
    expect(placesOf(targets)).toEqual(placesOf([...targets].reverse()));
  });

  it('moves only the keys of a target that leaves', () => {
    assert(
      property(integer({ min: 2, max: 8 }), nat(7), (size, which) => {
        const targets = targetsOf(...Array.from({ length: size }, (_, at) => 1 + (at % 3)));
        const gone = targets[which % size]!;
        const before = placesOf(targets);
        const after = placesOf(targets.filter((one) => one !== gone));
        const moved = before.filter((id, at) => after[at] !== id);
        expect(moved).toEqual(before.filter((id) => id === gone.id));
      }),
      { numRuns: 20 },
    );
  });

  it('moves only the keys of a target that is out for now', () => {
    assert(
      property(string(), (key) => {
        const picker = new Rendezvous(targetsOf(1, 1, 1));
        const at = picker.pick(undefined, key);
        const other = (at + 1) % 3;
        const out = new Uint8Array(3);
        out[other] = 1;
        expect(picker.pick(out, key)).toBe(at);
      }),
    );
  });

  it('lets shares follow weights', () => {
    const placed = placesOf(targetsOf(1, 3));
    const share = placed.filter((id) => id === 'http://t1').length / placed.length;
    expect(share).toBeGreaterThan(0.72);
    expect(share).toBeLessThan(0.78);
  });

  it('takes nobody when all are out', () => {
    expect(new Rendezvous(targetsOf(1, 1)).pick(Uint8Array.of(1, 1), 'a')).toBe(-1);
  });
});
