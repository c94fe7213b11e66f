import { seededRandom } from '../../chaos/seeded-random';

/** Choices that come out the same for the same seed. */
export class Choices {
  private readonly random: () => number;

  constructor(readonly seed: number) {
    this.random = seededRandom(seed);
  }

  /** 0 up to `limit`, which is left out. */
  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)]!;
  }

  /** @param chance 0 to 1 */
  happens(chance: number): boolean {
    return this.random() < chance;
  }

  times<Item>(count: number, make: () => Item): Item[] {
    return Array.from({ length: count }, make);
  }
}

/** From the environment, so that a run that failed can be had again; else one that changes every run. */
export function chosenSeed(): number {
  return Number(process.env['ORACLE_SEED'] ?? Date.now() % 2 ** 31);
}
