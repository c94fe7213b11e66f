import { hash } from 'node:crypto';
import {
  authV1,
  isRefusal,
  PrincipalReader,
  readVerified,
  writeVerify,
  type WireReader,
  type WireWriter,
} from '@sallyport/contracts';
import type { Presented, VerifierOutcome } from '@sallyport/identity';
import type { Closable } from '@sallyport/platform';
import { Consult, type Silence } from './consult';
import { DecideClient, type ConsultRuntime } from './decide-client';

export interface RemoteVerifierOptions {
  readonly target: string;
  readonly runtime: ConsultRuntime;
  /** Default 50 ms. */
  readonly budgetMs?: number;
}

/** Credentials one peer is expected to remember; then it is told them anew. */
const REMEMBERED = 50_000;

/** Asks the auth service. A credential travels in full once per stream, later only as its digest. */
export class RemoteVerifier implements Closable {
  readonly principals = new PrincipalReader();
  private readonly client: DecideClient;
  private readonly budgetMs: number;
  private readonly told = new WeakMap<object, Set<string>>();

  constructor({ target, runtime, budgetMs = 50 }: RemoteVerifierOptions) {
    this.budgetMs = budgetMs;
    this.client = new DecideClient({
      service: 'auth',
      target,
      runtime,
      budgetMs,
      protocol: { path: authV1.VerificationServiceService.decide.path, probe: writeProbe },
    });
  }

  state(): 'up' | 'down' {
    return this.client.state();
  }

  verify(presented: Presented, done: (outcome: VerifierOutcome | Silence) => void): void {
    const digest = hash('sha256', presented.value, 'binary');
    const consult = new VerifyConsult(this, presented, digest, done);
    const silence = this.client.begin(consult, this.budgetMs);
    if (silence) return done(silence);
    this.ask(consult, !this.toldTo(consult).has(digest));
  }

  /** @param inFull send the credential itself beside its digest. */
  ask(consult: VerifyConsult, inFull: boolean): void {
    consult.inFull = inFull;
    this.client.send(consult, writeQuestion, consult, undefined);
  }

  /** Only what was accepted is remembered: a flood of made-up credentials must not push out the real ones. */
  accepted(consult: VerifyConsult): void {
    const told = this.toldTo(consult);
    if (told.size >= REMEMBERED) told.clear();
    told.add(consult.digest);
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

function writeQuestion(writer: WireWriter, id: number, { presented, digest, inFull }: VerifyConsult): void {
  writeVerify(writer, id, presented, digest, inFull ? presented.value : '');
}

/** A question without a kind of credential is refused as malformed, whatever the service knows. */
function writeProbe(writer: WireWriter, id: number): void {
  const ask = writer.open(0x0a);
  writer.present(0x08, id);
  writer.close(writer.open(0x12));
  writer.close(ask);
}

class VerifyConsult extends Consult {
  inFull = false;

  constructor(
    private readonly verifier: RemoteVerifier,
    readonly presented: Presented,
    /** SHA-256, one character a byte. */
    readonly digest: string,
    private readonly done: (outcome: VerifierOutcome | Silence) => void,
  ) {
    super();
  }

  answered(reader: WireReader, end: number): void {
    const outcome = readVerified(reader, end, this.verifier.principals);
    // The peer forgot, or never kept, what the digest stands for. Asked in full it cannot say so again.
    if (outcome === 'unknown' && !this.inFull) return this.verifier.ask(this, true);
    this.stream!.end(this);
    if (outcome === undefined || outcome === 'unknown') return this.done('down');
    if (this.inFull && !isRefusal(outcome)) this.verifier.accepted(this);
    this.done(outcome);
  }

  unanswered(why: Silence): void {
    this.done(why);
  }
}
