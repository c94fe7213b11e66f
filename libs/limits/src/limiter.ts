/** One thing to be counted against one limit. */
export interface Charge {
  /** Name shown in RateLimit-Policy. */
  readonly policy: string;
  /** What is counted: tenant, route and consumer, or address, joined by the policy that makes the charge. */
  readonly key: string;
  /** Requests in a window. */
  readonly limit: number;
  readonly windowSeconds: number;
  /** How many may come at once; the limit itself unless a policy says less. */
  readonly burst: number;
  readonly cost: number;
  /** What a cost of 1 is; requests unless it says otherwise. */
  readonly unit?: 'content-bytes';
}

/** Where one charge stands after the decision. */
export interface Standing {
  readonly policy: string;
  readonly limit: number;
  readonly windowSeconds: number;
  /** Whole requests left now. */
  readonly remaining: number;
  /** Milliseconds until the bucket is full again. */
  readonly resetMs: number;
  /** Milliseconds after which the same charge passes; 0 when it had room. */
  readonly retryAfterMs: number;
  readonly unit?: 'content-bytes';
}

export interface Spending {
  readonly allowed: boolean;
  /** One per charge, in the order of the charges. */
  readonly standings: readonly Standing[];
}

/**
 * Says whether there is room for one more: all charges are taken, or none.
 * `done` may be called before `spend` returns. Implemented by the engine and by the client of the rate-limit service.
 */
export interface Limiter {
  spend(tenant: string, charges: readonly Charge[], done: (spending: Spending) => void): void;
}
