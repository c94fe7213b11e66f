import { headers, type Principal, type RequestHead } from '@sallyport/contracts';
import { isHopByHop } from './inbound-fields';
import type { RawFields } from './raw-fields';

/** What the gateway knows of an exchange when it forwards it. */
export interface ForwardedFacts {
  readonly requestId: string;
  /** Whom to name in Host: the upstream's authority, or the client's where the route preserves it. */
  readonly host: string;
  /** Undefined for anonymous callers. */
  readonly principal: Principal | undefined;
  /** Our own trace context; undefined sends none. */
  readonly traceparent: string | undefined;
  readonly tracestate?: string | undefined;
  /** Whether the caller's baggage may pass: only from callers whose trace is continued. */
  readonly keepBaggage?: boolean;
  /** Length of the body that will be sent; undefined: none, or chunked. */
  readonly contentLength: number | undefined;
}

/**
 * Fields of a request that end here: framing and Host are made anew, trace context is ours, and the caller's credential
 * never leaves the gateway.
 */
const endsHere: ReadonlySet<string> = new Set([
  'authorization',
  'content-length',
  'dpop',
  'expect',
  'host',
  'traceparent',
  'tracestate',
  headers.correlationId,
]);

/** Bytes that may stand in a field value (RFC 9110 §5.5). */
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** Names of principals are text of any kind; a field takes them percent-encoded where they are not plain. */
function plain(text: string): string {
  return /^[\x21-\x24\x26-\x7e]*$/.test(text) ? text : encodeURIComponent(text.toWellFormed());
}

/**
 * The fields of a request to an upstream: the caller's as far as they go on, then ours, each once.
 * @param dropped names of further fields that end here, such as the one a dialect carries its key in; lower case
 */
export function fieldsToUpstream(head: RequestHead, facts: ForwardedFacts, dropped: readonly string[] = []): RawFields {
  const out: string[] = ['host', facts.host];
  for (const { name, value } of head.fields) {
    if (isKeptInside(name) || dropped.includes(name)) continue;
    if (name === 'baggage' && !facts.keepBaggage) continue;
    out.push(name, value);
  }
  out.push(headers.requestId, facts.requestId);
  tellOfCaller(out, head, facts.principal);
  if (facts.traceparent !== undefined) out.push('traceparent', facts.traceparent);
  if (facts.traceparent !== undefined && facts.tracestate) out.push('tracestate', facts.tracestate);
  if (facts.contentLength !== undefined) out.push('content-length', String(facts.contentLength));
  return out;
}

function tellOfCaller(out: string[], head: RequestHead, principal: Principal | undefined): void {
  out.push('x-forwarded-for', head.clientAddress, 'x-forwarded-proto', head.scheme, 'x-forwarded-host', head.authority);
  if (!principal) return;
  const { subject, consumer, tenant } = principal;
  out.push(headers.subject, plain(subject), headers.consumer, plain(consumer), headers.tenant, plain(tenant));
}

/** What an upstream is told in our name of whoever asks: the same with each request of that caller. */
export function callerFields(head: RequestHead, principal: Principal | undefined): RawFields {
  const out: string[] = [];
  tellOfCaller(out, head, principal);
  return out;
}

const madeEachTime: ReadonlySet<string> = new Set([headers.requestId, 'traceparent']);

/**
 * Whether we give an upstream another value of the field with every request, so that two are never asked in the same way.
 * @param name in lower case
 */
export function isMadeEachTime(name: string): boolean {
  return madeEachTime.has(name);
}

/** Whether a field of a request ends at the gateway, whatever a policy makes of it. @param name in lower case */
export function isKeptInside(name: string): boolean {
  return endsHere.has(name) || isHopByHop(name);
}

/** Fields of an answer that are the upstream's own affair, or would speak in our name. */
function staysBehind(name: string): boolean {
  return isHopByHop(name) || name === 'server' || name === 'x-powered-by' || name.startsWith('x-sallyport-');
}

/**
 * The fields of an upstream's answer that go to the client: nothing of the upstream's connection, nothing that names
 * its software, nothing in our name.
 */
export function fieldsToClient(status: number, fields: RawFields): RawFields {
  const named = connectionNames(fields);
  // RFC 9110 §8.6: an answer that never has a body has no length either.
  const withoutLength = status === 204 || status === 101;
  const out: string[] = [];
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!;
    if (staysBehind(name) || named.has(name) || (withoutLength && name === 'content-length')) continue;
    out.push(name, fields[at + 1]!);
  }
  return out;
}

const NOTHING_NAMED: ReadonlySet<string> = new Set();
/** Without these the client would read another answer than the upstream gave, so Connection cannot take them away. */
const neverNamed: ReadonlySet<string> = new Set(['content-length', 'content-type', 'content-encoding', 'set-cookie']);

function connectionNames(fields: RawFields): ReadonlySet<string> {
  let names: Set<string> | undefined;
  for (let at = 0; at < fields.length; at += 2) {
    // What nearly every answer says names a field that ends here by itself.
    if (fields[at] !== 'connection' || fields[at + 1] === 'keep-alive') continue;
    for (const member of fields[at + 1]!.split(',')) {
      const name = member.trim().toLowerCase();
      if (!neverNamed.has(name)) (names ??= new Set()).add(name);
    }
  }
  return names ?? NOTHING_NAMED;
}

/** Whether a field of an answer could be written to a client as it is. */
export function isSendable(name: string, value: string): boolean {
  return isName(name) && !NOT_IN_VALUE.test(value);
}

const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** Nearly all fields have one of few names; those that come later than these are looked at each time. */
const MOST_KNOWN = 512;
const known = new Set<string>();

function isName(name: string): boolean {
  if (known.has(name)) return true;
  if (!NAME.test(name)) return false;
  if (known.size < MOST_KNOWN && name.length <= 64) known.add(name);
  return true;
}
