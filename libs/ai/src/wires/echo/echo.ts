import { base62, type Clock, type RandomBytes } from '@sallyport/contracts';
import type { Timers } from '../../execute/timers';
import type { AnswerSink, CallOrder, OpenCall, WireCall } from '../../execute/wire-call';
import { echoAnswer, wordPieces, type EchoAnswer } from './answer';

/** The model that answers at once, and the one that takes its time over each word. */
export const ECHO_MODEL = 'echo';
export const ECHO_SLOW_MODEL = 'echo-slow';

const SLOW_WORD_MS = 100;
/** Events sent before others get their turn. */
const EVENTS_A_TURN = 64;

export interface EchoPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: RandomBytes;
}

/**
 * The built-in provider: speaks openai-chat, says what it was told, and needs neither key nor network. What it sends
 * takes the same way as any provider's answer.
 */
export function openEcho(ports: EchoPorts): OpenCall {
  return (order, sink) => {
    const call = new EchoCall(ports, order, sink);
    call.start();
    return call;
  };
}

class EchoCall implements WireCall {
  private readonly answer: EchoAnswer;
  private readonly events: Iterator<string>;
  private readonly paceMs: number;
  private readonly head: Readonly<Record<string, unknown>>;
  private paused = false;
  private closed = false;
  private cancelTurn: () => void = () => undefined;

  constructor(
    private readonly ports: EchoPorts,
    private readonly order: CallOrder,
    private readonly sink: AnswerSink,
  ) {
    this.answer = echoAnswer(order.body);
    this.paceMs = order.attempt.model === ECHO_SLOW_MODEL ? SLOW_WORD_MS : 0;
    this.head = {
      id: `chatcmpl-${base62(ports.random(16), 22)}`,
      object: order.stream ? 'chat.completion.chunk' : 'chat.completion',
      created: Math.floor(ports.clock.now() / 1000),
      model: order.attempt.model,
    };
    this.events = this.streamEvents();
  }

  start(): void {
    const { stream } = this.order;
    const wait = stream ? 0 : this.paceMs * this.answer.completionTokens;
    if (wait > 0) this.cancelTurn = this.ports.timers.after(wait, () => this.begin());
    else this.begin();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.sendEvents();
  }

  abort(): void {
    this.closed = true;
    this.cancelTurn();
  }

  private begin(): void {
    const contentType = this.order.stream ? 'text/event-stream' : 'application/json';
    this.sink.head(200, (name) => (name === 'content-type' ? contentType : undefined));
    if (this.order.stream) this.sendEvents();
    else this.sendWhole();
  }

  private sendWhole(): void {
    const { text, finishReason } = this.answer;
    const message = { role: 'assistant', content: text, refusal: null };
    const choices = [{ index: 0, message, logprobs: null, finish_reason: finishReason }];
    this.sink.data(Buffer.from(JSON.stringify({ ...this.head, choices, usage: this.usage() })));
    if (!this.closed) this.sink.end();
  }

  private sendEvents(): void {
    for (let sent = 0; !this.closed && !this.paused; sent++) {
      if (sent === (this.paceMs > 0 ? 1 : EVENTS_A_TURN)) {
        this.cancelTurn = this.ports.timers.after(this.paceMs, () => this.sendEvents());
        return;
      }
      const next = this.events.next();
      if (next.done) {
        this.closed = true;
        return this.sink.end();
      }
      if (!this.sink.data(Buffer.from(`data: ${next.value}\n\n`))) this.paused = true;
    }
  }

  private *streamEvents(): Generator<string> {
    yield this.chunk({ role: 'assistant', content: '' }, null);
    for (const piece of wordPieces(this.answer.text)) yield this.chunk({ content: piece }, null);
    yield this.chunk({}, this.answer.finishReason);
    if (this.answer.includeUsage) yield JSON.stringify({ ...this.head, choices: [], usage: this.usage() });
    yield '[DONE]';
  }

  private chunk(delta: Readonly<Record<string, string>>, finishReason: string | null): string {
    const choices = [{ index: 0, delta, logprobs: null, finish_reason: finishReason }];
    return JSON.stringify({ ...this.head, choices });
  }

  private usage() {
    const { promptTokens, completionTokens } = this.answer;
    return {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
    };
  }
}
