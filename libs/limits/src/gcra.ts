/**
 * The generic cell rate algorithm (ITU-T I.371, the leaky bucket as a meter) in whole numbers: a bucket holds a debt in
 * ticks, a request adds to it, time drains it. A tick is such a part of a request that both the cost of a request and
 * what drains in a millisecond are whole: nothing is rounded, so nothing drifts however long a bucket lives.
 */

/** A limit in ticks. All three are whole and below 2⁵². */
export interface Rate {
  /** The most debt a bucket takes. */
  readonly capacity: number;
  /** What one request adds. */
  readonly perRequest: number;
  /** What a millisecond takes away. */
  readonly perMillisecond: number;
}

/** Debt in ticks, as of the millisecond `at`. */
export interface Bucket {
  readonly debt: number;
  readonly at: number;
}

/** The longest wait that can be told, 49 days, and what is said where waiting never helps: waits travel as uint32. */
export const NEVER_MS = 2 ** 32 - 1;

/** Half of what a double holds exactly, so that a debt and a cost can be added before they are compared. */
const MAX_CAPACITY = 2 ** 51;

/**
 * @param limit requests in a window; `burst` of them, at most `limit`, may come at once.
 * @param divisor how many deciders share the limit without seeing each other: a request then costs each of them that
 *   many times as much, so that together they stay within the limit exactly.
 */
export function rateOf(limit: number, windowSeconds: number, burst: number, divisor = 1): Rate {
  const windowMs = windowSeconds * 1000;
  // A billion a year does not fit: then a tick is coarser, and the rounding goes against the caller (below 0.002 %).
  const coarse = Math.max(1, Math.ceil((limit * windowMs) / MAX_CAPACITY));
  const perRequest = Math.ceil(windowMs / coarse);
  return {
    capacity: Math.min(burst || limit, limit) * perRequest,
    perRequest: perRequest * divisor,
    perMillisecond: Math.floor(limit / coarse),
  };
}

/** What is left of a debt at `now`. A clock that ran backwards drains nothing, and its lost time is not drained twice. */
export function debtAt(rate: Rate, bucket: Bucket, now: number): number {
  const drained = Math.max(0, now - bucket.at) * rate.perMillisecond;
  return drained >= bucket.debt ? 0 : bucket.debt - drained;
}

/**
 * @param cost in requests.
 * @returns milliseconds until there is room: 0 when there is room now, NEVER_MS when the cost exceeds the whole bucket.
 */
export function waitFor(rate: Rate, debt: number, cost: number): number {
  const ticks = cost * rate.perRequest;
  if (ticks > rate.capacity) return NEVER_MS;
  const over = debt + ticks - rate.capacity;
  return over <= 0 ? 0 : Math.min(NEVER_MS, Math.ceil(over / rate.perMillisecond));
}

/** Whole requests there is room for. */
export function roomLeft(rate: Rate, debt: number): number {
  return Math.max(0, Math.floor((rate.capacity - debt) / rate.perRequest));
}

/** Milliseconds until nothing is owed. */
export function emptyAfter(rate: Rate, debt: number): number {
  return Math.min(NEVER_MS, Math.ceil(debt / rate.perMillisecond));
}
