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
  // RFC 9440 §4: whoever ends TLS removes them, or anybody shows a certificate without its key.
  'client-cert',
  'client-cert-chain',
  'forwarded',
  // Behind CGI it is HTTP_PROXY, where programs look for the proxy of their own requests (CVE-2016-5385).
  'proxy',
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

/**
 * Whether a field is of no use to a configuration, because nothing behind the parser ever sees it.
 * @param name in lower case
 */
export function endsHere(name: string): boolean {
  return isHopByHop(name) || isImpersonating(name);
}

const FIELD_NAME = /^[!#$%&'*+.^`|~0-9A-Za-z-]+$/;

export function isFieldName(text: string): boolean {
  return FIELD_NAME.test(text);
}

/** Everything that is decided by the name of a field alone. */
export interface NameFacts {
  /** In lower case. */
  readonly name: string;
  /** What is wrong with the name itself. */
  readonly fault: 'underscore' | 'token' | undefined;
  readonly singleton: boolean;
  readonly interpreted: boolean;
  /** Ends here, whatever it says: it is about this connection, or speaks in the name of others. */
  readonly endsHere: boolean;
}

function judgeName(raw: string): NameFacts {
  const name = raw.toLowerCase();
  return Object.freeze({
    name,
    // An underscore excuses nothing else: where such fields are dropped, a line that is none would be.
    fault: !isFieldName(name.replaceAll('_', '-')) ? 'token' : name.includes('_') ? 'underscore' : undefined,
    singleton: isSingleton(name),
    interpreted: isInterpreted(name),
    endsHere: endsHere(name),
  });
}

/** Clients use few names, each in one spelling; the bound keeps a hostile one from filling the memory. */
const MAX_KNOWN = 1_024;
const MAX_KNOWN_LENGTH = 64;
const known = new Map<string, NameFacts>();

/** A part of a text keeps the whole text alive: what stays is a copy. */
function remember(raw: string): void {
  const copy = Buffer.from(raw, 'latin1').toString('latin1');
  known.set(copy, judgeName(copy));
}

/** Judges a name as received; names that come again are not judged again. */
export function nameFacts(raw: string): NameFacts {
  const before = known.get(raw);
  if (before) return before;
  const facts = judgeName(raw);
  if (known.size < MAX_KNOWN && raw.length <= MAX_KNOWN_LENGTH && facts.fault === undefined) remember(raw);
  return facts;
}
