import {
  readInspected,
  wafV1,
  writeBody,
  writeBodyEnd,
  writeClose,
  writeMalformed,
  writeOpen,
  writeResponseBody,
  writeResponseEnd,
  writeResponseHead,
  type WireReader,
  type WireWriter,
} from '@sallyport/contracts';
import type { Closable } from '@sallyport/platform';
import {
  lastPointOf,
  type Inspection,
  type InspectionAnswer,
  type InspectionHead,
  type MalformedRequest,
  type ResponseHead,
} from '@sallyport/waf';
import { Consult, type Silence } from './consult';
import { DecideClient, type ConsultRuntime } from './decide-client';

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

/** An inspection whose body may have to wait, because the service reads more slowly than the client sends. */
export interface PausableInspection extends Inspection {
  /** Whether the client should send nothing more before `whenFlowing`. */
  readonly clogged: boolean;
  /** Runs once when the service reads again, or is gone. */
  whenFlowing(go: () => void): void;
}

const CHUNK_BYTES = 64 * 1024;

/** Asks the waf service: an exchange is opened, fed and closed on one stream. */
export class RemoteInspector implements Closable {
  readonly client: DecideClient;
  private readonly budget: InspectionBudget;

  constructor({ target, runtime, budget = { baseMs: 30, perKibMs: 2, capMs: 500 } }: RemoteInspectorOptions) {
    this.budget = budget;
    this.client = new DecideClient({
      service: 'waf',
      target,
      runtime,
      budgetMs: budget.baseMs,
      protocol: { path: wafV1.InspectionServiceService.decide.path, probe: writeProbe },
    });
  }

  state(): 'up' | 'down' {
    return this.client.state();
  }

  /** @param answer hears the answers, or once and last why none comes. */
  open(head: InspectionHead, answer: (answer: InspectionAnswer | Silence) => void): PausableInspection {
    const exchange = new RemoteInspection(this, lastPointOf(head), answer);
    const silence = this.client.begin(exchange, this.budget.baseMs);
    if (silence) exchange.unanswered(silence);
    else exchange.open(head);
    return exchange;
  }

  /** @param answer hears the answer, or why none comes. */
  malformed(request: MalformedRequest, answer: (answer: InspectionAnswer | Silence) => void): void {
    const exchange = new RemoteInspection(this, 'malformed', answer);
    const silence = this.client.begin(exchange, this.allowance(request.packet.length));
    if (silence) exchange.unanswered(silence);
    else this.client.send(exchange, writeBroken, request, undefined);
  }

  allowance(bytes: number): number {
    const { baseMs, perKibMs, capMs } = this.budget;
    return Math.min(capMs, baseMs + perKibMs * Math.ceil(bytes / 1024));
  }

  close(): Promise<void> {
    return this.client.close();
  }
}

/** A question without a step is answered: nobody looked. */
function writeProbe(writer: WireWriter, id: number): void {
  const ask = writer.open(0x0a);
  writer.present(0x08, id);
  writer.close(ask);
}

const writeOpening = (writer: WireWriter, id: number, head: InspectionHead): void => writeOpen(writer, id, head);
const writePart = (writer: WireWriter, id: number, part: Uint8Array): void => writeBody(writer, id, part);
const writeAnswerHead = (writer: WireWriter, id: number, head: ResponseHead): void =>
  writeResponseHead(writer, id, head);
const writeAnswerPart = (writer: WireWriter, id: number, part: Uint8Array): void => writeResponseBody(writer, id, part);
const writeBroken = (writer: WireWriter, id: number, request: MalformedRequest): void =>
  writeMalformed(writer, id, request);
const writeOutcome = (writer: WireWriter, id: number, outcome: string): void => writeClose(writer, id, outcome);

class RemoteInspection extends Consult implements PausableInspection {
  private session: object | undefined;
  private sent = 0;
  /** Nothing more is looked at: refused, over, or nobody there. */
  private finished = false;
  /** Of which body nothing more is looked at. */
  private readonly enough = { request: false, response: false };
  private closed = false;

  constructor(
    private readonly inspector: RemoteInspector,
    private readonly lastPoint: InspectionAnswer['point'],
    private readonly answer: (answer: InspectionAnswer | Silence) => void,
  ) {
    super();
  }

  get clogged(): boolean {
    return !this.finished && this.stream!.isClogged;
  }

  whenFlowing(go: () => void): void {
    this.stream!.whenUnclogged(go);
  }

  open(head: InspectionHead): void {
    this.session = this.stream!.session;
    this.inspector.client.send(this, writeOpening, head, undefined);
  }

  body(chunk: Uint8Array): boolean {
    return this.feed(chunk, writePart, 'request');
  }

  bodyEnd(): void {
    if (this.finished) return;
    this.inspector.client.send(this, writeBodyEnd, undefined, undefined, true);
    this.owed();
  }

  response(head: ResponseHead): void {
    if (this.finished) return;
    this.sent = 0;
    this.inspector.client.send(this, writeAnswerHead, head, undefined, true);
    this.owed();
  }

  responseBody(chunk: Uint8Array): boolean {
    return this.feed(chunk, writeAnswerPart, 'response');
  }

  responseEnd(): void {
    if (this.finished) return;
    this.inspector.client.send(this, writeResponseEnd, undefined, undefined, true);
    this.owed();
  }

  /** @returns whether more of that body is looked at. */
  private feed(chunk: Uint8Array, write: typeof writePart, body: 'request' | 'response'): boolean {
    const wanted = (): boolean => !this.finished && !this.enough[body];
    for (let at = 0; at < chunk.length && wanted(); at += CHUNK_BYTES) {
      const part = chunk.subarray(at, at + CHUNK_BYTES);
      this.sent += part.length;
      this.inspector.client.send(this, write, part, undefined, true);
    }
    return wanted();
  }

  /** An answer is due from now on, in a time that what was sent allows. */
  private owed(): void {
    if (!this.finished) this.stream!.due(this, this.inspector.allowance(this.sent));
  }

  close(outcome: string): void {
    if (this.closed) return;
    this.closed = true;
    // The service holds nothing of an exchange it has answered to the end.
    if (this.finished) return;
    const { stream } = this;
    // On another connection the id means nothing, or somebody else's exchange.
    if (stream?.session === this.session) stream?.send(writeOutcome, this.id, outcome, undefined);
    this.finish();
  }

  answered(reader: WireReader, end: number): void {
    const said = readInspected(reader, end);
    if (!said) {
      this.finish();
      return this.unanswered('down');
    }
    const { point, verdict, enough } = said;
    if (verdict === 'refuse' || point === this.lastPoint) this.finish();
    // Until the body has ended no answer is owed, however long the client or the upstream takes to send it.
    else this.stream!.heard(this);
    this.enough[point === 'response-head' ? 'response' : 'request'] ||= enough;
    this.answer(said as InspectionAnswer);
  }

  unanswered(why: Silence): void {
    // It may be at work on what nobody waits for any more.
    if (why === 'slow') this.stream?.send(writeOutcome, this.id, 'gave_up', undefined);
    this.finished = true;
    if (!this.closed) this.answer(why);
  }

  private finish(): void {
    this.finished = true;
    this.stream?.end(this);
  }
}
