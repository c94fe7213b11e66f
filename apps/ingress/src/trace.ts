import { semconv } from '@sallyport/contracts';
import { parseTraceparent, type Span, type SpanOptions, type Tracer } from '@sallyport/platform';
import type { Exchange } from './exchange';

const KNOWN_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Opens the server span: a child of the caller's where the route trusts its trace, else linked to it. */
export function beginTrace(exchange: Exchange, tracer: Tracer): void {
  const request = exchange.request!;
  const route = exchange.compiled?.route;
  const method = KNOWN_METHODS.has(request.method) ? request.method : '_OTHER';
  const span = tracer.start(route ? `${method} ${route.match.pathPrefix}` : method, {
    kind: 'server',
    startTime: exchange.startedAt,
    ...followed(exchange),
  });
  exchange.span = span;
  // Nearly every request is not sampled: what nobody will read is not gathered.
  if (!span.context.sampled) return;
  span.set(semconv.httpMethod, method);
  span.set(semconv.urlScheme, request.scheme);
  span.set(semconv.urlPath, request.path);
  span.set(semconv.protocolVersion, request.version);
  span.set(semconv.requestId, exchange.requestId);
  if (route) span.set(semconv.httpRoute, route.match.pathPrefix);
  if (route) span.set(semconv.routeClass, route.class);
  if (exchange.configuration) span.set(semconv.configVersion, exchange.configuration.revision);
}

/** What the span follows: the caller's trace as parent, or as a mere link, or nothing. */
function followed(exchange: Exchange): Pick<SpanOptions, 'parent' | 'links'> | undefined {
  const { field } = exchange.request!;
  const caller = parseTraceparent(field.get('traceparent'));
  if (!caller) return undefined;
  exchange.callerTrace = caller;
  if (exchange.compiled?.route.trustTrace !== true) return { links: [caller] };
  const state = field.get('tracestate');
  return { parent: state === undefined ? caller : { ...caller, state } };
}

/** A span around one consult; none for a request that is not sampled. */
export function consultSpan(exchange: Exchange, tracer: Tracer, service: string): Span | undefined {
  const parent = exchange.span?.context;
  if (!parent?.sampled) return undefined;
  return tracer.start(`consult ${service}`, {
    kind: 'client',
    parent,
    attributes: { [semconv.consultService]: service },
  });
}
