import type { Balanced, Picker } from './picker';

/**
 * Smooth weighted round robin: every target gets its share, and the picks of a heavy one are spread out instead of
 * coming in a row. Each turn every target gains its weight, the richest is picked and pays the sum of all weights.
 */
export class WeightedTurns implements Picker {
  private readonly weights: readonly number[];
  private readonly credit: number[];

  constructor(targets: readonly Pick<Balanced, 'weight'>[]) {
    this.weights = targets.map(({ weight }) => weight);
    this.credit = targets.map(() => 0);
  }

  pick(out: Uint8Array | undefined): number {
    const { weights, credit } = this;
    if (weights.length === 1) return weights[0]! > 0 && !out?.[0] ? 0 : -1;
    let richest = -1;
    let sum = 0;
    for (let at = 0; at < weights.length; at++) {
      const weight = weights[at]!;
      if (weight === 0 || out?.[at]) continue;
      sum += weight;
      credit[at]! += weight;
      if (richest < 0 || credit[at]! > credit[richest]!) richest = at;
    }
    if (richest >= 0) credit[richest]! -= sum;
    return richest;
  }
}
