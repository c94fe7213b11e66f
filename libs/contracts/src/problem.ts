import { errorSpec } from './errors';
import { detailOf, slugOf, type Refusal, type Violation } from './refusal';

/** What a refusal looks like on the wire before a dialect is chosen. */
export interface Problem {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ProblemBody;
}

/** RFC 9457 §3 with our extension members. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: string;
  readonly request_id: string;
  readonly docs: string;
  readonly trace_id?: string;
  readonly 'violated-policies'?: readonly string[];
  readonly errors?: readonly Violation[];
}

export interface Occurrence {
  readonly requestId: string;
  readonly traceId?: string;
  /** Base of problem types and documentation links, without a slash at the end. */
  readonly publicUrl: string;
  readonly violations?: readonly Violation[];
}

/** Whole seconds a refused caller should wait, never earlier than the limiter says (RFC 9110 §10.2.3). */
export function retryAfterSeconds(refusal: Refusal): number | undefined {
  if (refusal.retryAfterMs !== undefined) return Math.max(1, Math.ceil(refusal.retryAfterMs / 1000));
  return errorSpec(refusal.code).http === 503 ? 1 : undefined;
}

/** Renders a refusal as problem details: status, header fields and body. */
export function problemOf(refusal: Refusal, occurrence: Occurrence): Problem {
  const spec = errorSpec(refusal.code);
  const page = `${occurrence.publicUrl}/problems/${slugOf(refusal.code)}`;
  const headers: Record<string, string> = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' };
  const wait = retryAfterSeconds(refusal);
  if (wait !== undefined) headers['retry-after'] = String(wait);
  if (spec.http === 401) headers['www-authenticate'] = 'Bearer realm="sallyport"';
  // RFC 9110 §15.5.6: a 405 names the methods that are served.
  if (spec.http === 405 && refusal.params['allow'] !== undefined) headers['allow'] = String(refusal.params['allow']);
  const violations = occurrence.violations ?? refusal.violations;
  const body: ProblemBody = {
    type: spec.type ?? page,
    title: spec.title,
    status: spec.http,
    detail: detailOf(refusal),
    instance: `/problems/occurrences/${occurrence.requestId}`,
    code: refusal.code,
    ...(spec.type &&
      refusal.params['policy'] !== undefined && { 'violated-policies': [String(refusal.params['policy'])] }),
    ...(violations?.length && { errors: violations }),
    request_id: occurrence.requestId,
    ...(occurrence.traceId && { trace_id: occurrence.traceId }),
    docs: page,
  };
  return { status: spec.http, headers, body };
}
