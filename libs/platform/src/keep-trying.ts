import { setTimeout as pause } from 'node:timers/promises';
import type { BusLogger } from './bus';

const LIMIT_MS = 30_000;
const PAUSE_MS = 1_000;

export interface Tries<T> {
  /** Completes "connecting to …"; names the target without its credentials. */
  readonly target: string;
  readonly logger: BusLogger;
  readonly attempt: () => Promise<T>;
  /** How long to go on; default 30 s. */
  readonly limitMs?: number;
  /** Puts a failure into one line that holds no secret. */
  readonly reason: (error: unknown) => string;
}

/** What was asked for by name is not there: the start fails, and nothing else takes its place. */
export class Unreachable extends Error {
  constructor(
    readonly target: string,
    reason: string,
    limitMs: number,
  ) {
    super(`${target} could not be reached within ${limitMs / 1000} s: ${reason}`);
    this.name = 'Unreachable';
  }
}

/**
 * Tries once a second and says each time why it did not work.
 * @throws Unreachable after the limit.
 */
export async function keepTrying<T>({ target, logger, attempt, limitMs = LIMIT_MS, reason }: Tries<T>): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const why = reason(error);
      const left = end - performance.now();
      if (left <= 0) throw new Unreachable(target, why, limitMs);
      logger.warn({ target, reason: why, secondsLeft: Math.ceil(left / 1000) }, 'not reachable yet; trying again');
      await pause(Math.min(PAUSE_MS, left));
    }
  }
}
