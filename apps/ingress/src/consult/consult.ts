import type { WireReader } from '@sallyport/contracts';
import type { DecideStream } from './decide-stream';

/** Why a service gave no answer: not reachable or known to be slow, not in time, or too much is under way already. */
export type Silence = 'down' | 'slow' | 'full';

/** Tells silence from an answer. */
export function isSilence(outcome: unknown): outcome is Silence {
  return typeof outcome === 'string';
}

/** An answer is owed, and its time begins when the question leaves. */
export const NOT_YET_SENT = -1;

/**
 * One question under way. The stream keeps its own bookkeeping in these fields, so that a question costs one object
 * and no timer, promise or closure of its own.
 */
export abstract class Consult {
  /** The stream it went out on, from `begin` on. */
  stream: DecideStream | undefined;
  /** Unique on that stream while it is under way. */
  id = 0;
  /** Tick of the wheel at which patience ends; 0: no answer is owed. */
  expires = 0;
  budgetMs = 0;
  /** When it left, in monotonic milliseconds. */
  sentAt = 0;

  /**
   * Reads its answer; comes more than once where more than one is given, until `end`.
   * @param end where the answer ends. @throws RangeError when it does not add up.
   */
  abstract answered(reader: WireReader, end: number): void;

  /** Comes at most once and is the last word; the stream has ended the consult by then. */
  abstract unanswered(why: Silence): void;
}
