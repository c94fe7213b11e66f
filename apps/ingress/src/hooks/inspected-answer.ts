import type { ResponseInspection, InspectionAnswer } from '@sallyport/waf';
import { fieldValue, type RawFields } from '@sallyport/proxy';
import type { Exchange } from '../exchange';
import type { OpenInspection } from '../inspect';

/** Where an answer goes: the pipe of the route. */
export interface AnswerSink {
  head(status: number, fields: RawFields): void;
  /** @returns false when no more is wanted before the source is resumed. */
  data(chunk: Buffer): boolean;
  end(): void;
}

/** What an answer comes from, and can be told that there is room again. */
interface Source {
  resume(): void;
}

/**
 * Events are read as they come: the latest one waits for its verdict no longer than this, in milliseconds. An inspector in
 * this process has given it long before; one that is asked over a stream is given the time it is given for a head.
 */
const EVENT_HELD_MS = 30;

/**
 * Shows the answer of an upstream to the inspector on its way to the caller. Where answers are only watched, every byte goes
 * on at once and only the very end waits, so that the record of the request has what was found. Where they can be refused,
 * the head waits for its verdict, and the latest bytes are held back until those after them were shown: what is found in
 * them then never leaves. A hit in what is gone already ends the answer.
 */
export class InspectedAnswer implements AnswerSink {
  private source: Source | undefined;
  /** More of the body is asked for. */
  private wanting = true;
  /** It was said that nothing more will be said. */
  private judged = false;
  private headJudged = false;
  private ended = false;
  private endJudged = false;
  private isEvents = false;
  private readonly held: Buffer[] = [];
  private heldBytes = 0;
  private heldFor: NodeJS.Timeout | undefined;
  private heldHead: { readonly status: number; readonly fields: RawFields } | undefined;

  constructor(
    private readonly exchange: Exchange,
    private readonly open: OpenInspection,
    private readonly step: ResponseInspection,
    private readonly sink: AnswerSink,
  ) {
    open.onAnswer = (answer) => this.hear(answer);
    exchange.onClose(() => clearTimeout(this.heldFor));
  }

  feedFrom(source: Source): void {
    this.source = source;
  }

  /** @param given the fields as the upstream gave them, which is what rules look at */
  head(status: number, fields: RawFields, given: RawFields = fields): void {
    this.isEvents = /^text\/event-stream *(;|$)/i.test(fieldValue(fields, 'content-type') ?? '');
    if (this.step.blocks) this.heldHead = { status, fields };
    else this.sink.head(status, fields);
    this.open.inspection.response({ status, fields: pairsOf(given), version: '1.1' });
  }

  data(chunk: Buffer): boolean {
    this.show(chunk);
    if (this.exchange.over) return true;
    if (!this.step.blocks) return this.sink.data(chunk) && !this.waitsForInspector();
    this.held.push(chunk);
    this.heldBytes += chunk.length;
    if (!this.headJudged) return false;
    return this.release() && !this.waitsForInspector();
  }

  end(): void {
    this.ended = true;
    this.open.inspection.responseEnd();
    this.finish();
  }

  private show(chunk: Buffer): void {
    if (this.wanting) this.wanting = this.open.inspection.responseBody(chunk);
  }

  /** Whether the inspector reads more slowly than the upstream sends; then the upstream is told when it does not. */
  private waitsForInspector(): boolean {
    const { inspection } = this.open;
    if (!this.wanting || !inspection.clogged) return false;
    inspection.whenFlowing!(() => this.source?.resume());
    return true;
  }

  /** A refusal does not come here: whoever hears it first ends the exchange. */
  private hear(answer: InspectionAnswer): void {
    if (answer.enough) {
      this.wanting = false;
      this.judged = true;
    }
    if (answer.point === 'response-head') this.passHead();
    else {
      this.endJudged = true;
      this.finish();
    }
  }

  private passHead(): void {
    this.headJudged = true;
    if (!this.step.blocks) return;
    // Of a stream of events the caller wants to know that it is open; any other head leaves with the first bytes, so that what
    // is found before can still be refused as a whole.
    if (this.isEvents || this.judged) this.letHeadGo();
    if (this.release()) this.source?.resume();
  }

  private letHeadGo(): void {
    const head = this.heldHead;
    if (!head) return;
    this.heldHead = undefined;
    this.sink.head(head.status, head.fields);
  }

  private finish(): void {
    if (!this.ended || !this.endJudged || this.exchange.over) return;
    clearTimeout(this.heldFor);
    this.letHeadGo();
    this.letGo(0);
    this.exchange.outcome ??= 'ok';
    this.sink.end();
  }

  /** Lets go of what need not wait any longer. */
  private release(): boolean {
    if (this.judged) return this.letGo(0);
    if (!this.isEvents) return this.letGo(this.step.holdBytes);
    const wanted = this.letGo(Math.min(this.step.holdBytes, this.held.at(-1)?.length ?? 0));
    clearTimeout(this.heldFor);
    this.heldFor = setTimeout(
      this.exchange.guarded(() => this.letGo(0)),
      EVENT_HELD_MS,
    );
    return wanted;
  }

  /** @param kept bytes at the end that stay held. */
  private letGo(kept: number): boolean {
    let wanted = true;
    if (this.heldBytes > kept) this.letHeadGo();
    while (this.heldBytes > kept && !this.exchange.over) {
      const first = this.held[0]!;
      const free = Math.min(first.length, this.heldBytes - kept);
      if (free === first.length) this.held.shift();
      else this.held[0] = first.subarray(free);
      this.heldBytes -= free;
      wanted = this.sink.data(free === first.length ? first : first.subarray(0, free));
    }
    return wanted;
  }
}

function pairsOf(fields: RawFields): { name: string; value: string }[] {
  const pairs: { name: string; value: string }[] = [];
  for (let at = 0; at < fields.length; at += 2) pairs.push({ name: fields[at]!.toLowerCase(), value: fields[at + 1]! });
  return pairs;
}
