import { aiV1, principalToWire, refusalFromWire, type Principal, type Refusal } from '@sallyport/contracts';
import type { Lease, ModelRouter, Planned, PlanQuestion } from '@sallyport/ai';
import type { Closable } from '@sallyport/platform';
import { Consult, type Silence } from './consult';
import { DecideClient, type ConsultRuntime } from './decide-client';

type Ask = aiV1.Ask;
type Answer = aiV1.Answer;

export interface RemoteModelRouterOptions {
  readonly target: string;
  readonly runtime: ConsultRuntime;
  /** Virtual models a caller may use, from the snapshot this process runs on. */
  readonly models: ModelRouter['models'];
  /** Default 50 ms. */
  readonly budgetMs?: number;
}

/** A credential is never held longer than this, whatever the router says of it. */
const LONGEST_LEASE_MS = 5 * 60_000;

/** Asks the ai-router. Credentials it leases stay in the memory of this object and nowhere else. */
export class RemoteModelRouter implements Closable {
  private readonly client: DecideClient<Ask, Answer>;
  private readonly leases = new Map<string, Lease>();

  constructor(private readonly options: RemoteModelRouterOptions) {
    this.client = new DecideClient<Ask, Answer>({
      service: 'ai-router',
      target: options.target,
      runtime: options.runtime,
      protocol: {
        method: aiV1.RoutingServiceService.decide,
        batch: (asks: Ask[]): aiV1.DecideBatch => ({ asks }),
        answers: (reply: aiV1.DecideBatchReply) => reply.answers,
        idOf: (answer) => answer.id,
        onReply: (reply: aiV1.DecideBatchReply) => reply.leases.forEach((lease) => this.keep(lease)),
      },
    });
  }

  state(): 'up' | 'down' {
    return this.client.state();
  }

  plan(question: PlanQuestion, done: (outcome: Planned | Refusal | Silence) => void): void {
    const consult = new PlanConsult(this, done);
    const silence = this.client.begin(consult, this.options.budgetMs ?? 50);
    if (silence) return done(silence);
    const { principal } = question;
    const plan: aiV1.PlanRequest = {
      requestId: question.requestId,
      tenant: question.tenant,
      principal: principalToWire(principal),
      routeId: '',
      dialect: aiV1.Dialect.DIALECT_OPENAI_CHAT,
      operation: aiV1.Operation.OPERATION_CHAT,
      model: question.model,
      stream: question.stream,
      inputBytes: question.inputBytes,
      maxOutputTokens: question.maxOutputTokens,
      revision: '',
    };
    const bytes = 512 + 32 * (principal.models.length + principal.scopes.size + principal.quotas.length);
    this.client.send(consult, { id: consult.id, body: { $case: 'plan', value: plan } }, bytes);
  }

  /** @returns false when no router could be told. */
  settle(settlement: aiV1.Settlement): boolean {
    return this.client.tell({ id: 0, body: { $case: 'settle', value: settlement } }, 512);
  }

  models(tenant: string, principal: Principal): readonly { readonly name: string }[] {
    return this.options.models(tenant, principal);
  }

  /** A credential while its lease holds; also for the local router that stands in. */
  lease(id: string): Lease | undefined {
    const lease = this.leases.get(id);
    if (!lease || lease.expiresAt > this.options.runtime.clock.now()) return lease;
    this.leases.delete(id);
    return undefined;
  }

  async close(): Promise<void> {
    this.leases.clear();
    await this.client.close();
  }

  private keep({ id, kind, secret, expiresAtMs }: aiV1.CredentialLease): void {
    const needsNone = kind === aiV1.AuthKind.AUTH_KIND_NONE;
    if (secret.length === 0 && !needsNone) {
      this.leases.delete(id);
      return;
    }
    const expiresAt = Math.min(Number(expiresAtMs), this.options.runtime.clock.now() + LONGEST_LEASE_MS);
    this.leases.set(id, { id, kind: needsNone ? 'none' : 'bearer', secret: secret.toString('utf8'), expiresAt });
  }
}

class PlanConsult extends Consult<Ask, Answer> {
  constructor(
    private readonly router: RemoteModelRouter,
    private readonly done: (outcome: Planned | Refusal | Silence) => void,
  ) {
    super();
  }

  answered({ body }: Answer): void {
    this.stream!.end(this);
    if (body?.$case === 'refused') return this.done(refusalFromWire(body.value));
    if (body?.$case === 'plan') return this.done({ plan: body.value, lease: (id) => this.router.lease(id) });
    this.done('down');
  }

  unanswered(why: Silence): void {
    this.done(why);
  }
}
