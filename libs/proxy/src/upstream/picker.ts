import type { UpstreamBalance } from '@sallyport/contracts';
import { LeastLoaded } from './least-loaded';
import { Rendezvous } from './rendezvous';
import { WeightedTurns } from './weighted-turns';

/** A target as balancing sees it. */
export interface Balanced {
  /** The same wherever the target stands in its list. */
  readonly id: string;
  /** Share relative to the others; 0 takes none. */
  readonly weight: number;
  /** Calls under way. */
  readonly load: number;
}

/** Chooses among targets. */
export interface Picker {
  /**
   * @param out 1 for each target that must not be taken; undefined: all may.
   * @param key what the same target is wanted for, where the way of balancing looks at it
   * @returns the place of a target in the list, or -1.
   */
  pick(out: Uint8Array | undefined, key: string): number;
}

export function pickerOf(balance: UpstreamBalance | undefined, targets: readonly Balanced[]): Picker {
  switch (balance?.by) {
    case 'least-loaded':
      return new LeastLoaded(targets);
    case 'hash':
      return new Rendezvous(targets);
    default:
      return new WeightedTurns(targets);
  }
}
