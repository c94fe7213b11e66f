import type { Principal, Refusal, RouteClass } from '@sallyport/contracts';

/** What a caller presents, taken from the canonical request exactly once, and where it was presented. */
export interface Presented {
  readonly kind: 'bearer' | 'api-key';
  readonly value: string;
  readonly method: string;
  /** Canonical public URL of the request, without the query. */
  readonly url: string;
  /**
   * The audience the route demands of a token, beside being one that the trust entry lists.
   * Empty: the list of the trust entry alone decides.
   */
  readonly resource: string;
  /** Names of the trust entries the route accepts; empty: every entry of the tenant. */
  readonly trust: readonly string[];
  /** The tenant that owns the route: a credential of another tenant is refused. */
  readonly tenant: string;
  /** Class of the route: how stale the list of keys may be before the answer is AUTH_STATUS_UNKNOWN. */
  readonly class: RouteClass;
  /**
   * Name of the service the route belongs to, held against the services of an API key.
   * Empty where there is none: the model endpoints, which the key's `models` govern.
   */
  readonly service: string;
  /** Address of the caller as the canonical request has it, held against the ranges of an API key. */
  readonly clientAddress: string;
}

export type VerifierOutcome = Principal | Refusal;

/**
 * Says who is calling. A cached answer calls `done` before `verify` returns: no promise, no async context.
 * Implemented by the engine (`LocalVerifier`) and by the client of the auth service (`RemoteVerifier`).
 *
 * The verifier alone decides tenant, service and address range, on every call and at either distance; none of them
 * is part of what is cached. The scopes a route demands and the kinds it takes stay with the route.
 */
export interface Verifier {
  verify(presented: Presented, done: (outcome: VerifierOutcome) => void): void;
}
