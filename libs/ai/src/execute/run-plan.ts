import { aiV1, formatUsd, headers, refuse, type PicoUsd, type Refusal } from '@sallyport/contracts';
import { encodeOpenAiChat } from '../wires/openai-chat/encode';
import { DONE_EVENT, plainFields, type AnsweredBy } from '../dialects/openai-chat/render';
import { renderOpenAiErrorEvent, renderOpenAiRefusal } from '../dialects/openai-chat/refusal';
import { addUsage, noUsage } from '../usage';
import { Attempt, type AttemptListener, type Verdict } from './attempt';
import type { ChatCall, ChatRun } from './chat-call';
import { AnswerGate } from './commit';
import { settlementOf, type AttemptResult } from './settle';
import type { OpenCall } from './wire-call';
import type { Lease } from '../router';

/** A stream silent for this long gets a comment, so that nothing between us and the caller gives it up. */
const KEEP_ALIVE_MS = 15_000;

/**
 * Status in the record of a caller who left before the head of an answer. None is sent, and no registered status says
 * so; 499 is the one that access logs have used for it for long.
 */
const CLIENT_GONE = 499;

/**
 * Runs a plan: one attempt after the other until one has content. From then on its bytes are the answer, whatever
 * becomes of it. `onSettled` is called for each attempt and `onFinished` once, whatever happens, also when the caller
 * leaves; both may be called before this returns.
 */
export function completeChat(call: ChatCall): ChatRun {
  const run = new PlanRun(call);
  run.start();
  return run;
}

class PlanRun implements ChatRun, AttemptListener {
  private readonly gate: AnswerGate;
  private readonly startedAt: number;
  private readonly deadline: number;
  private attempt: Attempt | undefined;
  private target: aiV1.Attempt | undefined;
  /** Of the plan's attempts, the one to come. */
  private next = 0;
  private made = 0;
  private attemptStartedAt = 0;
  private firstContentMs = 0;
  private lastWriteAt: number;
  private usage = noUsage();
  private cost: PicoUsd | undefined = 0n;
  private finished = false;
  private cancelKeepAlive: () => void = () => undefined;

  constructor(private readonly call: ChatCall) {
    this.gate = new AnswerGate(call.client);
    this.startedAt = this.lastWriteAt = call.clock.monotonic();
    this.deadline = this.startedAt + (call.planned.plan.attempts[0]?.timeouts?.totalMs ?? 0);
  }

  start(): void {
    if (this.call.request.stream) this.watchSilence(KEEP_ALIVE_MS);
    this.tryNext(refuse('AI_ROUTER_UNAVAILABLE', {}, { reason: 'the plan has no attempt' }));
  }

  drained(): void {
    this.gate.full = false;
    this.attempt?.resume();
  }

  gone(): void {
    if (this.finished) return;
    if (this.attempt) this.attempt.abandon();
    else this.finish(aiV1.Outcome.OUTCOME_CLIENT_ABORTED);
  }

  event(event: Buffer): boolean {
    this.gate.openStream(this.answeredBy());
    this.lastWriteAt = this.call.clock.monotonic();
    return this.gate.write(event);
  }

  over(result: AttemptResult, verdict: Verdict, whole?: Buffer): void {
    this.attempt = undefined;
    const settlement = this.settle(result);
    switch (verdict.kind) {
      case 'answered':
        if (whole) this.sendWhole(whole, settlement);
        else this.gate.endStream(verdict.marked ? undefined : DONE_EVENT);
        return this.finish(result.outcome);
      case 'abandoned':
        return this.finish(result.outcome);
      case 'elsewhere':
        return this.tryNext(verdict.refusal, result.outcome);
      default:
        return this.giveUp(verdict.refusal, result.outcome);
    }
  }

  /** @param last what to say when there is nothing more to try. */
  private tryNext(last: Refusal, outcome = aiV1.Outcome.OUTCOME_REFUSED): void {
    const target = this.call.planned.plan.attempts[this.next++];
    const now = this.call.clock.monotonic();
    if (!target || (this.made > 0 && now >= this.deadline)) return this.giveUp(last, outcome);
    const { wires, planned } = this.call;
    const open = wires.get(target.wire);
    const lease = target.credential === '' ? undefined : planned.lease(target.credential);
    if (open && target.timeouts && (lease || target.credential === '')) return this.open(target, open, lease, now);
    // A target that cannot be called is no attempt: nothing is settled, and what a real one came to is said all the same.
    this.tryNext(this.made > 0 ? last : cannotBeCalled(target, planned.plan.virtualModel, open !== undefined), outcome);
  }

  private open(target: aiV1.Attempt, open: OpenCall, lease: Lease | undefined, now: number): void {
    const { call } = this;
    this.made++;
    this.target = target;
    this.attemptStartedAt = now;
    this.attempt = new Attempt(
      {
        attempt: target,
        stream: call.request.stream,
        body: encodeOpenAiChat(call.request, target.model),
        lease,
        fields: call.onAttempt?.(target) ?? {},
        open,
        timeouts: target.timeouts!,
        deadline: this.deadline,
        includeUsage: call.request.includeUsage,
        choices: call.request.choices,
      },
      call.clock,
      call.timers,
      this,
    );
    this.attempt.start();
  }

  private sendWhole(body: Buffer, settlement: aiV1.Settlement): void {
    const fields = plainFields(this.answeredBy(), body.length);
    if (!settlement.unpriced) fields[headers.costUsd] = formatUsd(settlement.costPicoUsd);
    this.gate.sendWhole(200, fields, body);
  }

  private giveUp(refusal: Refusal, outcome: aiV1.Outcome): void {
    if (this.gate.status === 0) {
      const { status, fields, body } = renderOpenAiRefusal(refusal, this.call.requestId);
      this.gate.sendWhole(status, { ...fields, [headers.attempts]: String(this.made) }, body);
    } else this.gate.endStream(renderOpenAiErrorEvent(refusal));
    this.finish(outcome, refusal);
  }

  private settle(result: AttemptResult): aiV1.Settlement {
    const settlement = settlementOf(this.call, this.target!, result);
    this.usage = addUsage(this.usage, result.usage);
    this.cost = settlement.unpriced || this.cost === undefined ? undefined : this.cost + settlement.costPicoUsd;
    if (result.firstContentMs > 0) {
      this.firstContentMs = Math.round(this.attemptStartedAt - this.startedAt) + result.firstContentMs;
    }
    this.call.onSettled(settlement);
    return settlement;
  }

  private finish(outcome: aiV1.Outcome, refusal?: Refusal): void {
    if (this.finished) return;
    this.finished = true;
    this.cancelKeepAlive();
    this.call.onFinished({
      outcome,
      status: this.gate.status || CLIENT_GONE,
      bytesOut: this.gate.bytesOut,
      refusal,
      virtualModel: this.call.planned.plan.virtualModel,
      attempts: this.made,
      provider: this.target?.provider ?? '',
      model: this.target?.model ?? '',
      usage: this.usage,
      costPicoUsd: this.cost,
      firstContentMs: this.firstContentMs,
      totalMs: Math.round(this.call.clock.monotonic() - this.startedAt),
    });
  }

  private answeredBy(): AnsweredBy {
    return {
      requestId: this.call.requestId,
      virtualModel: this.call.planned.plan.virtualModel,
      provider: this.target!.provider,
      attempts: this.made,
    };
  }

  private watchSilence(ms: number): void {
    this.cancelKeepAlive = this.call.timers.after(ms, () => this.breakSilence());
  }

  private breakSilence(): void {
    const silentMs = this.call.clock.monotonic() - this.lastWriteAt;
    if (silentMs < KEEP_ALIVE_MS) return this.watchSilence(Math.ceil(KEEP_ALIVE_MS - silentMs));
    if (this.target && !this.gate.full) this.gate.keepAlive(this.answeredBy());
    this.lastWriteAt = this.call.clock.monotonic();
    this.watchSilence(KEEP_ALIVE_MS);
  }
}

function cannotBeCalled({ credential, wire }: aiV1.Attempt, model: string, isWireKnown: boolean): Refusal {
  return isWireKnown
    ? refuse('AI_CREDENTIAL_MISSING', { model }, { reason: `no lease for ${credential}` })
    : refuse('AI_ROUTER_UNAVAILABLE', {}, { reason: `no codec for wire ${wire}` });
}
