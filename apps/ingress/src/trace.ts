import { semconv } from '@sallyport/contracts';
import { parseTraceparent, type Span, type Tracer } from '@sallyport/platform';
import type { Exchange } from './exchange';

const KNOWN_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Opens the server span: a child of the caller's where the route trusts its trace, else linked to it. */
export function beginTrace(exchange: Exchange, tracer: Tracer): void {
  const request = exchange.request!;
  const caller = parseTraceparent(request.field.get('traceparent'));
  const trusted = caller !== undefined && exchange.compiled?.route.trustTrace === true;
  const state = request.field.get('tracestate');
  const method = KNOWN_METHODS.has(request.method) ? request.method : '_OTHER';
  const route = exchange.compiled?.route;
  exchange.callerTrace = caller;
  exchange.span = tracer.start(route ? `${method} ${route.match.pathPrefix}` : method, {
    kind: 'server',
    ...(trusted && { parent: { ...caller, ...(state !== undefined && { state }) } }),
    ...(caller && !trusted && { links: [caller] }),
    startTime: exchange.startedAt,
    attributes: {
      [semconv.httpMethod]: method,
      [semconv.urlScheme]: request.scheme,
      [semconv.urlPath]: request.path,
      [semconv.protocolVersion]: request.version,
      [semconv.requestId]: exchange.requestId,
      ...(route && { [semconv.httpRoute]: route.match.pathPrefix, [semconv.routeClass]: route.class }),
      ...(exchange.configuration && { [semconv.configVersion]: exchange.configuration.revision }),
    },
  });
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
