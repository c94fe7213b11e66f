import { hopByHop } from '@sallyport/contracts';

/** Fields that exist once or the request has two meanings; twice is refused. `mcp-*` belongs to them as well. */
const singletons: ReadonlySet<string> = new Set([
  'anthropic-version',
  'api-key',
  'authorization',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'cookie',
  'date',
  'dpop',
  'expect',
  'from',
  'host',
  'idempotency-key',
  'if-modified-since',
  'if-range',
  'if-unmodified-since',
  'last-event-id',
  'max-forwards',
  'origin',
  'proxy-authorization',
  'range',
  'referer',
  'traceparent',
  'user-agent',
  'x-api-key',
  'x-goog-api-key',
  'x-request-id',
]);

export function isSingleton(name: string): boolean {
  return singletons.has(name) || name.startsWith('mcp-');
}

/** Fields whose value decides something here, so that a byte above 0x7F in them would be read differently elsewhere. */
const interpreted: ReadonlySet<string> = new Set([
  'api-key',
  'authorization',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'idempotency-key',
  'traceparent',
  'tracestate',
  'transfer-encoding',
  'upgrade',
  'x-api-key',
  'x-goog-api-key',
  'x-request-id',
]);

export function isInterpreted(name: string): boolean {
  return interpreted.has(name) || name.startsWith('mcp-');
}

/** What a caller could use to say who it is, where it comes from, or that it means another request than it sends. */
const impersonatingNames: ReadonlySet<string> = new Set([
  'forwarded',
  'remote-user',
  'true-client-ip',
  'x-client-cert',
  'x-client-ip',
  'x-cluster-client-ip',
  'x-forwarded',
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-real-ip',
  'x-remote-user',
  'x-rewrite-url',
]);
const impersonatingPrefixes = [
  'x-sallyport-',
  'x-forwarded-',
  'x-original-',
  'x-user',
  'x-consumer',
  'x-authenticated-',
] as const;

/**
 * Whether a field is removed from every inbound request, whatever the route.
 * @param name in lower case; `_` counts as `-`, since many origins fold the two into one variable.
 */
export function isImpersonating(name: string): boolean {
  const folded = name.includes('_') ? name.replaceAll('_', '-') : name;
  return impersonatingNames.has(folded) || impersonatingPrefixes.some((prefix) => folded.startsWith(prefix));
}

/** Whether Connection may not name the field: removing it would change who asks for what (RFC 9110 §7.6.1). */
export function isReliedUpon(name: string): boolean {
  return isSingleton(name) || name.startsWith('content-') || name.startsWith('x-sallyport-');
}

export function isHopByHop(name: string): boolean {
  return hopByHop.has(name);
}
