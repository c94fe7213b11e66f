import { hash } from 'node:crypto';
import { authV1, principalFromWire, refusalFromWire, type RouteClass } from '@sallyport/contracts';
import type { Presented, VerifierOutcome } from '@sallyport/identity';
import type { Closable } from '@sallyport/platform';
import { Consult, type Silence } from './consult';
import { DecideClient, type ConsultRuntime } from './decide-client';

type Ask = authV1.Ask;
type Answer = authV1.Answer;

export interface RemoteVerifierOptions {
  readonly target: string;
  readonly runtime: ConsultRuntime;
  /** Default 50 ms. */
  readonly budgetMs?: number;
}

/** Credentials one peer is expected to remember; then it is told them anew. */
const REMEMBERED = 50_000;

const kinds: Readonly<Record<Presented['kind'], authV1.CredentialKind>> = {
  bearer: authV1.CredentialKind.CREDENTIAL_KIND_BEARER,
  'api-key': authV1.CredentialKind.CREDENTIAL_KIND_API_KEY,
};

const classes: Readonly<Record<RouteClass, authV1.RouteClass>> = {
  public: authV1.RouteClass.ROUTE_CLASS_PUBLIC,
  regulated: authV1.RouteClass.ROUTE_CLASS_REGULATED,
  internal: authV1.RouteClass.ROUTE_CLASS_INTERNAL,
};

/** Asks the auth service. A credential travels in full once per stream, later only as its digest. */
export class RemoteVerifier implements Closable {
  private readonly client: DecideClient<Ask, Answer>;
  private readonly budgetMs: number;
  private readonly told = new WeakMap<object, Set<string>>();

  constructor({ target, runtime, budgetMs = 50 }: RemoteVerifierOptions) {
    this.budgetMs = budgetMs;
    this.client = new DecideClient<Ask, Answer>({
      service: 'auth',
      target,
      runtime,
      protocol: {
        method: authV1.VerificationServiceService.decide,
        batch: (asks: Ask[]): authV1.DecideBatch => ({ asks }),
        answers: (reply: authV1.DecideBatchReply) => reply.answers,
        idOf: (answer) => answer.id,
      },
    });
  }

  state(): 'up' | 'down' {
    return this.client.state();
  }

  verify(presented: Presented, done: (outcome: VerifierOutcome | Silence) => void): void {
    const digest = hash('sha256', presented.value, 'buffer');
    const consult = new VerifyConsult(this, presented, digest, done);
    const silence = this.client.begin(consult, this.budgetMs);
    if (silence) return done(silence);
    this.ask(consult, !this.toldTo(consult).has(consult.key));
  }

  /** @param inFull send the credential itself beside its digest. */
  ask(consult: VerifyConsult, inFull: boolean): void {
    const { presented, digest } = consult;
    consult.inFull = inFull;
    const verify: authV1.VerifyRequest = {
      kind: kinds[presented.kind],
      digest,
      value: inFull ? presented.value : '',
      method: presented.method,
      url: presented.url,
      resource: presented.resource,
      trust: presented.trust as string[], // only read
      tenant: presented.tenant,
      routeClass: classes[presented.class],
      service: presented.service,
      clientAddress: presented.clientAddress,
    };
    this.client.send(consult, { id: consult.id, verify }, 256 + verify.value.length + verify.url.length);
  }

  /** Only what was accepted is remembered: a flood of made-up credentials must not push out the real ones. */
  accepted(consult: VerifyConsult): void {
    const told = this.toldTo(consult);
    if (told.size >= REMEMBERED) told.clear();
    told.add(consult.key);
  }

  close(): Promise<void> {
    return this.client.close();
  }

  private toldTo({ stream }: VerifyConsult): Set<string> {
    const { session } = stream!;
    let told = this.told.get(session);
    if (!told) this.told.set(session, (told = new Set()));
    return told;
  }
}

class VerifyConsult extends Consult<Ask, Answer> {
  readonly key: string;
  inFull = false;

  constructor(
    private readonly verifier: RemoteVerifier,
    readonly presented: Presented,
    readonly digest: Buffer,
    private readonly done: (outcome: VerifierOutcome | Silence) => void,
  ) {
    super();
    this.key = digest.toString('latin1');
  }

  answered({ reply }: Answer): void {
    const body = reply?.body;
    // The peer forgot, or never kept, what the digest stands for. Asked in full it cannot say so again.
    if (body?.$case === 'unknownDigest' && !this.inFull) return this.verifier.ask(this, true);
    if (body?.$case === 'principal' && this.inFull) this.verifier.accepted(this);
    this.stream!.end(this);
    if (body?.$case === 'principal') return this.done(principalFromWire(body.value));
    if (body?.$case === 'refused') return this.done(refusalFromWire(body.value, reply!.reason));
    this.done('down');
  }

  unanswered(why: Silence): void {
    this.done(why);
  }
}
