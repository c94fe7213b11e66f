import { isRefusal, semconv, type Refusal } from '@sallyport/contracts';
import { formatTraceparent } from '@sallyport/platform';
import { fieldsToClient, fieldsToUpstream, withoutPrefix, type ForwardSink, type UpstreamBody } from '@sallyport/proxy';
import type { Exchange } from '../exchange';
import type { GatewayParts } from '../gateway-parts';
import { AnswerPipe } from '../hooks/answer-pipe';
import { prepareRequest, type PreparedBody } from '../hooks/request-hooks';
import type { Target } from './upstreams';

/** Forwards an admitted request to its upstream, streaming both ways. */
export function sendUpstream(exchange: Exchange, parts: GatewayParts): void {
  prepareRequest(exchange, parts, (body) => forward(exchange, parts, body));
}

function forward(exchange: Exchange, parts: GatewayParts, body: PreparedBody | undefined): void {
  const target = parts.upstreams.pick(exchange.route.upstream);
  if (isRefusal(target)) return parts.refuse(exchange, target);
  const path = pathOf(exchange, target);
  if (typeof path !== 'string') return parts.refuse(exchange, path);

  const request = exchange.draft?.head ?? exchange.request!;
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
    contentLength: lengthOf(bytes, body?.announced),
  });
  const { timeouts } = upstream;
  const pipe = new AnswerPipe(exchange, parts, 'upstream');
  const sink = answerSink(exchange, parts, pipe, (status, error) => {
    if (status !== undefined) span?.set(semconv.httpStatus, status);
    span?.end(error === undefined ? undefined : { error });
  });
  const forwarding = target.client.forward({ method: request.method, path, fields, body: bytes, timeouts }, sink);
  pipe.feedFrom(forwarding);
  exchange.onClose(() => forwarding.abort());
}

function answerSink(
  exchange: Exchange,
  parts: GatewayParts,
  pipe: AnswerPipe,
  settled: (status?: number, error?: string) => void,
): ForwardSink {
  const { answer } = exchange;
  let answered = 0;
  return {
    onHead: (status, fields) => {
      answered = status;
      pipe.head(status, fieldsToClient(status, fields));
    },
    onData: (chunk) => pipe.data(chunk),
    onEnd: () => {
      settled(answered);
      exchange.outcome ??= 'ok';
      pipe.end();
    },
    onFailure: (refusal: Refusal, phase) => {
      settled(undefined, refusal.code);
      exchange.outcome = refusal.code === 'UPSTREAM_TIMEOUT' ? 'upstream_timeout' : 'upstream_error';
      if (phase !== 'response' || answer.replaceable) return parts.refuse(exchange, refusal);
      exchange.refusal = refusal;
      answer.destroy();
    },
  };
}

function pathOf(exchange: Exchange, target: Target): string | Refusal {
  const { draft } = exchange;
  if (draft) return `${target.basePath}${draft.path}${draft.query === undefined ? '' : `?${draft.query}`}`;
  const { path, query, hasQuery } = exchange.request!;
  const kept = exchange.route.stripPrefix ? withoutPrefix(path, exchange.matched) : path;
  if (isRefusal(kept)) return kept;
  return `${target.basePath}${kept}${hasQuery ? `?${query}` : ''}`;
}

/** A body at hand knows its length; a streamed one has the length the caller announced, if any. */
function lengthOf(body: UpstreamBody, announced: number | undefined): number | undefined {
  return body instanceof Uint8Array ? body.length : announced;
}
