import { isRefusal, refuse, semconv, type Refusal } from '@sallyport/contracts';
import { formatTraceparent, type Span } from '@sallyport/platform';
import {
  fieldsToClient,
  fieldsToUpstream,
  isRepeatable,
  REPLAY_BYTES,
  withoutPrefix,
  type CallOwner,
  type ForwardPhase,
  type RawFields,
  type UpstreamBody,
  type UpstreamGroup,
  type UpstreamRequest,
} from '@sallyport/proxy';
import type { Exchange } from '../exchange';
import type { GatewayParts } from '../gateway-parts';
import { AnswerPipe, standIn } from '../hooks/answer-pipe';
import { InspectedAnswer } from '../hooks/inspected-answer';
import { attempt, prepareRequest, type PreparedBody } from '../hooks/request-hooks';
import { balanceKey, chooseUpstream } from './choose-upstream';
import { mirror } from './mirror';
import type { Target } from './upstreams';

/** Forwards an admitted request to its upstream, streaming both ways. */
export function sendUpstream(exchange: Exchange, parts: GatewayParts): void {
  prepareRequest(exchange, parts, (body) => forward(exchange, parts, body));
}

function forward(exchange: Exchange, parts: GatewayParts, body: PreparedBody | undefined): void {
  sendThrough(exchange, parts, (group) => new ProxiedCall(exchange, parts, group, body));
}

/** Makes a call of an exchange to the upstream of its route. */
export function sendThrough(
  exchange: Exchange,
  parts: GatewayParts,
  callTo: (group: UpstreamGroup) => ProxiedCall | Refusal,
): void {
  const group = chooseUpstream(exchange, parts);
  if (!group) return parts.refuse(exchange, refuse('UPSTREAM_UNREACHABLE', {}, { reason: 'no such upstream' }));
  const call = callTo(group);
  if (isRefusal(call)) return parts.refuse(exchange, call);
  const { hashOn } = group;
  const forwarding = group.call(call, hashOn === undefined ? '' : balanceKey(exchange, hashOn));
  call.feedFrom(forwarding);
  exchange.onClose(() => forwarding.abort());
  if (exchange.route.mirror !== undefined && !exchange.over) call.mirror(exchange.route.mirror);
}

/** One request on its way up, and its answer on the way down. */
export class ProxiedCall implements CallOwner {
  private readonly pipe: AnswerPipe;
  /** Undefined: nobody looks at the answers of the route. */
  private readonly inspected: InspectedAnswer | undefined;
  private readonly bytes: UpstreamBody;
  private readonly announced: number | undefined;
  private span: Span | undefined;
  /** Of the answer; 0 until it has a head. */
  protected status = 0;
  /** Attempts that have not ended, or whose answer is the caller's. */
  private attempts = 0;

  constructor(
    protected readonly exchange: Exchange,
    protected readonly parts: GatewayParts,
    private readonly group: UpstreamGroup,
    body: PreparedBody | undefined,
  ) {
    this.pipe = new AnswerPipe(exchange, parts, 'upstream');
    const { inspection: open, compiled } = exchange;
    const step = compiled!.inspection?.response;
    this.inspected =
      open && step && this.isInspected ? new InspectedAnswer(exchange, open, step, this.pipe) : undefined;
    this.bytes = body?.release();
    this.announced = body?.announced;
  }

  feedFrom(source: { resume(): void }): void {
    this.pipe.feedFrom(source);
    this.inspected?.feedFrom(source);
  }

  /** Names of fields of the request that end here. */
  protected get endsHere(): readonly string[] {
    // Packed bytes say nothing to whoever inspects the answer.
    return this.inspected ? PACKING : NONE;
  }

  /** Whether rules can read what the upstream answers. */
  protected get isInspected(): boolean {
    return this.exchange.dialect !== 'grpc';
  }

  get repeatable(): boolean {
    const { method, field } = this.exchange.draft?.head ?? this.exchange.request!;
    return isRepeatable(method, field.has('idempotency-key'));
  }

  get replayable(): boolean {
    const { bytes } = this;
    return bytes === undefined || (bytes instanceof Uint8Array && bytes.length <= REPLAY_BYTES);
  }

  /** Those of the upstream, where no policy of the route says otherwise. */
  protected get timeouts(): UpstreamRequest['timeouts'] {
    const own = this.exchange.compiled!.timeouts;
    return own ? { ...this.group.settings.timeouts, ...own } : this.group.settings.timeouts;
  }

  requestFor(target: Target, attempt: number): UpstreamRequest | Refusal {
    const { exchange, parts } = this;
    const path = pathOf(exchange, target);
    if (typeof path !== 'string') return path;
    const { method } = exchange.draft?.head ?? exchange.request!;
    this.span = exchange.span?.context.sampled
      ? parts.tracer.start(method, {
          kind: 'client',
          parent: exchange.span.context,
          attributes: {
            [semconv.httpMethod]: method,
            [semconv.serverAddress]: target.client.authority,
            ...(attempt > 1 && { [semconv.attempt]: attempt }),
          },
        })
      : undefined;
    exchange.upstreamHost = target.client.authority;
    const fields = this.fieldsFor(target, this.span?.context);
    this.attempts += 1;
    exchange.arrivals += 1;
    return { method, path, fields, body: this.bytes, timeouts: this.timeouts };
  }

  attemptFailed(target: Target, _: number, status: number, refusal: Refusal | undefined): void {
    this.endSpan(status, refusal?.code);
    const code = refusal?.code;
    this.attempts -= 1;
    if (refusal && (refusal.unsent || UNCONNECTED.has(refusal.code))) this.exchange.arrivals -= 1;
    (this.exchange.failedAttempts ??= []).push({ host: target.client.authority, status, ...(code && { code }) });
  }

  /** Sends a copy of what was sent. */
  mirror(settings: NonNullable<Exchange['route']['mirror']>): void {
    const { exchange, parts, bytes } = this;
    mirror(exchange, parts, settings, bytes, (target, timeouts) => {
      const path = pathOf(exchange, target);
      if (typeof path !== 'string') return path;
      const { method } = exchange.draft?.head ?? exchange.request!;
      const fields = [...this.fieldsFor(target, exchange.trace), 'x-sallyport-mirror', '1'];
      return { method, path, fields, body: bytes, timeouts };
    });
  }

  onHead(status: number, fields: RawFields, mayBeCut?: boolean): void {
    this.status = status;
    if (mayBeCut) this.pipe.mayBeCut = true;
    const ours = fieldsToClient(status, fields);
    if (this.inspected) this.inspected.head(status, ours, fields);
    else this.pipe.head(status, ours);
  }

  onData(chunk: Buffer): boolean {
    return (this.inspected ?? this.pipe).data(chunk);
  }

  onEnd(): void {
    this.endSpan(this.status, undefined);
    if (this.inspected) return this.inspected.end();
    this.exchange.outcome ??= 'ok';
    this.pipe.end();
  }

  onFailure(refusal: Refusal, phase: ForwardPhase): void {
    const { exchange, parts } = this;
    this.endSpan(0, refusal.code);
    // Without an attempt nobody was found for another one; those before it had ended.
    if (phase === 'connect' && this.attempts > 0) exchange.arrivals -= 1;
    exchange.outcome = outcomeOf(refusal);
    if (phase !== 'response' && attempt(exchange, parts, () => standIn(exchange, parts, refusal))) return;
    if (phase !== 'response' || exchange.answer.replaceable) return parts.refuse(exchange, refusal);
    exchange.refusal = refusal;
    exchange.answer.destroy();
  }

  protected fieldsFor(target: Target, context: Exchange['trace']): RawFields {
    const { exchange } = this;
    const request = exchange.draft?.head ?? exchange.request!;
    const { trustTrace } = exchange.route;
    const trace = context ?? exchange.trace;
    const facts = {
      requestId: exchange.requestId,
      host: target.client.authority,
      principal: exchange.principal,
      traceparent: trace && formatTraceparent(trace),
      tracestate: trustTrace ? request.field.get('tracestate') : undefined,
      keepBaggage: trustTrace,
      contentLength: lengthOf(this.bytes, this.announced),
    };
    const out = fieldsToUpstream(request, facts, this.endsHere);
    return this.inspected ? [...out, 'accept-encoding', 'identity'] : out;
  }

  protected endSpan(status: number, error: string | undefined): void {
    const { span } = this;
    if (!span) return;
    this.span = undefined;
    if (status > 0) span.set(semconv.httpStatus, status);
    span.end(error === undefined ? undefined : { error });
  }
}

/** With these an attempt ends that had no connection to send anything on. */
const UNCONNECTED: ReadonlySet<string> = new Set(['UPSTREAM_UNREACHABLE', 'UPSTREAM_BUSY']);

const PACKING: readonly string[] = ['accept-encoding'];
const NONE: readonly string[] = [];

export function outcomeOf({ code }: Refusal): NonNullable<Exchange['outcome']> {
  if (code === 'UPSTREAM_TIMEOUT') return 'upstream_timeout';
  return code === 'UPSTREAM_BUSY' || code === 'UPSTREAM_UNHEALTHY' ? 'shed' : 'upstream_error';
}

/** Path and query as a target gets them. */
export function pathOf(exchange: Exchange, target: Target): string | Refusal {
  const { draft } = exchange;
  if (draft) return `${target.basePath}${draft.path}${draft.query === undefined ? '' : `?${draft.query}`}`;
  const { path, query, hasQuery } = exchange.request!;
  const kept = exchange.route.stripPrefix ? withoutPrefix(path, exchange.matched, exchange.request!.oddities) : path;
  if (isRefusal(kept)) return kept;
  return `${target.basePath}${kept}${hasQuery ? `?${query}` : ''}`;
}

/** A body at hand knows its length; a streamed one has the length the caller announced, if any. */
function lengthOf(body: UpstreamBody, announced: number | undefined): number | undefined {
  return body instanceof Uint8Array ? body.length : announced;
}
