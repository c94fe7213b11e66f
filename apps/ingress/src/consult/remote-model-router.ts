import {
  aiV1,
  refusalFromWire,
  writePrincipal,
  type Principal,
  type Refusal,
  type WireReader,
  type WireWriter,
} from '@sallyport/contracts';
import type { Lease, ModelRouter, Planned, PlanQuestion } from '@sallyport/ai';
import type { Closable } from '@sallyport/platform';
import { Consult, type Silence } from './consult';
import { DecideClient, type ConsultRuntime } from './decide-client';

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
  private readonly client: DecideClient;
  private readonly budgetMs: number;
  private readonly leases = new Map<string, Lease>();

  constructor(private readonly options: RemoteModelRouterOptions) {
    this.budgetMs = options.budgetMs ?? 50;
    this.client = new DecideClient({
      service: 'ai-router',
      target: options.target,
      runtime: options.runtime,
      budgetMs: this.budgetMs,
      protocol: {
        path: aiV1.RoutingServiceService.decide.path,
        probe: writeProbe,
        beside: (tag, reader) => {
          if (tag === LEASES) this.keep(aiV1.CredentialLease.decode(reader.view()));
          else reader.skip(tag);
        },
      },
    });
  }

  state(): 'up' | 'down' {
    return this.client.state();
  }

  plan(question: PlanQuestion, done: (outcome: Planned | Refusal | Silence) => void): void {
    const consult = new PlanConsult(this, done);
    const silence = this.client.begin(consult, this.budgetMs);
    if (silence) return done(silence);
    this.client.send(consult, writePlan, question, undefined);
  }

  /** @returns false when no router could be told. */
  settle(settlement: aiV1.Settlement): boolean {
    return this.client.tell(writeSettlement, settlement);
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

/** Field of `DecideBatchReply`. */
const LEASES = 0x12;

function writePlan(writer: WireWriter, id: number, question: PlanQuestion): void {
  const ask = writer.open(0x0a);
  writer.present(0x08, id);
  const plan = writer.open(0x12);
  writer.text(0x0a, question.requestId);
  writer.text(0x12, question.tenant);
  writePrincipal(writer, 0x1a, question.principal);
  writer.uint(0x28, aiV1.Dialect.DIALECT_OPENAI_CHAT);
  writer.uint(0x30, aiV1.Operation.OPERATION_CHAT);
  writer.text(0x3a, question.model);
  writer.flag(0x40, question.stream);
  writer.uint(0x48, question.inputBytes);
  writer.uint(0x58, question.maxOutputTokens);
  writer.close(plan);
  writer.close(ask);
}

function writeSettlement(writer: WireWriter, _: number, settlement: aiV1.Settlement): void {
  const ask = writer.open(0x0a);
  writer.message(0x1a, aiV1.Settlement.encode(settlement).finish());
  writer.close(ask);
}

/** A plan for nobody is refused as malformed, whatever the models are. */
function writeProbe(writer: WireWriter, id: number): void {
  const ask = writer.open(0x0a);
  writer.present(0x08, id);
  writer.close(writer.open(0x12));
  writer.close(ask);
}

class PlanConsult extends Consult {
  constructor(
    private readonly router: RemoteModelRouter,
    private readonly done: (outcome: Planned | Refusal | Silence) => void,
  ) {
    super();
  }

  answered(reader: WireReader, end: number): void {
    const { body, reason } = aiV1.Answer.decode(reader.upTo(end));
    this.stream!.end(this);
    if (body?.$case === 'refused') return this.done(refusalFromWire(body.value, reason));
    if (body?.$case === 'plan') return this.done({ plan: body.value, lease: (id) => this.router.lease(id) });
    this.done('down');
  }

  unanswered(why: Silence): void {
    this.done(why);
  }
}
