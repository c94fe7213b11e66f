import { errorSpec, type ErrorCode } from './errors';

/** A decision against the caller: a value, never thrown on the request path. */
export interface Refusal {
  readonly refused: true;
  readonly code: ErrorCode;
  /** The values the sentence of the code names; the caller's own or public, never internal. */
  readonly params: Readonly<Record<string, string | number>>;
  /** The exact cause, for the audit record and the log only. */
  readonly reason?: string;
  /** Milliseconds after which the same request can pass, where that is known. */
  readonly retryAfterMs?: number;
  /** Nothing of the request was sent on by the attempt that came to this, where its code does not say so already. */
  readonly unsent?: boolean;
  /** Places in the caller's document that caused it. */
  readonly violations?: readonly Violation[];
}

/** Makes a refusal; each is a new frozen object, so that none can carry one caller's values to another. */
export function refuse(
  code: ErrorCode,
  params: Record<string, string | number> = {},
  more: Partial<Pick<Refusal, 'reason' | 'retryAfterMs' | 'unsent' | 'violations'>> = {},
): Refusal {
  return Object.freeze({ refused: true, code, params: Object.freeze({ ...params }), ...more });
}

/** Tells a refusal from what a decision returns otherwise. */
export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && (value as { refused?: unknown }).refused === true;
}

/** The sentence of a refusal with its parameters put in. */
export function detailOf(refusal: Refusal): string {
  return errorSpec(refusal.code).detail.replace(/\{(\w+)\}/g, (_, name: string) => String(refusal.params[name] ?? '–'));
}

/** `LIMIT_EXCEEDED` → `limit-exceeded`: the name of the page that explains the code. */
export function slugOf(code: string): string {
  return code.toLowerCase().replaceAll('_', '-');
}

/** Carries a refusal through code that may throw: Nest controllers and stores, never the request path. */
export class RefusalError extends Error {
  constructor(
    readonly refusal: Refusal,
    /** Places in the document that caused it, as JSON Pointers (RFC 6901). */
    readonly errors: readonly Violation[] = [],
  ) {
    super(`${refusal.code}: ${detailOf(refusal)}`);
    this.name = 'RefusalError';
  }
}

/** One place in a document that breaks its schema. */
export interface Violation {
  /** JSON Pointer into the document. */
  readonly pointer: string;
  readonly code: string;
  readonly detail: string;
}
