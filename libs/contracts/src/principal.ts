/** Who is calling, as a Verifier established it. Frozen, and shared between requests. */
export interface Principal {
  readonly tenant: string;
  /** The person or machine the credential speaks for. */
  readonly subject: string;
  /** The OAuth client or application that presents the credential. */
  readonly client: string;
  /** The consumer whose quotas and grants count. */
  readonly consumer: string;
  /** Delegation chain, outermost first (RFC 8693 §4.1). */
  readonly actors: readonly string[];
  readonly scopes: ReadonlySet<string>;
  readonly roles: readonly string[];
  /** The credential's public id: kid or jti, never the credential. */
  readonly credential: { readonly kind: string; readonly id: string };
  /** Milliseconds since the epoch: verify again after this moment. */
  readonly until: number;
  /** Virtual models the credential may call; `*` is every model. */
  readonly models: readonly string[];
  /** Rates the credential itself carries, beside those of the route. */
  readonly quotas: readonly Quota[];
}

export interface Quota {
  readonly name: string;
  readonly limit: number;
  readonly windowSeconds: number;
}
