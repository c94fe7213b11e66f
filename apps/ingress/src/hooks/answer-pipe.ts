import { isRefusal, refuse, type Refusal } from '@sallyport/contracts';
import {
  AnswerDraft,
  isReply,
  type BodyOut,
  type BodyTransform,
  type CompiledRoute,
  type Reply,
} from '@sallyport/pipeline';
import type { RawFields } from '@sallyport/proxy';
import type { Exchange } from '../exchange';
import type { GatewayParts } from '../gateway-parts';
import { connectionFields } from '../unread';

/** Where the bytes of an answer go next. */
interface Sink {
  data(chunk: Buffer): boolean;
  end(): void;
}

/** Whoever makes the answer, and can be told that there is room again. */
interface Source {
  resume(): void;
}

/** What a hook made of an answer, and the place of its policy. */
interface Ending {
  readonly verdict: Refusal | Reply;
  readonly at: number;
}

type BodySteps = CompiledRoute['answerBody'];

/**
 * The way of one answer through the answer hooks of its route to the caller. Without such hooks it is one call more a
 * chunk; with them each hook sees what the one behind it in the file has made.
 */
export class AnswerPipe {
  /** Set before the head: nobody can tell whether the answer will be whole when it ends. */
  mayBeCut = false;
  private first: Sink;
  private steps: BodySteps | undefined;
  private readonly transforms: BodyTransform[] = [];
  private source: Source | undefined;
  private draft: AnswerDraft | undefined;
  /** A hook ended this answer; what still comes is for nobody. */
  private over = false;

  /** @param below a reply of the policy at this place passes the hooks of the places before it only. */
  constructor(
    private readonly exchange: Exchange,
    private readonly parts: GatewayParts,
    private readonly origin: 'upstream' | 'reply',
    private readonly below = Number.POSITIVE_INFINITY,
  ) {
    this.first = exchange.answer;
  }

  /** Connects whoever is to be told when there is room again after `data` returned false. */
  feedFrom(source: Source): void {
    this.source = source;
    this.exchange.answer.onDrain(() => this.drained());
  }

  /** @param fields names in lower case */
  head(status: number, fields: RawFields): void {
    const { answerHead, answerBody } = this.exchange.compiled!;
    if (answerHead.length === 0 && answerBody.length === 0) return this.write(status, fields);
    this.attempt(() => {
      const draft = new AnswerDraft(this.origin, status, fields, this.mayBeCut);
      const ended = editHead(this.exchange, draft, this.below);
      if (ended) return this.endBy(ended);
      this.draft = draft;
      this.steps = hasBody(this.exchange, status) ? answerBody.filter(({ at }) => at < this.below) : [];
      draft.bodyFollows();
      if (this.steps.length > 0) this.exchange.onClose(() => this.close());
      this.first = this.open(0);
    });
  }

  /** @returns false when no more is wanted before `resume` of the source. */
  data(chunk: Buffer): boolean {
    if (this.over) return true;
    if (this.steps === undefined) return this.first.data(chunk);
    return this.attempt(() => this.first.data(chunk)) ?? true;
  }

  end(): void {
    if (this.over) return;
    if (this.steps === undefined) return this.first.end();
    this.attempt(() => this.first.end());
  }

  /** Opens the hook at a place of the list, and by that everything before it in the file. */
  private open(index: number): Sink {
    const step = this.steps![index];
    if (!step) {
      this.write(this.draft!.status, this.draft!.fields.raw);
      return this.exchange.answer;
    }
    const input = this.exchange.policyInput;
    if (step.run.mode === 'whole') {
      return step.run.wants(input, this.draft!) ? new Gathering(this, index, step.run) : this.open(index + 1);
    }
    let next: Sink | undefined;
    const out: BodyOut = {
      data: (chunk) => this.over || (this.attempt(() => next!.data(chunk)) ?? true),
      end: () => this.over || this.attempt(() => next!.end()),
      room: () => this.roomAbove(transform!),
      refuse: (refusal) => this.refuse(refusal),
    };
    const transform = step.run.open(input, this.draft!, out);
    if (!transform) return this.open(index + 1);
    this.transforms.push(transform);
    next = this.open(index + 1);
    return transform;
  }

  /** Called by a hook that wanted the whole body, when it has it or gives up waiting for it. */
  goOnWith(index: number): Sink {
    return this.open(index + 1);
  }

  whole(index: number, body: Buffer, put: (sink: Sink, body: Buffer) => void): void {
    const step = this.steps![index]!.run;
    if (step.mode !== 'whole') return;
    let answered = false;
    const run = (): void =>
      step.run(this.exchange.policyInput, this.draft!, body, (made) => {
        if (answered || this.over || this.exchange.over) return;
        answered = true;
        this.attempt(() => {
          if (isRefusal(made)) return this.refuse(made);
          const written = made ?? body;
          this.draft!.fields.setLength(written.length);
          put(this.open(index + 1), written);
        });
      });
    this.parts.bodyWork.do(() => this.over || this.exchange.over || this.attempt(run));
  }

  /** Whatever the upstream still sends is for nobody. */
  private endBy({ verdict, at }: Ending): void {
    if (!isReply(verdict)) return this.refuse(verdict);
    this.over = true;
    sendReply(this.exchange, this.parts, verdict, at);
  }

  refuse(refusal: Refusal): void {
    this.over = true;
    this.parts.refuse(this.exchange, refusal);
  }

  private write(status: number, fields: RawFields): void {
    const { exchange, parts } = this;
    exchange.answer.head(status, [...fields, ...exchange.commonFields(parts.showConfigVersion)]);
  }

  private drained(): void {
    this.resumeFrom(this.transforms.length - 1);
  }

  private roomAbove(transform: BodyTransform): void {
    if (!this.over) this.resumeFrom(this.transforms.indexOf(transform) - 1);
  }

  /** @param last the policy nearest to the caller among those that may go on. */
  private resumeFrom(last: number): void {
    this.attempt(() => {
      for (let at = last; at >= 0; at--) this.transforms[at]!.resume?.();
    });
    if (!this.over) this.source?.resume();
  }

  private close(): void {
    this.over = true;
    for (const transform of this.transforms.splice(0)) transform.close?.();
  }

  /** A throw in a hook is this request's 500, or the end of an answer that has begun. */
  private attempt<Value>(step: () => Value): Value | undefined {
    try {
      return step();
    } catch (error) {
      this.over = true;
      this.parts.failed(this.exchange, error);
      return undefined;
    }
  }
}

/** Gathers a body for a hook that wants all of it. */
class Gathering implements Sink {
  private readonly held: Buffer[] = [];
  private bytes = 0;
  private next: Sink | undefined;

  constructor(
    private readonly pipe: AnswerPipe,
    private readonly index: number,
    private readonly step: { readonly maxBytes: number; readonly larger: 'pass' | 'refuse' },
  ) {}

  data(chunk: Buffer): boolean {
    if (this.next) return this.next.data(chunk);
    this.held.push(chunk);
    this.bytes += chunk.length;
    if (this.bytes <= this.step.maxBytes) return true;
    if (this.step.larger === 'refuse') {
      this.pipe.refuse(refuse('UPSTREAM_BROKE', {}, { reason: `an answer of more than ${this.step.maxBytes} bytes` }));
      return true;
    }
    this.next = this.pipe.goOnWith(this.index);
    let wanted = true;
    for (const held of this.held.splice(0)) wanted = this.next.data(held);
    return wanted;
  }

  end(): void {
    if (this.next) return this.next.end();
    this.pipe.whole(this.index, Buffer.concat(this.held.splice(0)), (sink, body) => {
      if (body.length > 0) sink.data(body);
      sink.end();
    });
  }
}

/** RFC 9110 §6.4.1: these never have a body, whatever their fields say. */
function hasBody({ incoming }: Exchange, status: number): boolean {
  return incoming.method !== 'HEAD' && status !== 204 && status !== 304;
}

/**
 * Shows the head of an answer to the answer hooks of the route, the last policy first.
 * @returns the first refusal or reply, and the place of its policy.
 */
export function editHead(exchange: Exchange, draft: AnswerDraft, below: number): Ending | undefined {
  for (const { at, run } of exchange.compiled!.answerHead) {
    if (at >= below) continue;
    const verdict = run(exchange.policyInput, draft);
    if (verdict) return { verdict, at };
  }
  return undefined;
}

/**
 * Answers in the place of an upstream that gave no answer, where a policy has one.
 * @returns false when none has.
 */
export function standIn(exchange: Exchange, parts: GatewayParts, refusal: Refusal): boolean {
  for (const { at, run } of exchange.compiled!.upstreamFailed) {
    const made = run(exchange.policyInput, refusal);
    if (!made) continue;
    exchange.outcome = 'ok';
    sendReply(exchange, parts, made, at);
    return true;
  }
  return false;
}

/** Answers with what the policy at a place of the route made up. */
export function sendReply(exchange: Exchange, parts: GatewayParts, { status, fields, body }: Reply, at: number): void {
  exchange.outcome ??= 'ok';
  const pipe = new AnswerPipe(exchange, parts, 'reply', at);
  const bodiless = status === 204 || status === 304;
  const framing = [...(bodiless ? [] : ['content-length', String(body.length)]), ...connectionFields(exchange)];
  pipe.head(status, [...fields, ...framing]);
  if (!bodiless && body.length > 0 && exchange.incoming.method !== 'HEAD') {
    pipe.data(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
  }
  pipe.end();
}
