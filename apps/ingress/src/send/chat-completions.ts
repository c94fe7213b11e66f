import { aiV1, formatUsd, isRefusal, refuse, semconv, type PicoUsd } from '@sallyport/contracts';
import {
  completeChat,
  inputTokens,
  outputTokens,
  readChatRequest,
  type ChatClient,
  type ChatFacts,
  type ChatRequest,
  type Planned,
} from '@sallyport/ai';
import { formatTraceparent, type Span } from '@sallyport/platform';
import type { AttemptFacts, Outcome } from '@sallyport/trail';
import { admitModel } from '../admit';
import type { Exchange } from '../exchange';
import type { GatewayParts } from '../gateway-parts';
import { inspectBody } from '../inspect';
import { consultSpan } from '../trace';

const OPERATION = 'chat';
const JSON_TYPE = 'application/json';

/**
 * `POST /v1/chat/completions`: reads the whole body, asks for a plan, and runs it. It is read as JSON, so it has to be called
 * JSON: what is called something else the Inspector reads as something else, or not at all.
 */
export function sendChat(exchange: Exchange, parts: GatewayParts): void {
  if (exchange.request!.mediaType !== JSON_TYPE) {
    return parts.refuse(exchange, refuse('MEDIA_TYPE_UNSUPPORTED', { accepted: JSON_TYPE }));
  }
  inspectBody(exchange, parts, true, (body) => {
    const request = readChatRequest(body.bytes());
    if (isRefusal(request)) return parts.refuse(exchange, request);
    admitModel(exchange, parts, request.model, () => plan(exchange, parts, request));
  });
}

function plan(exchange: Exchange, parts: GatewayParts, request: ChatRequest): void {
  const principal = exchange.principal!;
  exchange.model = {
    operation: 'chat.completions',
    requested: request.model,
    stream: request.stream,
    costUsd: null,
    attempts: [],
  };
  const span = consultSpan(exchange, parts.tracer, 'ai-router');
  const question = {
    requestId: exchange.requestId,
    tenant: principal.tenant,
    principal,
    model: request.model,
    stream: request.stream,
    inputBytes: request.body.length,
    maxOutputTokens: request.maxOutputTokens,
  };
  parts.consults.router.plan(question, (planned, decidedBy = 'service') => {
    span?.end(isRefusal(planned) ? { error: planned.code } : undefined);
    if (exchange.over) return;
    exchange.decidedBy['ai-router'] = decidedBy;
    if (isRefusal(planned)) return parts.refuse(exchange, planned);
    run(exchange, parts, request, planned);
  });
}

function run(exchange: Exchange, parts: GatewayParts, request: ChatRequest, planned: Planned): void {
  const principal = exchange.principal!;
  const attempts = new AttemptLog(exchange, parts);
  const call = completeChat({
    requestId: exchange.requestId,
    tenant: principal.tenant,
    consumer: principal.consumer,
    credential: principal.credential.id,
    request,
    planned,
    wires: parts.models.wires,
    clock: parts.clock,
    timers: parts.models.timers,
    random: parts.random,
    client: clientOf(exchange, parts),
    onAttempt: (attempt) => attempts.begin(attempt),
    onSettled: (settlement) => {
      attempts.end(settlement);
      parts.models.ledger(settlement);
      parts.consults.router.settle(settlement);
    },
    onFinished: (facts) => finish(exchange, request, facts, attempts),
  });
  exchange.answer.onDrain(() => call.drained());
  exchange.onClose(() => call.gone());
}

function clientOf(exchange: Exchange, parts: GatewayParts): ChatClient {
  const { answer } = exchange;
  return {
    head: (status, fields) => answer.head(status, mergeFields(fields, exchange.commonFields(parts.showConfigVersion))),
    data: (chunk) => answer.data(chunk),
    // The run settles after its last byte and before `onFinished`; the record needs what was settled.
    end: () => undefined,
  };
}

/** Ours win over what the dialect rendered, so that no field comes twice. */
function mergeFields(rendered: Readonly<Record<string, string>>, ours: readonly string[]): string[] {
  const names = new Set(ours.filter((_, at) => at % 2 === 0));
  return [...Object.entries(rendered).flatMap(([name, value]) => (names.has(name) ? [] : [name, value])), ...ours];
}

function finish(exchange: Exchange, request: ChatRequest, facts: ChatFacts, attempts: AttemptLog): void {
  exchange.outcome = outcomeOf(facts.outcome);
  exchange.refusal = facts.refusal;
  exchange.model = {
    operation: 'chat.completions',
    requested: request.model,
    ...(facts.provider !== '' && { provider: facts.provider, model: facts.model }),
    stream: request.stream,
    usage: {
      input: Number(facts.usage.input),
      output: Number(facts.usage.output),
      cacheRead: Number(facts.usage.cacheRead),
      reasoning: Number(facts.usage.reasoning),
      source: attempts.usageSource,
    },
    costUsd: costText(facts.costPicoUsd),
    ...(attempts.priceVersion !== '' && { priceVersion: attempts.priceVersion }),
    attempts: attempts.facts,
  };
  exchange.span?.set(semconv.genAiRequestModel, request.model);
  exchange.answer.end();
}

function costText(cost: PicoUsd | undefined): string | null {
  return cost === undefined ? null : formatUsd(cost);
}

/** Follows the attempts of one call: a span each, and what the record says of them. */
class AttemptLog {
  readonly facts: AttemptFacts[] = [];
  priceVersion = '';
  usageSource: 'reported' | 'estimated' | 'none' = 'none';
  private span: Span | undefined;

  constructor(
    private readonly exchange: Exchange,
    private readonly parts: GatewayParts,
  ) {}

  /** @returns what the provider is sent of our trace. */
  begin(attempt: aiV1.Attempt): Readonly<Record<string, string>> | undefined {
    this.exchange.arrivals += 1;
    const parent = this.exchange.trace;
    if (!parent) return undefined;
    this.span = parent.sampled
      ? this.parts.tracer.start(`${OPERATION} ${attempt.model}`, {
          kind: 'client',
          parent,
          attributes: {
            [semconv.genAiOperation]: OPERATION,
            [semconv.genAiProvider]: attempt.provider,
            [semconv.genAiRequestModel]: attempt.model,
            [semconv.attempt]: attempt.n,
          },
        })
      : undefined;
    return { traceparent: formatTraceparent(this.span?.context ?? parent) };
  }

  end(settlement: aiV1.Settlement): void {
    const outcome = outcomeOf(settlement.outcome);
    const usage = settlement.usage;
    if (usage) {
      // The convention counts cache and reasoning inside the totals; our receipts keep the counts apart.
      this.span?.set(semconv.genAiInputTokens, Number(inputTokens(usage)));
      this.span?.set(semconv.genAiOutputTokens, Number(outputTokens(usage)));
    }
    if (!settlement.unpriced) this.span?.set(semconv.costUsd, formatUsd(settlement.costPicoUsd));
    this.span?.end(outcome === 'ok' ? undefined : { error: outcome });
    this.priceVersion = settlement.priceVersion;
    this.usageSource = usageSourceOf(settlement.source);
    this.facts.push({
      provider: settlement.provider,
      model: settlement.model,
      status: settlement.status,
      outcome,
      ...(settlement.firstContentMs > 0 && { ttftMs: settlement.firstContentMs }),
    });
  }
}

function usageSourceOf(source: aiV1.UsageSource): 'reported' | 'estimated' | 'none' {
  if (source === aiV1.UsageSource.USAGE_SOURCE_REPORTED) return 'reported';
  return source === aiV1.UsageSource.USAGE_SOURCE_ESTIMATED ? 'estimated' : 'none';
}

function outcomeOf(outcome: aiV1.Outcome): Outcome {
  switch (outcome) {
    case aiV1.Outcome.OUTCOME_OK:
      return 'ok';
    case aiV1.Outcome.OUTCOME_CLIENT_ABORTED:
      return 'client_aborted';
    case aiV1.Outcome.OUTCOME_UPSTREAM_TIMEOUT:
      return 'upstream_timeout';
    case aiV1.Outcome.OUTCOME_REFUSED:
      return 'refused';
    default:
      return 'upstream_error';
  }
}
