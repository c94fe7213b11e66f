import { isRefusal, semconv, type Refusal } from '@sallyport/contracts';
import { formatTraceparent } from '@sallyport/platform';
import {
  fieldsToClient,
  fieldsToUpstream,
  withoutPrefix,
  type ForwardSink,
  type IncomingBody,
  type UpstreamBody,
} from '@sallyport/proxy';
import type { Exchange } from '../exchange';
import type { GatewayParts } from '../gateway-parts';
import { inspectBody } from '../inspect';
import type { Target } from './upstreams';

/** Forwards an admitted request to its upstream, streaming both ways. */
export function sendUpstream(exchange: Exchange, parts: GatewayParts): void {
  if (!exchange.request!.hasBody) return forward(exchange, parts, undefined);
  inspectBody(exchange, parts, false, (body) => forward(exchange, parts, body));
}

function forward(exchange: Exchange, parts: GatewayParts, body: IncomingBody | undefined): void {
  const target = parts.upstreams.pick(exchange.route.upstream);
  if (isRefusal(target)) return parts.refuse(exchange, target);
  const path = pathOf(exchange, target);
  if (typeof path !== 'string') return parts.refuse(exchange, path);

  const request = exchange.request!;
  const { route } = exchange;
  const upstream = exchange.configuration!.upstreams.get(route.upstream)!;
  const bytes: UpstreamBody = body?.release();
  const span = exchange.span?.context.sampled
    ? parts.tracer.start(request.method, {
        kind: 'client',
        parent: exchange.span.context,
        attributes: { [semconv.httpMethod]: request.method, [semconv.serverAddress]: target.client.authority },
      })
    : undefined;
  exchange.upstreamHost = target.client.authority;

  const fields = fieldsToUpstream(request, {
    requestId: exchange.requestId,
    host: target.client.authority,
    principal: exchange.principal,
    traceparent: exchange.trace && formatTraceparent(span?.context ?? exchange.trace),
    tracestate: route.trustTrace ? request.field.get('tracestate') : undefined,
    keepBaggage: route.trustTrace,
    contentLength: lengthOf(bytes, request.contentLength),
  });
  const { timeouts } = upstream;
  const sink = answerSink(exchange, parts, (status, error) => {
    if (status !== undefined) span?.set(semconv.httpStatus, status);
    span?.end(error === undefined ? undefined : { error });
  });
  const forwarding = target.client.forward({ method: request.method, path, fields, body: bytes, timeouts }, sink);
  exchange.answer.onDrain(() => forwarding.resume());
  exchange.onClose(() => forwarding.abort());
}

function answerSink(
  exchange: Exchange,
  parts: GatewayParts,
  settled: (status?: number, error?: string) => void,
): ForwardSink {
  const { answer } = exchange;
  return {
    onHead: (status, fields) => {
      const ours = exchange.commonFields(parts.showConfigVersion);
      answer.head(status, [...fieldsToClient(status, fields), ...ours]);
    },
    onData: (chunk) => answer.data(chunk),
    onEnd: () => {
      settled(answer.status);
      exchange.outcome ??= 'ok';
      answer.end();
    },
    onFailure: (refusal: Refusal, phase) => {
      settled(undefined, refusal.code);
      exchange.outcome = refusal.code === 'UPSTREAM_TIMEOUT' ? 'upstream_timeout' : 'upstream_error';
      if (phase !== 'response') return parts.refuse(exchange, refusal);
      exchange.refusal = refusal;
      answer.destroy();
    },
  };
}

function pathOf(exchange: Exchange, target: Target): string | Refusal {
  const { path, query, hasQuery } = exchange.request!;
  const kept = exchange.route.stripPrefix ? withoutPrefix(path, exchange.matched) : path;
  if (isRefusal(kept)) return kept;
  return `${target.basePath}${kept}${hasQuery ? `?${query}` : ''}`;
}

/** A body at hand knows its length; a streamed one has the length the caller announced, if any. */
function lengthOf(body: UpstreamBody, announced: number | undefined): number | undefined {
  return body instanceof Uint8Array ? body.length : announced;
}
