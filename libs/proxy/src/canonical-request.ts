import { isRefusal, refuse, type Field, type Refusal, type RequestHead } from '@sallyport/contracts';
import { parseAuthority, type Authority } from './authority';
import { canonicalPath } from './canonical-path';
import { isHopByHop, isImpersonating, isInterpreted, isReliedUpon, isSingleton } from './inbound-fields';
import { unwrapAddress } from './address';
import type { HeadLimits } from './limits';
import { parseMediaType } from './media-type';

/** What the HTTP parser hands over, before anything is believed. */
export interface RawRequest {
  readonly method: string;
  /** The request target as received. */
  readonly target: string;
  /** Names and values in turn, as received (latin1: one character a byte). */
  readonly rawHeaders: readonly string[];
  readonly httpVersion: string;
  readonly remoteAddress: string;
  /** Whether the connection is TLS. */
  readonly encrypted: boolean;
}

/** The head everything else reads, with what only the edge needs to know beside it. */
export interface CanonicalRequest extends RequestHead {
  /** The authority without its port: what routes match. */
  readonly host: string;
  /** Lower case; undefined when the media type names none. */
  readonly charset: string | undefined;
}

const malformed = (reason: string): Refusal => refuse('REQUEST_MALFORMED', { reason });
const tooLarge = (reason: string): Refusal => refuse('HEADERS_TOO_LARGE', { reason });

const METHOD = /^[A-Z][A-Z-]{0,31}$/;
const FIELD_NAME = /^[!#$%&'*+.^`|~0-9A-Za-z-]+$/;
const CONTROL_CHARACTER = /[\x00-\x08\x0a-\x1f\x7f]/;
const ABOVE_ASCII = /[\x80-\uffff]/;
const CONTENT_LENGTH = /^\d{1,15}$/;
const NOT_IN_QUERY = /[^\x21-\x7e]/;
const SCHEME = /^(https?):\/\/([^/?#]*)/i;
const SERVED_METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';

/**
 * Parses a request head once into the frozen value that routing, policies, inspection, audit and forwarding share.
 * Reads nothing but its arguments; what could be understood in two ways is refused, never repaired.
 *
 * @returns the head, or REQUEST_MALFORMED, METHOD_NOT_ALLOWED, URI_TOO_LONG or HEADERS_TOO_LARGE. After a refusal the
 *   framing of the connection cannot be trusted: answer and close.
 */
export function canonicalRequest(raw: RawRequest, limits: HeadLimits): CanonicalRequest | Refusal {
  const refused = judgeRequestLine(raw, limits) ?? judgeWeight(raw.rawHeaders, limits);
  if (refused) return refused;

  const received = readFields(raw.rawHeaders);
  if (isRefusal(received)) return received;
  const framing = readFraming(received, raw.httpVersion);
  if (isRefusal(framing)) return framing;
  const dropped = readConnection(received);
  if (isRefusal(dropped)) return dropped;

  const scheme = raw.encrypted ? 'https' : 'http';
  const named = readHost(received, scheme);
  if (isRefusal(named)) return named;
  const target = readTarget(raw.target, scheme, named);
  if (isRefusal(target)) return target;

  const fields = received.filter(({ name }) => !isHopByHop(name) && !dropped.has(name) && !isImpersonating(name));
  const field = joinFields(fields);
  const contentType = field.get('content-type');
  const mediaType = contentType === undefined ? undefined : parseMediaType(contentType);
  return Object.freeze({
    method: raw.method,
    scheme,
    authority: named.authority,
    host: named.host,
    path: target.path,
    query: target.query,
    hasQuery: target.hasQuery,
    rawTarget: raw.target,
    version: raw.httpVersion as '1.0' | '1.1' | '2',
    fields: Object.freeze(fields),
    field,
    clientAddress: unwrapAddress(raw.remoteAddress),
    contentLength: framing.contentLength,
    hasBody: framing.hasBody,
    mediaType: mediaType?.essence,
    charset: mediaType?.parameters.get('charset')?.toLowerCase(),
  });
}

function judgeRequestLine({ method, target, httpVersion }: RawRequest, limits: HeadLimits): Refusal | undefined {
  if (method === 'TRACE' || method === 'CONNECT')
    return refuse('METHOD_NOT_ALLOWED', { method, allow: SERVED_METHODS });
  if (!METHOD.test(method)) return malformed('the method is not a name in capital letters');
  if (httpVersion !== '1.1' && httpVersion !== '1.0' && httpVersion !== '2')
    return malformed('the version of HTTP is not served');
  if (target.length > limits.targetBytes) return refuse('URI_TOO_LONG', { maxBytes: limits.targetBytes });
  return undefined;
}

/** Counts what came over the wire, before names are known to be good: policies must see every field, so none is cut. */
function judgeWeight(rawHeaders: readonly string[], limits: HeadLimits): Refusal | undefined {
  if (rawHeaders.length > limits.fields * 2) return tooLarge(`more than ${limits.fields} fields`);
  let block = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const bytes = rawHeaders[at]!.length + rawHeaders[at + 1]!.length;
    if (bytes > limits.fieldBytes) return tooLarge(`one field is longer than ${limits.fieldBytes} bytes`);
    block += bytes + 4; // ": " and the line end
  }
  return block > limits.blockBytes
    ? tooLarge(`all fields together are longer than ${limits.blockBytes} bytes`)
    : undefined;
}

function readFields(rawHeaders: readonly string[]): Field[] | Refusal {
  const fields: Field[] = [];
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase();
    const value = rawHeaders[at + 1]!;
    // Origins that speak CGI read `X_User` and `X-User` as one variable, so the underscore is no way around removal.
    if (name.includes('_')) return malformed('a field name holds an underscore');
    if (!FIELD_NAME.test(name)) return malformed('a field name is not a token');
    if (CONTROL_CHARACTER.test(value)) return malformed('a field value holds a control character');
    if (isInterpreted(name) && ABOVE_ASCII.test(value)) return malformed(`the field ${name} holds a byte above 0x7F`);
    if (isSingleton(name) && seen.has(name)) return malformed(`the field ${name} was sent twice`);
    seen.add(name);
    fields.push(Object.freeze({ name, value }));
  }
  return fields;
}

function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter((field) => field.name === name).map(({ value }) => value);
}

/** RFC 9112 §6: one way to say where the body ends, or none. */
function readFraming(
  fields: readonly Field[],
  version: string,
): { contentLength: number | undefined; hasBody: boolean } | Refusal {
  const [length] = valuesOf(fields, 'content-length');
  const encodings = valuesOf(fields, 'transfer-encoding');
  if (encodings.length > 0) {
    if (version !== '1.1') return malformed('Transfer-Encoding needs HTTP/1.1');
    if (length !== undefined) return malformed('Content-Length and Transfer-Encoding contradict each other');
    if (encodings.length > 1 || encodings[0]!.toLowerCase() !== 'chunked')
      return malformed('the only transfer encoding is chunked');
    return { contentLength: undefined, hasBody: true };
  }
  if (length === undefined) return { contentLength: undefined, hasBody: false };
  if (!CONTENT_LENGTH.test(length)) return malformed('Content-Length is not one number');
  return { contentLength: Number(length), hasBody: Number(length) > 0 };
}

const NOTHING_DROPPED: ReadonlySet<string> = new Set();

/** @returns the fields that end here because Connection names them (RFC 9110 §7.6.1). */
function readConnection(fields: readonly Field[]): ReadonlySet<string> | Refusal {
  if (fields.some(({ name }) => name === 'upgrade')) return malformed('no upgrade of the protocol is served here');
  const lists = valuesOf(fields, 'connection');
  if (lists.length === 0) return NOTHING_DROPPED;
  const named = new Set<string>();
  for (const member of lists.join(',').split(',')) {
    const name = member.trim().toLowerCase();
    if (name === '') continue;
    if (!FIELD_NAME.test(name)) return malformed('Connection names something that is no field');
    if (isReliedUpon(name)) return malformed(`Connection names ${name}, which does not end here`);
    named.add(name);
  }
  return named;
}

/** RFC 9112 §3.2: exactly one Host, and one that could be a host. */
function readHost(fields: readonly Field[], scheme: 'http' | 'https'): Authority | Refusal {
  const [host] = valuesOf(fields, 'host');
  if (host === undefined) return malformed('Host is missing');
  return parseAuthority(host, scheme) ?? malformed('Host does not name a host');
}

interface Target {
  readonly path: string;
  readonly query: string;
  readonly hasQuery: boolean;
}

function readTarget(target: string, scheme: 'http' | 'https', named: Authority): Target | Refusal {
  const origin = toOriginForm(target, scheme, named);
  if (isRefusal(origin)) return origin;
  if (origin.includes('#')) return malformed('the target holds a fragment');
  const mark = origin.indexOf('?');
  const query = mark < 0 ? '' : origin.slice(mark + 1);
  if (NOT_IN_QUERY.test(query)) return malformed('the query holds a character that must be escaped');
  const canonical = canonicalPath(mark < 0 ? origin : origin.slice(0, mark));
  return 'fault' in canonical ? malformed(canonical.fault) : { path: canonical.path, query, hasQuery: mark >= 0 };
}

/** RFC 9112 §3.2.2: an absolute target overrides Host, so it may only repeat it. */
function toOriginForm(target: string, scheme: 'http' | 'https', named: Authority): string | Refusal {
  if (target.startsWith('/')) return target;
  const absolute = SCHEME.exec(target);
  if (!absolute) return malformed('the target is not a path');
  const repeated = parseAuthority(absolute[2]!, scheme);
  if (absolute[1]!.toLowerCase() !== scheme || repeated?.authority !== named.authority)
    return malformed('the target names another host than Host does');
  const rest = target.slice(absolute[0].length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

/** RFC 9110 §5.3; cookies join by semicolon (RFC 9113 §8.2.3). */
function joinFields(fields: readonly Field[]): ReadonlyMap<string, string> {
  const joined = new Map<string, string>();
  for (const { name, value } of fields) {
    const before = joined.get(name);
    joined.set(name, before === undefined ? value : `${before}${name === 'cookie' ? '; ' : ', '}${value}`);
  }
  return joined;
}
