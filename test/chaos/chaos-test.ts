import type { Check } from './checkers';
import type { World } from './world';

/** What a run gives each test. */
export interface ChaosContext {
  /** How long the load of one test lasts, about; tests that need a longer look take what they need. */
  readonly seconds: number;
  /** Only what is quick is asked for: a test that has a long and a short form takes the short one. */
  readonly quick: boolean;
  readonly requestsPerSecond: number;
  readonly seed: number;
  /** The product with everything doubled and behind chaos proxies, in good order; started once for all tests. */
  world(): Promise<World>;
  /** Tells people how it goes. */
  say(text: string): void;
}

/** What a test has found, or why it cannot be run here. */
export type Verdict = { readonly checks: readonly Check[] } | { readonly skipped: string };

export interface ChaosTest {
  /** Number in the catalogue of tests: `T02` */
  readonly number: string;
  readonly title: string;
  /** What is done to the product. */
  readonly procedure: string;
  /** What must hold, as ratios where time is involved. */
  readonly pass: string;
  /** Runs with every test run: short, and the same on a busy machine. */
  readonly quick: boolean;
  run(context: ChaosContext): Promise<Verdict>;
}
