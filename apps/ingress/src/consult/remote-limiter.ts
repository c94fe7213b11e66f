import { limitsV1 } from '@sallyport/contracts';
import type { Charge, Spending } from '@sallyport/limits';
import type { Closable } from '@sallyport/platform';
import { Consult, type Silence } from './consult';
import { DecideClient, type ConsultRuntime } from './decide-client';

type Ask = limitsV1.Ask;
type Answer = limitsV1.Answer;

export interface RemoteLimiterOptions {
  readonly target: string;
  /** Name of this process: the service counts live ones by it. */
  readonly node: string;
  readonly runtime: ConsultRuntime;
  /** Default 5 ms. */
  readonly budgetMs?: number;
}

/** Asks the rate-limit service. */
export class RemoteLimiter implements Closable {
  private readonly client: DecideClient<Ask, Answer>;
  private readonly budgetMs: number;
  private live = 1;

  constructor({ target, node, runtime, budgetMs = 5 }: RemoteLimiterOptions) {
    this.budgetMs = budgetMs;
    this.client = new DecideClient<Ask, Answer>({
      service: 'rate-limit',
      target,
      runtime,
      protocol: {
        method: limitsV1.LimitServiceService.decide,
        batch: (asks: Ask[]): limitsV1.DecideBatch => ({ node, asks }),
        answers: (reply: limitsV1.DecideBatchReply) => reply.answers,
        idOf: (answer) => answer.id,
        onReply: (reply: limitsV1.DecideBatchReply) => {
          if (reply.liveNodes > 0) this.live = reply.liveNodes;
        },
        greets: true,
      },
    });
  }

  /** Ingress processes the service knew of when it last spoke: what a share is divided by while it is away. */
  get liveNodes(): number {
    return this.live;
  }

  state(): 'up' | 'down' {
    return this.client.state();
  }

  spend(tenant: string, charges: readonly Charge[], done: (outcome: Spending | Silence) => void): void {
    const consult = new SpendConsult(done);
    const silence = this.client.begin(consult, this.budgetMs);
    if (silence) return done(silence);
    // The generated type asks for an array that may be written; it is only read.
    this.client.send(
      consult,
      { id: consult.id, spend: { tenant, charges: charges as Charge[] } },
      64 + charges.length * 96,
    );
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

class SpendConsult extends Consult<Ask, Answer> {
  constructor(private readonly done: (outcome: Spending | Silence) => void) {
    super();
  }

  answered({ reply }: Answer): void {
    this.stream!.end(this);
    this.done(reply ?? 'down');
  }

  unanswered(why: Silence): void {
    this.done(why);
  }
}
