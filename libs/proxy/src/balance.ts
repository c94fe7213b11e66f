/** Something that takes a share of the traffic. */
export interface Weighted {
  /** Share relative to the others; 0 takes none. */
  readonly weight: number;
}

/**
 * Smooth weighted round robin: every target gets its share, and the picks of a heavy one are spread out instead of
 * coming in a row. Each turn every target gains its weight, the richest is picked and pays the sum of all weights.
 */
export class Balancer<Target extends Weighted> {
  private readonly credit: number[];
  private readonly sum: number;

  constructor(private readonly targets: readonly Target[]) {
    this.credit = targets.map(() => 0);
    this.sum = targets.reduce((sum, { weight }) => sum + weight, 0);
  }

  /** @returns undefined when no target takes traffic. */
  pick(): Target | undefined {
    if (this.sum === 0) return undefined;
    if (this.targets.length === 1) return this.targets[0];
    let richest = -1;
    for (let at = 0; at < this.targets.length; at++) {
      const weight = this.targets[at]!.weight;
      if (weight === 0) continue;
      this.credit[at]! += weight;
      if (richest < 0 || this.credit[at]! > this.credit[richest]!) richest = at;
    }
    this.credit[richest]! -= this.sum;
    return this.targets[richest];
  }
}
