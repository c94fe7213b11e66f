import type { Refusal, RetryReason } from '@sallyport/contracts';
import type { ForwardPhase } from '../forward';
import { fieldValue, type RawFields } from '../raw-fields';

/** A body is held for another attempt up to this size. */
export const REPLAY_BYTES = 64 * 1024;

/** RFC 9110 §9.2.2: what may be done twice; TRACE is never served. */
const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

/** Whether a request may be sent a second time although the first may have been carried out. */
export function isRepeatable(method: string, hasIdempotencyKey: boolean): boolean {
  return hasIdempotencyKey || idempotent.has(method);
}

/** Why a failed attempt could be repeated; undefined for what repeating never helps. */
export function reasonOfFailure(refusal: Refusal, phase: ForwardPhase): RetryReason | undefined {
  if (phase === 'response' || refusal.code === 'INTERNAL') return undefined;
  if (phase === 'connect') return 'connect';
  return refusal.code === 'UPSTREAM_TIMEOUT' ? 'timeout' : 'broke';
}

const FIRST_MS = 25;
const MOST_MS = 250;

/**
 * Full jitter: how long to wait before an attempt.
 * @param retry 1 for the first repetition
 * @param random from 0 up to, not including, 1
 * @returns milliseconds
 */
export function backoff(retry: number, random: number): number {
  const most = Math.min(MOST_MS, FIRST_MS * 4 ** retry);
  return FIRST_MS + random * (most - FIRST_MS);
}

/** An upstream that asks for more time than this is believed, and not asked again. */
const MOST_ASKED_MS = 5_000;

/**
 * What Retry-After asks for (RFC 9110 §10.2.3).
 * @param now milliseconds since the epoch
 * @returns milliseconds, 0 where it asks for nothing that can be read; undefined when it is too long to wait for.
 */
export function askedWait(fields: RawFields, now: number): number | undefined {
  const text = fieldValue(fields, 'retry-after');
  if (text === undefined) return 0;
  const wait = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  if (Number.isNaN(wait)) return 0;
  return wait > MOST_ASKED_MS ? undefined : Math.max(0, wait);
}
