import { requestHeadFromWire, type wafV1 } from '@sallyport/contracts';
import type { Inspection, InspectionAnswer, Inspector } from '@sallyport/waf';
import { answerToWire, notInspected } from './answers';

/** As many as an ingress may have in flight at one service. */
const MAX_OPEN = 4_096;

/**
 * The exchanges of one `Decide` stream. Each is held from its opening to its last answer, and none longer than the
 * stream: a peer that goes away leaves nothing behind.
 */
export class InspectionStream {
  private readonly open = new Map<number, Inspection>();

  constructor(
    private readonly inspector: Inspector,
    private readonly send: (answer: wafV1.Answer) => void,
    private readonly maxOpen = MAX_OPEN,
  ) {}

  /** Exchanges that wait for more of their body. */
  get size(): number {
    return this.open.size;
  }

  /** Takes one step. A step of an exchange that is over is no error: it crossed with the answer. */
  take({ exchange, step }: wafV1.Ask): void {
    switch (step?.$case) {
      case 'open':
        return this.begin(exchange, step.value);
      case 'body':
        return void this.open.get(exchange)?.body(step.value);
      case 'bodyEnd':
        return this.open.get(exchange)?.bodyEnd();
      case 'close':
        return this.end(exchange, step.value.outcome);
      default:
        // A step this build does not know is a part of the request nobody looks at.
        this.end(exchange, 'unknown_step');
        return this.send(notInspected(exchange));
    }
  }

  /** The stream is gone, and its exchanges with it. */
  close(): void {
    for (const exchange of [...this.open.keys()]) this.end(exchange, 'stream_lost');
  }

  private begin(exchange: number, { head, plan, tenant, requestId }: wafV1.Open): void {
    this.end(exchange, 'superseded');
    if (!head || this.open.size >= this.maxOpen) return this.send(notInspected(exchange));
    const request = requestHeadFromWire(head);
    let last = false;
    const inspection = this.inspector.open({ head: request, plan, tenant, requestId }, (answer) => {
      last ||= isLast(answer, request.hasBody);
      if (last) this.open.delete(exchange);
      this.send(answerToWire(exchange, answer));
    });
    if (!last) this.open.set(exchange, inspection);
  }

  private end(exchange: number, outcome: string): void {
    this.open.get(exchange)?.close(outcome);
    this.open.delete(exchange);
  }
}

function isLast({ point, verdict }: InspectionAnswer, hasBody: boolean): boolean {
  return verdict === 'refuse' || point === 'request-body' || !hasBody;
}
