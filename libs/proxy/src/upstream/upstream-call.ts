import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { refuse, type Refusal, type RetryReason } from '@sallyport/contracts';
import type { Forwarding, ForwardPhase, ForwardSink, UpstreamRequest } from '../forward';
import type { RawFields } from '../raw-fields';
import type { AdaptiveLimit } from './adaptive-limit';
import { askedWait, backoff, reasonOfFailure } from './retry-rules';
import type { UpstreamGroup } from './upstream-group';
import type { UpstreamTarget } from './upstream-target';
import { verdictOfFailure, verdictOfStatus, type Verdict } from './verdict';

/** Whoever wants a call made, and takes its answer. */
export interface CallOwner extends ForwardSink {
  /** Doing it twice does no harm. */
  readonly repeatable: boolean;
  /** The body, if there is one, is at hand for another attempt. */
  readonly replayable: boolean;
  /**
   * The request as this target shall see it.
   * @param attempt from 1
   */
  requestFor(target: UpstreamTarget, attempt: number): UpstreamRequest | Refusal;
  /**
   * An attempt ended whose answer is not passed on.
   * @param status 0 where there was none
   */
  attemptFailed(target: UpstreamTarget, attempt: number, status: number, refusal: Refusal | undefined): void;
}

/** A caller that keeps a target waiting is given this long before it is the one to blame for what the target does then. */
const CALLER_LATE_MS = 1_000;

/** An answer that is still on its way after this long speaks for its target, whatever comes of it. */
const LONG_ANSWER_MS = 5_000;

/** The rest of an answer that nobody wants is read up to here, so that its connection can be used again. */
const DRAINED_BYTES = 64 * 1024;

/** One call to a group: an attempt, others where it fails or lags, and one answer. */
export class UpstreamCall implements Forwarding {
  private readonly startedAt: number;
  private attempts = 0;
  /** How long its first request waits for an answer, which all of them share: its route or deadline may say it. */
  private firstByteMs = 0;
  private first: Attempt | undefined;
  /** The second one of a hedged call. */
  private second: Attempt | undefined;
  /** Whose answer is passed on. */
  private winner: Attempt | undefined;
  private tried: Uint8Array | undefined;
  private retrying = false;
  private ended = false;
  private cancelWait: (() => void) | undefined;
  private cancelDeadline: (() => void) | undefined;

  constructor(
    readonly group: UpstreamGroup,
    readonly owner: CallOwner,
    private readonly key: string,
  ) {
    this.startedAt = group.parts.clock.monotonic();
  }

  start(): this {
    const { group } = this;
    group.budget?.begin(this.startedAt);
    const { totalMs } = group.settings.timeouts;
    if (totalMs !== undefined) {
      this.cancelDeadline = group.parts.timers.after(totalMs, () => this.runOut(totalMs));
    }
    const sent = this.launch(this.startedAt);
    if (sent && group.latencies && this.owner.repeatable && this.owner.replayable) this.waitToHedge();
    return this;
  }

  resume(): void {
    this.winner?.resume();
  }

  abort(): void {
    if (this.ended) return;
    this.end();
    this.first?.abort();
    this.second?.abort();
  }

  /** @returns whether the answer of this attempt is to be passed on. */
  take(attempt: Attempt, status: number, fields: RawFields): boolean {
    const { winner } = this;
    if (winner) return winner === attempt;
    if (this.tryAgain(attempt, String(status) as RetryReason, status, undefined, fields)) return false;
    this.winner = attempt;
    this.cancelWait?.();
    this.cancelWait = undefined;
    this.other(attempt)?.abort();
    return true;
  }

  complete(): void {
    this.end();
    this.owner.onEnd();
  }

  /** From here on the tunnel is its owner's: it has no deadline, and nothing is left to abort. */
  switched(fields: RawFields, socket: Socket, early: Buffer): void {
    this.end();
    this.owner.onSwitched!(fields, socket, early);
  }

  failed(attempt: Attempt, refusal: Refusal, phase: ForwardPhase): void {
    if (this.ended) return;
    const reason = reasonOfFailure(refusal, phase);
    if (reason && this.tryAgain(attempt, reason, 0, refusal, [])) return;
    this.end();
    this.other(attempt)?.abort();
    this.owner.onFailure(refusal, phase);
  }

  /** Repeats a failed attempt, or leaves it to the other one of a hedged call. */
  private tryAgain(
    attempt: Attempt,
    reason: RetryReason,
    status: number,
    refusal: Refusal | undefined,
    fields: RawFields,
  ): boolean {
    const { group, owner } = this;
    const settings = group.settings.retry;
    const other = this.other(attempt);
    const wanted = settings?.on.includes(reason) ?? false;
    if (other?.running && (refusal !== undefined || wanted)) {
      owner.attemptFailed(attempt.target, attempt.n, status, refusal);
      return true;
    }
    const wait = wanted && this.mayRepeat(reason) ? this.waitBefore(fields) : undefined;
    if (wait === undefined) return false;
    const now = group.parts.clock.monotonic();
    // Each attempt is paid for by itself: the one before gives its place back.
    if (this.retrying) group.budget!.endRetry();
    this.retrying = group.budget!.tryRetry(now);
    if (!this.retrying) return false;
    this.tried ??= new Uint8Array(group.states.length);
    this.tried[attempt.at] = 1;
    // There is one wait at a time: a second target that is still to be asked would be asked beside the repetition.
    this.cancelWait?.();
    this.cancelWait = group.parts.timers.after(wait, () => this.repeat(refusal));
    owner.attemptFailed(attempt.target, attempt.n, status, refusal);
    return true;
  }

  private mayRepeat(reason: RetryReason): boolean {
    const { repeatable, replayable } = this.owner;
    // RFC 9110 §9.2.2: what was never sent may be sent, whatever it does.
    return replayable && (repeatable || reason === 'connect') && this.retriesLeft() > 0;
  }

  /** Milliseconds until the next attempt; undefined when there would be no time left for it, or the upstream asks for too much. */
  private waitBefore(fields: RawFields): number | undefined {
    const { parts } = this.group;
    const asked = askedWait(fields, parts.clock.now());
    if (asked === undefined) return undefined;
    const wait = Math.max(asked, backoff(this.attempts, parts.random()));
    return wait < this.timeLeft(parts.clock.monotonic()) ? wait : undefined;
  }

  private repeat(before: Refusal | undefined): void {
    this.cancelWait = undefined;
    if (this.ended) return;
    this.second = undefined;
    const attempt = this.launch(this.group.parts.clock.monotonic(), before);
    if (attempt) this.group.states[attempt.at]!.retries++;
  }

  private launch(now: number, before?: Refusal): Attempt | undefined {
    const at = this.group.choose(this.key, this.tried, now);
    const attempt = typeof at === 'number' ? this.send(at, now, 'first') : at;
    if (attempt instanceof Attempt) return attempt;
    this.end();
    // A caller is better told what its request came to than that nobody was left for another attempt.
    this.owner.onFailure(before ?? attempt, before ? 'request' : 'connect');
    return undefined;
  }

  /** @param place where it stands among the two of a hedged call; taken before it is sent, as it may end in there. */
  private send(at: number, now: number, place: 'first' | 'second'): Attempt | Refusal {
    const { group } = this;
    const { target } = group.states[at]!;
    const request = this.owner.requestFor(target, this.attempts + 1);
    if ('refused' in request) return request;
    const attempt = new Attempt(this, at, target, ++this.attempts, now, group.begin(at, now));
    this[place] = attempt;
    attempt.send(this.bounded(request, now));
    return attempt;
  }

  /** Every attempt has what is left of the time of the whole. */
  private bounded(request: UpstreamRequest, now: number): UpstreamRequest {
    const { timeouts } = request;
    const { attemptMs = Infinity } = this.group.settings.retry ?? {};
    if (this.attempts === 1) this.firstByteMs = timeouts.firstByteMs;
    const left = this.attempts === 1 ? Infinity : Math.max(1, Math.ceil(this.timeLeft(now)));
    const firstByteMs = Math.min(timeouts.firstByteMs, left, attemptMs);
    return firstByteMs === timeouts.firstByteMs ? request : { ...request, timeouts: { ...timeouts, firstByteMs } };
  }

  private timeLeft(now: number): number {
    const { totalMs = Infinity } = this.group.settings.timeouts;
    return Math.min(this.firstByteMs, totalMs) - (now - this.startedAt);
  }

  private retriesLeft(): number {
    const extra = this.attempts - 1 - (this.second ? 1 : 0);
    return Math.max(0, this.group.settings.retry!.attempts - extra);
  }

  private waitToHedge(): void {
    const { group } = this;
    const wait = group.hedgeDelay(this.startedAt);
    if (wait === undefined || this.winner || this.ended || this.cancelWait) return;
    this.cancelWait = group.parts.timers.after(wait, () => this.hedge());
  }

  private hedge(): void {
    this.cancelWait = undefined;
    const { group, first } = this;
    const now = group.parts.clock.monotonic();
    if (this.ended || group.states.length < 2 || !first?.running) return;
    this.tried ??= new Uint8Array(group.states.length);
    this.tried[first.at] = 1;
    const at = group.choose(this.key, this.tried, now);
    if (typeof at !== 'number' || at === first.at || !group.tryHedge(now)) return;
    this.send(at, now, 'second');
  }

  private other(attempt: Attempt): Attempt | undefined {
    return attempt === this.first ? this.second : this.second === attempt ? this.first : undefined;
  }

  private runOut(totalMs: number): void {
    if (this.ended) return;
    this.end();
    const phase = this.winner ? 'response' : 'request';
    const refusal = refuse(
      'UPSTREAM_TIMEOUT',
      { seconds: Math.ceil(totalMs / 1000) },
      { reason: 'the whole exchange took too long' },
    );
    for (const attempt of [this.first, this.second]) {
      // A target that answers and takes long to say it all is not to blame.
      if (this.winner) attempt?.abort();
      else attempt?.giveUp(refusal);
    }
    this.owner.onFailure(refusal, phase);
  }

  private end(): void {
    if (this.ended) return;
    this.ended = true;
    this.cancelWait?.();
    this.cancelDeadline?.();
    const { budget } = this.group;
    if (this.retrying) budget?.endRetry();
    budget?.end();
  }
}

/** One request to one target. */
class Attempt implements ForwardSink {
  running = true;
  /** When the last byte of the request went out. */
  private askedAt: number | undefined;
  /** When the head of the answer came. */
  private answeredAt: number | undefined;
  /** What was said of the target; nothing yet: undefined. A call says one thing. */
  private verdict: Verdict | undefined;
  /** Of a probe, whose target is held back until it is answered. */
  private cancelLongAnswer: (() => void) | undefined;
  /** Since when the caller takes no more of the answer. */
  private heldBackSince: number | undefined;
  private heldBackMs = 0;
  /** Where it holds a place, from the last byte of the request to the head of the answer. */
  private place: AdaptiveLimit | undefined;
  private forwarding: Forwarding | undefined;
  private aborted = false;
  /** Its answer is not wanted: the rest is read to have the connection free again. */
  private unwanted = false;
  private drained = 0;

  constructor(
    private readonly call: UpstreamCall,
    readonly at: number,
    readonly target: UpstreamTarget,
    readonly n: number,
    private readonly startedAt: number,
    private readonly probe: boolean,
  ) {}

  send(request: UpstreamRequest): void {
    // A target is as quick as it answers a whole request; how long a caller takes to send one is its own affair.
    if (request.body instanceof Readable) request.body.once('end', () => this.asked(this.now()));
    else this.asked(this.startedAt);
    const forwarding = this.target.client.forward(request, this);
    this.forwarding = forwarding;
    if (this.aborted) forwarding.abort();
  }

  onHead(status: number, fields: RawFields, mayBeCut?: boolean): void {
    this.credit(status);
    const { call } = this;
    if (call.take(this, status, fields)) return call.owner.onHead(status, fields, mayBeCut);
    this.judgeByHead();
    this.unwanted = true;
    // Another answer is on its way: what is left of this one no longer counts as a call to wait for.
    this.settle();
  }

  /** A tunnel is a call under way for as long as its connection stands. */
  onSwitched(fields: RawFields, socket: Socket, early: Buffer): void {
    this.credit(101);
    // A tunnel that stands is all that was asked for; what becomes of it is between its ends.
    this.judgeByHead();
    socket.once('close', () => this.settle());
    if (this.call.take(this, 101, fields)) this.call.switched(fields, socket, early);
    else socket.destroy();
  }

  onData(chunk: Buffer): boolean {
    if (!this.unwanted) return this.passOn(chunk);
    this.drained += chunk.length;
    if (this.drained > DRAINED_BYTES) this.cut();
    return true;
  }

  onTrailers(fields: RawFields): void {
    if (!this.unwanted) this.call.owner.onTrailers?.(fields);
  }

  onEnd(): void {
    this.settle();
    this.judgeByHead();
    if (!this.unwanted) this.call.complete();
  }

  onFailure(refusal: Refusal, phase: ForwardPhase): void {
    if (this.unwanted) return;
    this.blame(refusal);
    this.settle();
    this.call.failed(this, refusal, phase);
  }

  resume(): void {
    if (this.heldBackSince !== undefined) this.heldBackMs += this.now() - this.heldBackSince;
    this.heldBackSince = undefined;
    this.forwarding?.resume();
  }

  /** Leaves without a word against the target: an answer that had begun well was one. */
  abort(): void {
    if (!this.running && !this.unwanted) return;
    this.settle();
    this.judgeByHead();
    this.cut();
  }

  /** Leaves because the target took too long. */
  giveUp(refusal: Refusal): void {
    if (!this.running) return;
    this.blame(refusal);
    this.abort();
  }

  /** Notes what the target answered, and how soon. */
  private credit(status: number): void {
    const now = this.now();
    const verdict = verdictOfStatus(status);
    const latency = this.askedAt === undefined ? undefined : now - this.askedAt;
    this.answeredAt = now;
    // What fails does so quickly, and would pass for the best there is.
    this.leavePlace(verdict === 'ok' ? latency : undefined);
    if (latency !== undefined) this.call.group.measure(this.at, latency, now);
    // A good head is half an answer: what it is worth shows at its end.
    if (verdict !== 'ok') this.judge(verdict, now);
    else if (this.probe) this.waitForLongAnswer();
  }

  private passOn(chunk: Buffer): boolean {
    if (this.verdict === undefined && this.now() - this.answeredAt! >= LONG_ANSWER_MS) this.judgeByHead();
    const more = this.call.owner.onData(chunk);
    if (!more) this.heldBackSince ??= this.now();
    return more;
  }

  private waitForLongAnswer(): void {
    const { timers } = this.call.group.parts;
    this.cancelLongAnswer = timers.after(LONG_ANSWER_MS, () => this.judgeByHead());
  }

  private blame(refusal: Refusal): void {
    const now = this.now();
    const excused = this.isCallerLate(refusal, now);
    const verdict = excused ? 'none' : verdictOfFailure(refusal);
    // One that was never asked took no time to answer.
    const isSlow = !excused && refusal.code === 'UPSTREAM_TIMEOUT' && !refusal.unsent;
    if (isSlow && this.askedAt !== undefined) this.leavePlace(now - this.askedAt);
    if (verdict !== 'none') this.judge(verdict, now);
    else this.judgeByHead();
  }

  /** Whether what the target did, or left undone, may come of its caller: one that sends slowly, or reads slowly. */
  private isCallerLate({ code }: Refusal, now: number): boolean {
    const { heldBackSince, heldBackMs } = this;
    const heldBack = heldBackMs + (heldBackSince === undefined ? 0 : now - heldBackSince);
    if (heldBack >= CALLER_LATE_MS) return true;
    // Whoever waits for the rest of a request owes nothing meanwhile; breaking it off at once is another matter.
    const isPatient = code === 'UPSTREAM_TIMEOUT' || now - this.startedAt >= CALLER_LATE_MS;
    return isPatient && this.forwarding?.heldUp === true;
  }

  /** A good answer counts at the time it began: to look at the clock once more would tell nothing. */
  private judgeByHead(): void {
    if (this.verdict === undefined && this.answeredAt !== undefined) this.judge('ok', this.answeredAt);
  }

  /** Tells what the call says of its target. Only the first time counts, or a broken answer would be a good one too. */
  private judge(verdict: Verdict, now: number): void {
    const { group } = this.call;
    if (this.verdict === undefined) group.observe(this.at, verdict, this.probe, now);
    // It is no longer judged by, but counted it is: its caller has half an answer.
    else if (this.verdict === 'ok' && verdict !== 'ok') group.states[this.at]!.failures++;
    this.verdict = verdict;
    this.cancelLongAnswer?.();
    this.cancelLongAnswer = undefined;
  }

  private now(): number {
    return this.call.group.parts.clock.monotonic();
  }

  private asked(now: number): void {
    if (!this.running || this.answeredAt !== undefined) return;
    this.askedAt = now;
    this.place = this.call.group.states[this.at]!.adaptive;
    this.place?.enter();
  }

  private leavePlace(milliseconds: number | undefined): void {
    this.place?.leave(milliseconds);
    this.place = undefined;
  }

  private cut(): void {
    this.unwanted = true;
    this.aborted = true;
    this.forwarding?.abort();
  }

  private settle(): void {
    if (!this.running) return;
    this.running = false;
    this.leavePlace(undefined);
    this.call.group.states[this.at]!.load--;
  }
}
