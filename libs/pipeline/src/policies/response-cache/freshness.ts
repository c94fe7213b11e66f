import { fieldValue, isMadeEachTime, type RawFields } from '@sallyport/proxy';
import { readCacheControl, seconds, type Directives } from './cache-control';
import { readHttpDate } from './http-date';

/** What an operator decides where RFC 9111 leaves it to the cache. */
export interface CacheRules {
  /** How long an answer is fresh that says nothing about it, in milliseconds; 0: not at all (§4.2.2). */
  readonly unstatedMs: number;
  /** Keep answers with Set-Cookie, without that field. */
  readonly stripSetCookie: boolean;
  /** How long after its end an answer may stand in for an upstream that fails, in milliseconds (RFC 5861 §4). */
  readonly staleIfErrorMs: number;
  /** How long after its end an answer may be served while one caller fetches the next, in milliseconds (RFC 5861 §3). */
  readonly staleWhileRevalidateMs: number;
  /** A larger body is passed on and not kept. */
  readonly maxAnswerBytes: number;
  /** How long a caller waits for the answer that another one is fetching, in milliseconds. */
  readonly waitMs: number;
}

/** What an answer says of its own reuse, read once when it is stored. Times in milliseconds. */
export interface Reuse {
  readonly freshMs: number;
  /** Age it had when it came (§4.2.3), corrected for the time it travelled. */
  readonly initialAgeMs: number;
  /** Never served stale, whatever a caller or a failing upstream would make of it (§5.2.2.2, §5.2.2.8, §5.2.2.10). */
  readonly mustRevalidate: boolean;
  /** Every use asks the upstream first (§5.2.2.4). */
  readonly alwaysRevalidate: boolean;
  readonly staleIfErrorMs: number;
  readonly staleWhileRevalidateMs: number;
  /** The answer says that it may go to anyone (§5.2.2.9). */
  readonly isPublic: boolean;
}

/** Final answers whose meaning this cache knows, and that may be given a lifetime they did not state (RFC 9110 §15.1). */
const HEURISTIC: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);
const UNDERSTOOD: ReadonlySet<number> = new Set([...HEURISTIC, 302, 303, 307, 400, 401, 403, 500, 502, 503, 504]);

/** All values of one field, joined as RFC 9110 §5.3 says. */
export function joined(fields: RawFields, name: string): string | undefined {
  let value: string | undefined;
  for (let at = 0; at < fields.length; at += 2) {
    if (fields[at] === name) value = value === undefined ? fields[at + 1]! : `${value}, ${fields[at + 1]!}`;
  }
  return value;
}

/**
 * Whether an answer may be kept, and for how long it is good (RFC 9111 §3).
 * @param askedAt when the request left, `answeredAt` when the head of the answer came; milliseconds since the epoch
 * @returns undefined when nobody may be given this answer again.
 */
export function reuseOf(
  status: number,
  fields: RawFields,
  rules: CacheRules,
  askedAt: number,
  answeredAt: number,
): Reuse | undefined {
  const directives = readCacheControl(joined(fields, 'cache-control'));
  if (!mayBeKept(status, fields, directives, rules)) return undefined;
  const freshMs = freshness(status, fields, directives, rules, answeredAt);
  const revalidatable = fieldValue(fields, 'etag') !== undefined || fieldValue(fields, 'last-modified') !== undefined;
  if (freshMs === undefined || (freshMs === 0 && !revalidatable)) return undefined;
  const mustRevalidate =
    directives.has('must-revalidate') || directives.has('proxy-revalidate') || directives.has('s-maxage');
  const alwaysRevalidate = directives.has('no-cache');
  const neverStale = mustRevalidate || alwaysRevalidate;
  return {
    freshMs,
    initialAgeMs: initialAge(fields, askedAt, answeredAt),
    mustRevalidate,
    alwaysRevalidate,
    staleIfErrorMs: neverStale ? 0 : millis(directives, 'stale-if-error', rules.staleIfErrorMs),
    staleWhileRevalidateMs: neverStale ? 0 : millis(directives, 'stale-while-revalidate', rules.staleWhileRevalidateMs),
    isPublic: directives.has('public'),
  };
}

function mayBeKept(status: number, fields: RawFields, directives: Directives, rules: CacheRules): boolean {
  // Parts of an answer are not combined here, and a 304 is only ever met in a revalidation.
  if (status < 200 || status === 206 || status === 304) return false;
  if (directives.has('no-store') || directives.has('private')) return false;
  if (directives.has('must-understand') && !UNDERSTOOD.has(status)) return false;
  if (!rules.stripSetCookie && fieldValue(fields, 'set-cookie') !== undefined) return false;
  return varyNames(fields) !== undefined;
}

function millis(directives: Directives, name: string, otherwise: number): number {
  const stated = seconds(directives, name);
  return stated === undefined ? otherwise : stated * 1000;
}

/** §4.2.1, in its order; §5.3 has an Expires that is no date lie in the past. */
function freshness(
  status: number,
  fields: RawFields,
  directives: Directives,
  rules: CacheRules,
  now: number,
): number | undefined {
  const stated = seconds(directives, 's-maxage') ?? seconds(directives, 'max-age');
  if (stated !== undefined) return stated * 1000;
  const expires = fieldValue(fields, 'expires');
  if (expires !== undefined) {
    const end = readHttpDate(expires, now);
    return end === undefined ? 0 : Math.max(0, end - dateOf(fields, now));
  }
  const mayHaveUnstated = HEURISTIC.has(status) || directives.has('public');
  if (rules.unstatedMs > 0 && mayHaveUnstated) return rules.unstatedMs;
  // Kept for the sake of its validator alone, where the answer asks to be revalidated.
  return directives.has('no-cache') && HEURISTIC.has(status) ? 0 : undefined;
}

function dateOf(fields: RawFields, now: number): number {
  return readHttpDate(fieldValue(fields, 'date') ?? '', now) ?? now;
}

/** §4.2.3. */
function initialAge(fields: RawFields, askedAt: number, answeredAt: number): number {
  const apparent = Math.max(0, answeredAt - dateOf(fields, answeredAt));
  const stated = fieldValue(fields, 'age');
  const age = stated !== undefined && /^\d+$/.test(stated) ? Number(stated) * 1000 : 0;
  return Math.max(apparent, age + Math.max(0, answeredAt - askedAt));
}

const NOTHING: readonly string[] = [];

/**
 * The request fields that chose this answer (RFC 9110 §12.5.5), in lower case.
 * @returns undefined when more than fields chose it, or a field that we make anew each time: no request ever matches.
 */
export function varyNames(fields: RawFields): readonly string[] | undefined {
  const vary = joined(fields, 'vary');
  if (vary === undefined) return NOTHING;
  const names = vary
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return names.some((name) => name === '*' || isMadeEachTime(name)) ? undefined : [...new Set(names)].sort();
}
