import { refuse, semconv, type Refusal } from '@sallyport/contracts';
import {
  BodyCap,
  fieldsToClient,
  fieldValue,
  limits,
  type CanonicalRequest,
  type ForwardPhase,
  type RawFields,
  type UpstreamRequest,
} from '@sallyport/proxy';
import type { Outcome } from '@sallyport/trail';
import type { Exchange } from '../exchange';
import type { GatewayParts } from '../gateway-parts';
import { prepareRequest } from '../hooks/request-hooks';
import { outcomeOf, ProxiedCall, sendThrough } from './proxied-api';
import type { Target } from './upstreams';

/** Whether a request is a call of gRPC; gRPC-Web is not. */
export function isGrpc({ mediaType, method }: CanonicalRequest): boolean {
  return method === 'POST' && (mediaType === 'application/grpc' || mediaType?.startsWith('application/grpc+') === true);
}

/** A call lasts as long as its caller waits: the body may take all that time, and weigh what the route says or anything. */
export function expectStreams(exchange: Exchange): void {
  const { compiled, route } = exchange;
  exchange.bounds = { ...exchange.bounds, requestSeconds: exchange.bounds.streamSeconds, uploadBytesPerSecond: 0 };
  if (route.limits?.bodyBytes === undefined && !compiled!.limitsBody)
    exchange.body = new BodyCap(limits.body.ceilingBytes);
}

/** Forwards an admitted call of gRPC: messages and trailers both ways, for as long as its caller waits. */
export function sendGrpc(exchange: Exchange, parts: GatewayParts): void {
  const { field } = exchange.request!;
  const given = field.get('grpc-timeout');
  const wanted = given === undefined ? undefined : timeoutMs(given);
  if (given !== undefined && wanted === undefined)
    return parts.refuse(exchange, refuse('REQUEST_MALFORMED', { reason: 'grpc-timeout is no duration' }));
  const most = exchange.bounds.streamSeconds * 1000;
  const deadline = exchange.startedAt + Math.min(wanted ?? most, most);
  const left = deadline - parts.clock.now();
  const late = (): void => {
    exchange.outcome = 'upstream_timeout';
    parts.refuse(exchange, refuse('UPSTREAM_TIMEOUT', { seconds: Math.ceil((deadline - exchange.startedAt) / 1000) }));
  };
  if (left <= 0) return late();
  const timer = setTimeout(late, left);
  exchange.onClose(() => clearTimeout(timer));
  prepareRequest(exchange, parts, (body) => {
    sendThrough(exchange, parts, (group) => {
      // The other protocol has no way back for trailers, and a call without a status has failed.
      if (group.settings.protocol !== 'http2')
        return refuse('UPSTREAM_UNREACHABLE', {}, { reason: 'gRPC needs an upstream that speaks HTTP/2' });
      return new GrpcCall(exchange, parts, group, body, deadline);
    });
  });
}

const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

function timeoutMs(text: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  return match ? Number(match[1]) * units[match[2]!]! : undefined;
}

/** One call: as any request, but that its end is told by what follows the body. */
class GrpcCall extends ProxiedCall {
  constructor(
    exchange: Exchange,
    parts: GatewayParts,
    group: ConstructorParameters<typeof ProxiedCall>[2],
    body: ConstructorParameters<typeof ProxiedCall>[3],
    /** Milliseconds since the epoch. */
    private readonly deadline: number,
  ) {
    super(exchange, parts, group, body);
  }

  /** A stream may be silent for as long as the call may last; the deadline has its own timer. */
  protected override get timeouts(): UpstreamRequest['timeouts'] {
    const left = Math.ceil(this.left) + GRACE_MS;
    return { ...super.timeouts, firstByteMs: left, idleMs: left, sendMs: left };
  }

  protected override fieldsFor(target: Target, context: Exchange['trace']): RawFields {
    const fields = super.fieldsFor(target, context);
    const out = ['te', 'trailers', 'grpc-timeout', `${Math.max(1, Math.floor(this.left))}m`];
    for (let at = 0; at < fields.length; at += 2)
      if (fields[at] !== 'grpc-timeout') out.push(fields[at]!, fields[at + 1]!);
    return out;
  }

  override onHead(status: number, fields: RawFields): void {
    const { response } = this.exchange;
    const only = fieldValue(fields, 'grpc-status');
    // Without messages the status stands in the head, and the head is all there is.
    if (only !== undefined) this.noteStatus(only);
    else response.expectTrailers?.();
    super.onHead(status, fields);
    if (only === undefined && response.headersSent) response.flushHeaders();
  }

  onTrailers(fields: RawFields): void {
    const status = fieldValue(fields, 'grpc-status');
    if (status !== undefined) this.noteStatus(status);
    this.exchange.response.trailers?.(fieldsToClient(this.status, fields));
  }

  override onFailure(refusal: Refusal, phase: ForwardPhase): void {
    if (phase !== 'response') return super.onFailure(refusal, phase);
    const { exchange, parts } = this;
    exchange.outcome ??= outcomeOf(refusal);
    parts.refuse(exchange, refusal);
  }

  private noteStatus(text: string): void {
    const { exchange } = this;
    const status = Number(text);
    if (!Number.isInteger(status)) return;
    exchange.grpcStatus = status;
    exchange.outcome ??= outcomes[status] ?? 'ok';
    exchange.span?.set(semconv.rpcGrpcStatus, status);
  }

  /** Milliseconds. */
  private get left(): number {
    return this.deadline - this.parts.clock.now();
  }
}

/** So that it is the deadline that ends a call, and not what waits for a byte. */
const GRACE_MS = 1_000;

/** What a status says of the upstream; every other is an answer. */
const outcomes: Readonly<Record<number, Outcome>> = {
  2: 'upstream_error', // UNKNOWN
  4: 'upstream_timeout', // DEADLINE_EXCEEDED
  13: 'upstream_error', // INTERNAL
  14: 'upstream_error', // UNAVAILABLE
  15: 'upstream_error', // DATA_LOSS
};
