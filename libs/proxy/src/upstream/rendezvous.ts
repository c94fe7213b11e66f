import type { Balanced, Picker } from './picker';

/**
 * The same target for the same key. Every target draws a number for the key, and the best draw has it: a target that
 * leaves gives up its own keys and moves no other, one that joins takes its share from all alike. Weights bend the draw
 * so that shares follow them.
 */
export class Rendezvous implements Picker {
  private readonly seeds: readonly number[];
  private readonly weights: readonly number[];

  constructor(targets: readonly Pick<Balanced, 'id' | 'weight'>[]) {
    this.seeds = targets.map(({ id }) => hashText(id));
    this.weights = targets.map(({ weight }) => weight);
  }

  pick(out: Uint8Array | undefined, key: string): number {
    const hashed = hashText(key);
    let best = -1;
    let highest = -Infinity;
    for (let at = 0; at < this.seeds.length; at++) {
      const weight = this.weights[at]!;
      if (weight === 0 || out?.[at]) continue;
      const drawn = (spread(hashed ^ this.seeds[at]!) + 0.5) / 2 ** 32;
      const score = -weight / Math.log(drawn);
      if (score > highest) {
        highest = score;
        best = at;
      }
    }
    return best;
  }
}

/** FNV-1a over UTF-16 code units; keys are no secrets and nobody gains by choosing one. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return spread(hash);
}

/** Spreads a change of any bit over all 32 (the finalizer of MurmurHash3). */
function spread(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
