import type { Balanced, Picker } from './picker';

/** Takes the target with the fewest calls under way for its weight; equals take turns. */
export class LeastLoaded implements Picker {
  private turn = 0;

  constructor(private readonly targets: readonly Balanced[]) {}

  pick(out: Uint8Array | undefined): number {
    const { targets } = this;
    let least = -1;
    let lowest = Infinity;
    for (let step = 0; step < targets.length; step++) {
      const at = (this.turn + step) % targets.length;
      const { weight, load } = targets[at]!;
      if (weight === 0 || out?.[at]) continue;
      // With the call that is to come counted in: idle targets are then told apart by their weight too.
      const burden = (load + 1) / weight;
      if (burden >= lowest) continue;
      lowest = burden;
      least = at;
    }
    this.turn = (least + 1) % targets.length;
    return least;
  }
}
