import type { DecideStream } from './decide-stream';

/** Why a service gave no answer: not reachable, not in time, or too much is under way already. */
export type Silence = 'down' | 'slow' | 'full';

/** Tells silence from an answer. */
export function isSilence(outcome: unknown): outcome is Silence {
  return typeof outcome === 'string';
}

/**
 * One question under way. The stream keeps its own bookkeeping in these fields, so that a question costs one object
 * and no timer, promise or closure of its own.
 */
export abstract class Consult<Ask, Answer> {
  /** The stream it went out on, from `begin` on. */
  stream: DecideStream<Ask, Answer> | undefined;
  /** Unique on that stream while it is under way. */
  id = 0;
  /** Tick of the wheel at which patience ends; 0: no answer is owed. */
  expires = 0;
  /** Monotonic milliseconds. */
  startedAt = 0;

  /** May come more than once, until `end`. */
  abstract answered(answer: Answer): void;

  /** Comes at most once and is the last word; the stream has ended the consult by then. */
  abstract unanswered(why: Silence): void;
}
