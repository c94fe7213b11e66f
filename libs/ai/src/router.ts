import type { aiV1, Principal, Refusal } from '@sallyport/contracts';

/** What the ingress knows of a model call when it asks for a plan. */
export interface PlanQuestion {
  readonly requestId: string;
  readonly tenant: string;
  readonly principal: Principal;
  readonly model: string;
  readonly stream: boolean;
  readonly inputBytes: number;
  /** 0: the client set none. */
  readonly maxOutputTokens: number;
}

/** A credential for one provider account, in memory only. */
export interface Lease {
  readonly id: string;
  readonly kind: 'none' | 'bearer';
  readonly secret: string;
  readonly expiresAt: number;
}

export interface Planned {
  readonly plan: aiV1.RoutePlan;
  /** The lease of an attempt, by its credential id. */
  lease(id: string): Lease | undefined;
}

/**
 * Chooses targets and never touches content. `done` may be called before `plan` returns.
 * Implemented by the engine and by the client of the ai-router service.
 */
export interface ModelRouter {
  plan(question: PlanQuestion, done: (outcome: Planned | Refusal) => void): void;
  /** Tells how an attempt ended; fire and forget, feeds health and the ledger of the router. */
  settle(settlement: aiV1.Settlement): void;
  /** Virtual models this caller may use, for GET /v1/models. */
  models(tenant: string, principal: Principal): readonly { readonly name: string }[];
}
