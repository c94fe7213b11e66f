import type { Rate } from './gcra';

/** One bucket to draw on. */
export interface Draw {
  /** Names the bucket within its tenant; buckets of different rates have different keys. */
  readonly key: string;
  readonly rate: Rate;
  /** In requests. */
  readonly cost: number;
}

export interface Drawn {
  readonly taken: boolean;
  /** Debt of each bucket after the decision, in ticks of its rate and in the order of the draws. */
  readonly debts: readonly number[];
}

/**
 * Where buckets live: in memory, or in Redis or Valkey for several replicas. The source owns the clock, since those
 * who share buckets must share time.
 */
export interface LimitSource {
  /**
   * Draws on all buckets, or on none when one lacks room; no other draw comes in between.
   * @param done called exactly once, from memory before `draw` returns: no promise on that path. `undefined`: the
   *   source could not be reached in time, and whether it drew is not known.
   */
  draw(tenant: string, draws: readonly Draw[], done: (drawn: Drawn | undefined) => void): void;
}
