import type { Principal, Refusal } from '@sallyport/contracts';

/** What a caller presents, taken from the canonical request exactly once. */
export interface Presented {
  readonly kind: 'bearer' | 'api-key';
  readonly value: string;
  readonly method: string;
  /** Canonical public URL of the request, without the query. */
  readonly url: string;
  /** The audience the route demands of a token. */
  readonly resource: string;
  /** Names of the trust entries the route accepts; empty: every entry of the tenant. */
  readonly trust: readonly string[];
  /** The tenant that owns the route: a credential of another tenant is refused. */
  readonly tenant: string;
}

export type VerifierOutcome = Principal | Refusal;

/**
 * Says who is calling. A cached answer calls `done` before `verify` returns: no promise, no async context.
 * Implemented by the engine (`LocalVerifier`) and by the client of the auth service (`RemoteVerifier`).
 */
export interface Verifier {
  verify(presented: Presented, done: (outcome: VerifierOutcome) => void): void;
}
