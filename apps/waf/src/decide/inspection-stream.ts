import type { AnswerHeadShown, InspectionOpening, InspectionTaker, MalformedShown } from '@sallyport/contracts';
import { lastPointOf, type Inspection, type InspectionAnswer, type Inspector } from '@sallyport/waf';

/** As many as an ingress may have in flight at one service. */
const MAX_OPEN = 4_096;

/**
 * The exchanges of one `Decide` stream. Each is held from its opening to its last answer, and none longer than the
 * stream: a peer that goes away leaves nothing behind. A step of an exchange that is over is no error: it crossed with
 * the answer.
 */
export class InspectionStream implements InspectionTaker {
  private readonly exchanges = new Map<number, Inspection>();

  /** @param send gives an answer; undefined tells that nobody looked, which is never a pass in our name. */
  constructor(
    private readonly inspector: Inspector,
    private readonly send: (exchange: number, answer: InspectionAnswer | undefined) => void,
    private readonly maxOpen = MAX_OPEN,
  ) {}

  /** Exchanges that wait for more of their body, or for their answer. */
  get size(): number {
    return this.exchanges.size;
  }

  open(exchange: number, opening: InspectionOpening | undefined): void {
    if (this.exchanges.size > 0) this.end(exchange, 'superseded');
    if (!opening || this.exchanges.size >= this.maxOpen) return this.send(exchange, undefined);
    const lastPoint = lastPointOf(opening);
    let last = false;
    const inspection = this.inspector.open(opening, (answer) => {
      last ||= answer.verdict === 'refuse' || answer.point === lastPoint;
      if (last) this.exchanges.delete(exchange);
      this.send(exchange, answer);
    });
    if (!last) this.exchanges.set(exchange, inspection);
  }

  body(exchange: number, chunk: Buffer): void {
    this.exchanges.get(exchange)?.body(chunk);
  }

  bodyEnd(exchange: number): void {
    this.exchanges.get(exchange)?.bodyEnd();
  }

  responseHead(exchange: number, head: AnswerHeadShown): void {
    this.exchanges.get(exchange)?.response(head);
  }

  responseBody(exchange: number, chunk: Buffer): void {
    this.exchanges.get(exchange)?.responseBody(chunk);
  }

  responseEnd(exchange: number): void {
    this.exchanges.get(exchange)?.responseEnd();
  }

  malformed(exchange: number, shown: MalformedShown): void {
    this.end(exchange, 'superseded');
    this.inspector.malformed(shown, (answer) => this.send(exchange, answer));
  }

  close(exchange: number, outcome: string): void {
    this.end(exchange, outcome);
  }

  /** A step this build does not know is a part of the request nobody looks at. */
  unknown(exchange: number): void {
    this.end(exchange, 'unknown_step');
    this.send(exchange, undefined);
  }

  /** The stream is gone, and its exchanges with it. */
  closeAll(): void {
    for (const exchange of [...this.exchanges.keys()]) this.end(exchange, 'stream_lost');
  }

  private end(exchange: number, outcome: string): void {
    this.exchanges.get(exchange)?.close(outcome);
    this.exchanges.delete(exchange);
  }
}
