import { aiV1, refuse, type Clock, type Refusal } from '@sallyport/contracts';
import { HeldBytes } from '@sallyport/proxy';
import { EventTooLarge, MAX_EVENT_BYTES, SseSplitter } from '../body/sse';
import { noUsage, type Usage } from '../usage';
import { isWholeEvent, OpenAiChatTap, readWholeAnswer } from '../wires/openai-chat/decode';
import { judgeStatus } from '../wires/openai-chat/refusal';
import { estimatedUsage, tokensOfText } from './estimate';
import type { AttemptResult } from './settle';
import type { WholeAnswer } from './tap';
import type { Timers } from './timers';
import type { AnswerSink, CallOrder, OpenCall, WireCall } from './wire-call';

/** What becomes of the exchange after an attempt. */
export type Verdict =
  /** `marked`: the end marker of a stream has been passed on. */
  | { readonly kind: 'answered'; readonly marked: boolean }
  | { readonly kind: 'abandoned' }
  /** Nothing of an answer was seen: the next target may answer. */
  | { readonly kind: 'elsewhere'; readonly refusal: Refusal }
  /** The caller's fault: no target would answer. */
  | { readonly kind: 'final'; readonly refusal: Refusal }
  /** It broke off after content: no retry, the stream ends with an error. */
  | { readonly kind: 'broken'; readonly refusal: Refusal };

/** Who runs the attempt. Nothing is called after `over`. */
export interface AttemptListener {
  /** One event of the answer, whole. @returns false when the caller's buffer is full. */
  event(event: Buffer): boolean;
  /** @param whole the answer, when it came in one piece. */
  over(result: AttemptResult, verdict: Verdict, whole?: Buffer): void;
}

export interface AttemptOrder extends CallOrder {
  readonly open: OpenCall;
  readonly timeouts: aiV1.Timeouts;
  /** Moment on the monotonic clock at which the whole exchange must be over. */
  readonly deadline: number;
  /** Whether the caller wants the chunk that carries usage. */
  readonly includeUsage: boolean;
  /** How many answers the caller wants. */
  readonly choices: number;
}

type Phase =
  /** The request is under way. */
  | 'head'
  /** A status other than 200 came: its body may say why. */
  | 'error-body'
  /** An answer in one piece is being gathered: until its last byte another target may still answer. */
  | 'whole'
  /** A stream without content yet: its events are held. */
  | 'prelude'
  | 'content'
  | 'over';

const MAX_WHOLE_BYTES = 16 * 1024 * 1024;
const MAX_ERROR_BODY_BYTES = 16 * 1024;
/** How long a refusal is waited for to its end: its status says nearly all, and another target may answer meanwhile. */
const ERROR_BODY_MS = 2_000;
const BLANK_LINE = Buffer.from('\n\n');
/** How long a provider may take to close after its end marker before its connection is given up. */
const LINGER_MS = 1_000;

/** One call to one target, from its first byte to its verdict. */
export class Attempt implements AnswerSink {
  private phase: Phase = 'head';
  private call: WireCall | undefined;
  private aborted = false;
  private paused = false;
  private status = 0;
  private retryAfter: string | undefined;
  private received = 0;
  private readonly held = new HeldBytes();
  private readonly tap: OpenAiChatTap;
  private readonly splitter = new SseSplitter((event) => this.readEvent(event));
  private answer: WholeAnswer | undefined;
  private readonly maxBytes: number;
  private readonly startedAt: number;
  private headAt = 0;
  private contentAt = 0;
  private lastByteAt: number;
  private cancelTimer: () => void = () => undefined;

  constructor(
    private readonly order: AttemptOrder,
    private readonly clock: Clock,
    private readonly timers: Timers,
    private readonly listener: AttemptListener,
  ) {
    this.tap = new OpenAiChatTap(order.choices);
    this.maxBytes = Number(order.timeouts.maxBytes);
    this.startedAt = this.lastByteAt = clock.monotonic();
  }

  /** Opens the call; the listener may hear its verdict before this returns. */
  start(): void {
    this.watch();
    const call = this.order.open(this.order, this);
    this.call = call;
    if (this.aborted) call.abort();
  }

  /** The caller's buffer has room again. */
  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.lastByteAt = this.clock.monotonic();
    this.call?.resume();
  }

  /** The caller is gone: closes the call at once and says what it came to. */
  abandon(): void {
    if (this.phase === 'over') return;
    this.closeCall();
    this.finish(aiV1.Outcome.OUTCOME_CLIENT_ABORTED, { kind: 'abandoned' });
  }

  head(status: number, field: (name: string) => string | undefined): void {
    if (this.phase !== 'head') return;
    this.headAt = this.lastByteAt = this.clock.monotonic();
    this.status = status;
    this.retryAfter = field('retry-after');
    if (status !== 200) this.phase = 'error-body';
    else if (!this.order.stream) this.phase = 'whole';
    else if (isEventStream(field('content-type'))) this.phase = 'prelude';
    else return this.break(refuse('UPSTREAM_BROKE', {}, { reason: 'a stream was asked for, and none came' }));
    this.watch();
  }

  data(chunk: Buffer): boolean {
    if (this.phase === 'over') return true;
    this.lastByteAt = this.clock.monotonic();
    this.received += chunk.length;
    if (this.received > this.maxBytes) {
      this.break(refuse('UPSTREAM_BROKE', {}, { reason: `more than ${this.maxBytes} bytes came` }));
    } else if (this.phase === 'whole') this.gatherWhole(chunk);
    else if (this.phase === 'error-body') this.gatherErrorBody(chunk);
    else this.split(chunk);
    return !this.paused;
  }

  end(): void {
    if (this.phase === 'over') return this.cancelTimer();
    if (this.phase === 'whole') this.finishWhole();
    else if (this.phase === 'error-body') this.finishRefused();
    else this.finishStream();
  }

  fail(refusal: Refusal): void {
    if (this.phase === 'over') return this.cancelTimer();
    if (this.phase === 'error-body') this.finishRefused();
    else this.break(refusal);
  }

  private gatherWhole(chunk: Buffer): void {
    this.held.push(chunk);
    if (this.held.length <= MAX_WHOLE_BYTES) return;
    this.break(refuse('UPSTREAM_BROKE', {}, { reason: `an answer of more than ${MAX_WHOLE_BYTES} bytes` }));
  }

  private gatherErrorBody(chunk: Buffer): void {
    this.held.push(chunk);
    if (this.held.length > MAX_ERROR_BODY_BYTES) this.closeRefused();
  }

  private finishWhole(): void {
    const body = this.held.take();
    this.answer = readWholeAnswer(body);
    if (!this.answer) return this.break(refuse('UPSTREAM_BROKE', {}, { reason: 'the answer is no completion' }));
    this.contentAt = this.clock.monotonic();
    this.finish(aiV1.Outcome.OUTCOME_OK, { kind: 'answered', marked: false }, body);
  }

  /** It says no, and whatever else it has to say is not waited for. */
  private closeRefused(): void {
    this.closeCall();
    this.finishRefused();
  }

  private finishRefused(): void {
    const seconds = Math.ceil((this.clock.monotonic() - this.startedAt) / 1000);
    const { elsewhere, refusal } = judgeStatus(
      this.status,
      this.retryAfter,
      this.held.take(),
      this.clock.now(),
      seconds,
    );
    if (!elsewhere) return this.finish(aiV1.Outcome.OUTCOME_REFUSED, { kind: 'final', refusal });
    const late = refusal.code === 'UPSTREAM_TIMEOUT';
    const outcome = late ? aiV1.Outcome.OUTCOME_UPSTREAM_TIMEOUT : aiV1.Outcome.OUTCOME_UPSTREAM_ERROR;
    this.finish(outcome, { kind: 'elsewhere', refusal });
  }

  private split(chunk: Buffer): void {
    try {
      this.splitter.push(chunk);
    } catch (error) {
      if (!(error instanceof EventTooLarge)) throw error;
      this.break(refuse('UPSTREAM_EVENT_TOO_LARGE', { maxBytes: MAX_EVENT_BYTES }));
    }
  }

  private readEvent(event: Buffer): void {
    if (this.phase === 'over') return;
    const tapped = this.tap.read(event);
    if (tapped === 'error') this.break(refuse('UPSTREAM_BROKE', {}, { reason: 'the provider sent an error event' }));
    else if (tapped === 'done') this.readEndMarker(event);
    else if (tapped === 'usage' && !this.order.includeUsage) return;
    else if (tapped === 'content') this.passContent(event);
    else if (this.phase === 'content') this.pass(event);
    else this.holdPrelude(event);
  }

  private holdPrelude(event: Buffer): void {
    this.held.push(event);
    if (this.held.length <= MAX_EVENT_BYTES) return;
    this.break(refuse('UPSTREAM_EVENT_TOO_LARGE', { maxBytes: MAX_EVENT_BYTES }));
  }

  private passContent(event: Buffer): void {
    if (this.phase === 'prelude') {
      this.phase = 'content';
      this.contentAt = this.clock.monotonic();
      this.watch();
      if (this.held.length > 0) this.pass(this.held.take());
    }
    this.pass(event);
  }

  private pass(event: Buffer): void {
    if (!this.listener.event(event)) this.paused = true;
  }

  private readEndMarker(event: Buffer): void {
    if (this.phase !== 'content') {
      return this.break(refuse('UPSTREAM_BROKE', {}, { reason: 'the stream is empty' }));
    }
    this.pass(event);
    this.paused = false;
    this.finish(aiV1.Outcome.OUTCOME_OK, { kind: 'answered', marked: true });
    // The rest is not waited for, but a connection that ends by itself can be used again.
    this.cancelTimer = this.timers.after(LINGER_MS, () => this.closeCall());
  }

  /** The provider closed without an end marker: whole all the same if the answer said why it ended, else broken. */
  private finishStream(): void {
    const rest = this.splitter.end();
    // The last event may lack its blank line; half an event is none (WHATWG HTML §9.2.6).
    if (!this.isOver && isWholeEvent(rest)) this.readEvent(Buffer.concat([rest, BLANK_LINE]));
    if (this.isOver) return this.cancelTimer();
    if (this.phase === 'content' && this.tap.finished) {
      return this.finish(aiV1.Outcome.OUTCOME_OK, { kind: 'answered', marked: false });
    }
    this.break(refuse('UPSTREAM_BROKE', {}, { reason: 'the stream ended without its end marker' }));
  }

  private timeOut(limitMs: number, reason: string): void {
    this.break(refuse('UPSTREAM_TIMEOUT', { seconds: Math.ceil(limitMs / 1000) }, { reason }));
  }

  /** The attempt failed: by content or not is what decides whether another may follow. */
  private break(refusal: Refusal): void {
    this.closeCall();
    const late = refusal.code === 'UPSTREAM_TIMEOUT';
    const outcome = late ? aiV1.Outcome.OUTCOME_UPSTREAM_TIMEOUT : aiV1.Outcome.OUTCOME_UPSTREAM_ERROR;
    this.finish(outcome, { kind: this.phase === 'content' ? 'broken' : 'elsewhere', refusal });
  }

  private finish(outcome: aiV1.Outcome, verdict: Verdict, whole?: Buffer): void {
    this.phase = 'over';
    this.held.clear();
    this.cancelTimer();
    const { usage, source } = this.used();
    const result: AttemptResult = {
      outcome,
      status: this.status,
      usage,
      source,
      headMs: this.since(this.headAt),
      firstContentMs: this.since(this.contentAt),
      totalMs: Math.round(this.clock.monotonic() - this.startedAt),
    };
    this.listener.over(result, verdict, whole);
  }

  private used(): { usage: Usage; source: aiV1.UsageSource } {
    const reported = this.answer?.usage ?? this.tap.usage;
    const more = this.uncoveredTokens();
    if (reported && more === 0) return { usage: reported, source: aiV1.UsageSource.USAGE_SOURCE_REPORTED };
    if (!reported && more === 0) return { usage: noUsage(), source: aiV1.UsageSource.USAGE_SOURCE_NONE };
    const usage = reported
      ? { ...reported, output: reported.output + BigInt(more) }
      : estimatedUsage(this.order.body, more);
    return { usage, source: aiV1.UsageSource.USAGE_SOURCE_ESTIMATED };
  }

  /** What was answered and is in no usage that was reported. */
  private uncoveredTokens(): number {
    if (!this.answer) return this.tap.uncoveredTokens;
    return this.answer.usage ? 0 : tokensOfText(this.answer.contentBytes);
  }

  private since(moment: number): number {
    return moment === 0 ? 0 : Math.max(1, Math.round(moment - this.startedAt));
  }

  /** Asked anew after each step: a listener may end it within any of them. */
  private get isOver(): boolean {
    return this.phase === 'over';
  }

  private closeCall(): void {
    this.aborted = true;
    this.call?.abort();
  }

  /** Sets the alarm for the phase; a chunk only notes its moment, and an alarm that rings too early is set again. */
  private watch(): void {
    this.cancelTimer();
    const wait = this.dueAt() - this.clock.monotonic();
    this.cancelTimer = this.timers.after(Math.max(1, Math.ceil(wait)), () => this.ring());
  }

  private ring(): void {
    if (this.dueAt() > this.clock.monotonic()) return this.watch();
    if (this.phase === 'error-body') return this.closeRefused();
    if (this.clock.monotonic() >= this.order.deadline) {
      return this.timeOut(this.order.timeouts.totalMs, 'the exchange took too long');
    }
    const { headMs, firstContentMs, idleMs } = this.order.timeouts;
    if (this.phase === 'head') this.timeOut(headMs, 'no head came');
    else if (this.phase === 'prelude') this.timeOut(firstContentMs, 'no content came');
    else this.timeOut(idleMs, 'the answer stalled');
  }

  private dueAt(): number {
    return Math.min(this.phaseDueAt(), this.order.deadline);
  }

  private phaseDueAt(): number {
    const { headMs, firstContentMs, idleMs } = this.order.timeouts;
    if (this.phase === 'head') return this.startedAt + headMs;
    if (this.phase === 'prelude') return this.startedAt + firstContentMs;
    if (this.phase === 'error-body') return this.headAt + ERROR_BODY_MS;
    return this.paused ? Infinity : this.lastByteAt + idleMs;
  }
}

function isEventStream(contentType: string | undefined): boolean {
  return contentType !== undefined && /^\s*text\/event-stream\s*(;|$)/i.test(contentType);
}
