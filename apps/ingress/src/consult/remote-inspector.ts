import { refusalFromWire, requestHeadToWire, wafV1 } from '@sallyport/contracts';
import type { Closable } from '@sallyport/platform';
import type { Hit, Inspection, InspectionAnswer, InspectionHead } from '@sallyport/waf';
import { Consult, type Silence } from './consult';
import { DecideClient, type ConsultRuntime } from './decide-client';

type Ask = wafV1.Ask;
type Answer = wafV1.Answer;

/** How long an answer may take: so much from the last byte sent, more for each KiB sent, and never more than the cap. */
export interface InspectionBudget {
  readonly baseMs: number;
  readonly perKibMs: number;
  readonly capMs: number;
}

export interface RemoteInspectorOptions {
  readonly target: string;
  readonly runtime: ConsultRuntime;
  /** Default 30 ms + 2 ms per KiB, at most 500 ms. */
  readonly budget?: InspectionBudget;
}

const CHUNK_BYTES = 64 * 1024;

/** Asks the waf service: an exchange is opened, fed and closed on one stream. */
export class RemoteInspector implements Closable {
  readonly client: DecideClient<Ask, Answer>;
  private readonly budget: InspectionBudget;

  constructor({ target, runtime, budget = { baseMs: 30, perKibMs: 2, capMs: 500 } }: RemoteInspectorOptions) {
    this.budget = budget;
    this.client = new DecideClient<Ask, Answer>({
      service: 'waf',
      target,
      runtime,
      protocol: {
        method: wafV1.InspectionServiceService.decide,
        batch: (asks: Ask[]): wafV1.DecideBatch => ({ asks }),
        answers: (reply: wafV1.DecideBatchReply) => reply.answers,
        idOf: (answer) => answer.exchange,
      },
    });
  }

  state(): 'up' | 'down' {
    return this.client.state();
  }

  /** @param answer hears the answers, or once and last why none comes. */
  open(head: InspectionHead, answer: (answer: InspectionAnswer | Silence) => void): Inspection {
    const exchange = new RemoteInspection(this, head.head.hasBody, answer);
    const silence = this.client.begin(exchange, this.allowance(0));
    if (silence) exchange.unanswered(silence);
    else exchange.open(head);
    return exchange;
  }

  allowance(bytes: number): number {
    const { baseMs, perKibMs, capMs } = this.budget;
    return Math.min(capMs, baseMs + perKibMs * Math.ceil(bytes / 1024));
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

class RemoteInspection extends Consult<Ask, Answer> implements Inspection {
  private session: object | undefined;
  private sent = 0;
  /** Nothing more is looked at: refused, enough, over, or nobody there. */
  private finished = false;
  private enough = false;
  private closed = false;

  constructor(
    private readonly inspector: RemoteInspector,
    private readonly hasBody: boolean,
    private readonly answer: (answer: InspectionAnswer | Silence) => void,
  ) {
    super();
  }

  open({ head, plan, tenant, requestId }: InspectionHead): void {
    this.session = this.stream!.session;
    const wire = requestHeadToWire(head);
    const bytes =
      256 +
      head.rawTarget.length * 2 +
      head.fields.reduce((sum, { name, value }) => sum + name.length + value.length + 8, 0);
    this.send({ $case: 'open', value: { head: wire, plan, tenant, requestId } }, bytes);
  }

  body(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length && !this.finished && !this.enough; at += CHUNK_BYTES) {
      const part = chunk.subarray(at, at + CHUNK_BYTES);
      this.sent += part.length;
      this.send({ $case: 'body', value: Buffer.from(part.buffer, part.byteOffset, part.byteLength) }, part.length + 16);
    }
    return !this.finished && !this.enough;
  }

  bodyEnd(): void {
    if (this.finished) return;
    this.send({ $case: 'bodyEnd', value: {} }, 16);
    if (!this.finished) this.inspector.client.due(this, this.inspector.allowance(this.sent));
  }

  close(outcome: string): void {
    if (this.closed) return;
    this.closed = true;
    const { stream } = this;
    // On another connection the id means nothing, or somebody else's exchange.
    if (stream && stream.up && stream.session === this.session) {
      stream.send({ exchange: this.id, step: { $case: 'close', value: { outcome } } }, 32);
    }
    this.finish(false);
  }

  answered(wire: Answer): void {
    const atHead = wire.point === wafV1.Point.POINT_REQUEST_HEAD;
    const verdict = verdicts[wire.verdict];
    if (!verdict) {
      this.finish(false);
      return this.unanswered('down');
    }
    const last = verdict === 'refuse' || !atHead || !this.hasBody;
    if (last) this.finish(true);
    // Until the body has ended no answer is owed, however long the client takes to send it.
    else this.expires = 0;
    this.enough ||= wire.enough;
    this.answer({
      point: atHead ? 'request-head' : 'request-body',
      verdict,
      ...(verdict === 'refuse' && {
        refusal: refusalFromWire(wire.refused ?? { code: '', params: {}, retryAfterMs: 0 }),
      }),
      hits: wire.hits as readonly Hit[],
      enough: wire.enough,
    });
  }

  unanswered(why: Silence): void {
    this.finished = true;
    if (!this.closed) this.answer(why);
  }

  private send(step: NonNullable<Ask['step']>, bytes: number): void {
    this.inspector.client.send(this, { exchange: this.id, step }, bytes);
  }

  private finish(answered: boolean): void {
    this.finished = true;
    this.stream?.end(this, answered);
  }
}

const verdicts: Readonly<Record<number, InspectionAnswer['verdict'] | undefined>> = {
  [wafV1.Verdict.VERDICT_PASS]: 'pass',
  [wafV1.Verdict.VERDICT_FLAG]: 'flag',
  [wafV1.Verdict.VERDICT_REFUSE]: 'refuse',
};
