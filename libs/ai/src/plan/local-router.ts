import { refuse, type aiV1, type Principal, type Refusal } from '@sallyport/contracts';
import type { Lease, ModelRouter, Planned, PlanQuestion } from '../router';
import { builtInModels, type CompiledModel, type ModelTable } from './compile';

/** Credentials as this process holds them: resolved by itself, or leased from the ai-router. */
export interface LeaseSource {
  /** @returns undefined when there is none, or it has run out. */
  lease(id: string): Lease | undefined;
}

export interface LocalRouterPorts {
  readonly leases: LeaseSource;
  /** Hears how attempts ended: health and metrics of the process that runs the router. */
  onSettled?(settlement: aiV1.Settlement): void;
}

/** Who asks for which model. */
export interface ModelQuestion extends Pick<PlanQuestion, 'tenant' | 'model'> {
  readonly principal: Pick<Principal, 'models'>;
}

/** The engine: answers from a compiled table, synchronously. */
export class LocalRouter implements ModelRouter {
  private table: ModelTable = builtInModels();

  constructor(private readonly ports: LocalRouterPorts) {}

  /** Swaps the table; requests under way keep the plans they have. */
  use(table: ModelTable): void {
    this.table = table;
  }

  get revision(): string {
    return this.table.revision;
  }

  plan(question: PlanQuestion, done: (outcome: Planned | Refusal) => void): void {
    done(this.decide(question));
  }

  settle(settlement: aiV1.Settlement): void {
    this.ports.onSettled?.(settlement);
  }

  models(tenant: string, principal: Principal): readonly { readonly name: string }[] {
    return this.table.list(tenant).filter(({ name }) => mayUse(principal, name));
  }

  /** Every model of a tenant, whoever may use it. */
  catalogue(tenant: string): readonly CompiledModel[] {
    return this.table.list(tenant);
  }

  /**
   * What would be done, without credentials; for people who ask why.
   * @returns the plan, or the refusal a caller with these grants would get.
   */
  explain(question: ModelQuestion & Pick<PlanQuestion, 'stream'>): aiV1.RoutePlan | Refusal {
    const model = this.find(question);
    return 'refused' in model ? model : planOf(model, question.stream);
  }

  private decide(question: PlanQuestion): Planned | Refusal {
    const model = this.find(question);
    if ('refused' in model) return model;
    const { leases } = this.ports;
    const plan = withoutMissing(planOf(model, question.stream), leases);
    if (plan.attempts.length === 0) return refuse('AI_CREDENTIAL_MISSING', { model: model.name });
    return { plan, lease: (id) => leases.lease(id) };
  }

  /** Whether a model exists is known only once there is a configuration. */
  private unknown(model: string): Refusal {
    if (this.table.complete) return refuse('AI_MODEL_UNKNOWN', { model });
    return refuse('AI_ROUTER_UNAVAILABLE', {}, { reason: 'no configuration yet' });
  }

  private find(question: ModelQuestion): CompiledModel | Refusal {
    const model = this.table.find(question.tenant, question.model);
    if (!model) return this.unknown(question.model);
    if (!mayUse(question.principal, model.name)) return refuse('AI_MODEL_FORBIDDEN', { model: model.name });
    return model;
  }
}

/** Grants are exact names, `family-*`, or `*`; nothing is granted by default. */
function mayUse(principal: Pick<Principal, 'models'>, model: string): boolean {
  return principal.models.some((grant) =>
    grant.endsWith('*') ? model.startsWith(grant.slice(0, -1)) : grant === model,
  );
}

function planOf(model: CompiledModel, stream: boolean): aiV1.RoutePlan {
  return stream ? model.streamed : model.plain;
}

/** Leaves out targets whose credential is not to be had, and says so. The common case costs nothing. */
function withoutMissing(plan: aiV1.RoutePlan, leases: LeaseSource): aiV1.RoutePlan {
  const missing = plan.attempts.filter(({ credential }) => credential !== '' && !leases.lease(credential));
  if (missing.length === 0) return plan;
  return {
    ...plan,
    attempts: plan.attempts.filter((attempt) => !missing.includes(attempt)),
    why: missing.map(({ provider, model }) => `skipped ${provider}/${model}: its credential is missing`),
  };
}
