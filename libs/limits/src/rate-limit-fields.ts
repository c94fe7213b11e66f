import type { Standing } from './limiter';

/**
 * The fields of draft-ietf-httpapi-ratelimit-headers-11: structured lists (RFC 9651 §3.1) of strings with parameters,
 * one member for each limit that counted this request.
 */

/** `RateLimit-Policy`: what the limits are. `q` is the quota, `qu` its unit where it is not requests, `w` the window in seconds. */
export function rateLimitPolicyField(standings: readonly Standing[]): string {
  return standings
    .map(
      ({ policy, limit, windowSeconds, unit }) =>
        `${sfString(policy)};q=${limit}${unit === undefined ? '' : `;qu="${unit}"`};w=${windowSeconds}`,
    )
    .join(', ');
}

/** `RateLimit`: where the caller stands. `r` requests are left, and `t` seconds later there will be more. */
export function rateLimitField(standings: readonly Standing[]): string {
  return standings
    .map((standing) => `${sfString(standing.policy)};r=${standing.remaining};t=${moreAfterSeconds(standing)}`)
    .join(', ');
}

/** Milliseconds after which every refused charge has room; 0 when none was refused. Nothing else may be `Retry-After`. */
export function retryAfterMs(standings: readonly Standing[]): number {
  return standings.reduce((longest, standing) => Math.max(longest, standing.retryAfterMs), 0);
}

/** For a refused charge the exact wait, so that `Retry-After` is never earlier than `t`; else until all is back. */
function moreAfterSeconds({ remaining, limit, windowSeconds, resetMs, retryAfterMs: wait }: Standing): number {
  if (wait > 0) return Math.ceil(wait / 1000);
  // With nothing left, the next request comes back within one interval, long before the bucket is whole again.
  const interval = (windowSeconds * 1000) / limit;
  return Math.ceil((remaining === 0 ? Math.min(resetMs, interval) : resetMs) / 1000);
}

/** RFC 9651 §3.3.3: printable ASCII, with `"` and `\` escaped. Names are such by configuration; others lose what is not. */
function sfString(text: string): string {
  if (/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/.test(text)) return `"${text}"`;
  return `"${text.replace(/[^\x20-\x7e]/g, '?').replace(/["\\]/g, '\\$&')}"`;
}
