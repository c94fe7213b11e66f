import type { Observation } from './verdict';

/** What is tried: bytes go in, and it is seen what the rules and the client make of them. */
export interface Target {
  /** @returns what came of each, in the same order */
  observe(requests: readonly Buffer[]): Promise<Observation[]>;
  close(): Promise<void>;
}

/** What a target runs. */
export interface RulesUnderTest {
  /** Folder of the rules. */
  readonly rules: string;
  /** File that is read before them; undefined: none. */
  readonly setup: string | undefined;
  /** Level up to which rules run, 1 to 4. */
  readonly paranoia: number;
}
