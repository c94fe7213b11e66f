import { refuse, type Refusal } from '@sallyport/contracts';

/** What a status other than 200 means for the run. */
export interface StatusVerdict {
  /** Another target may answer; otherwise the fault is the caller's and every target would say the same. */
  readonly elsewhere: boolean;
  readonly refusal: Refusal;
}

/** Vendor codes that may be repeated to the caller: a closed list, so that nothing else of an upstream body can be. */
const KNOWN_CODES = new Set([
  'context_length_exceeded',
  'content_filter',
  'content_policy_violation',
  'invalid_image',
  'invalid_image_format',
  'invalid_image_url',
  'invalid_value',
  'missing_required_parameter',
  'string_above_max_length',
  'unknown_parameter',
  'unsupported_parameter',
  'unsupported_value',
]);

/** 401, 403: the key is dead. 402: the account is empty. 404: the target is listed, so the provider is at fault. */
const NOT_THE_CALLERS = new Set([401, 402, 403, 404]);

const DEFAULT_RETRY_AFTER_MS = 1_000;
const MAX_RETRY_AFTER_MS = 3_600_000;

/**
 * Reads the status of a provider.
 * @param retryAfter the field of that name, as received.
 * @param now milliseconds since the epoch.
 * @param seconds how long it took to say so.
 * @param body what came of the error's body; only a known code in it is ever looked at.
 */
export function judgeStatus(
  status: number,
  retryAfter: string | undefined,
  body: Buffer,
  now: number,
  seconds: number,
): StatusVerdict {
  const reason = `the provider answered ${status}`;
  if (status === 408 || status === 504) {
    return { elsewhere: true, refusal: refuse('UPSTREAM_TIMEOUT', { seconds }, { reason }) };
  }
  if (status === 425 || status === 429 || status === 503 || status === 529) {
    return { elsewhere: true, refusal: refuse('UPSTREAM_BUSY', {}, { reason, retryAfterMs: waitOf(retryAfter, now) }) };
  }
  if (status < 400 || status >= 500 || NOT_THE_CALLERS.has(status)) {
    return { elsewhere: true, refusal: refuse('UPSTREAM_BROKE', {}, { reason }) };
  }
  const code = knownCode(body);
  const told = `the provider refuses it with status ${status}${code ? ` (${code})` : ''}`;
  return { elsewhere: false, refusal: refuse('AI_REQUEST_INVALID', { reason: told }, { reason }) };
}

/** RFC 9110 §10.2.3: seconds, or a date. */
function waitOf(retryAfter: string | undefined, now: number): number {
  const wait = /^\d{1,9}$/.test(retryAfter ?? '') ? Number(retryAfter) * 1000 : Date.parse(retryAfter ?? '') - now;
  return Number.isNaN(wait) ? DEFAULT_RETRY_AFTER_MS : Math.min(Math.max(0, wait), MAX_RETRY_AFTER_MS);
}

function knownCode(body: Buffer): string | undefined {
  try {
    const { error } = JSON.parse(body.toString('utf8')) as { error?: { code?: unknown } };
    return typeof error?.code === 'string' && KNOWN_CODES.has(error.code) ? error.code : undefined;
  } catch {
    return undefined;
  }
}
