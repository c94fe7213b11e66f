import { METHODS } from 'node:http';
import { isRefusal, refuse, type Field, type Refusal, type RequestHead } from '@sallyport/contracts';
import { unwrapAddress, type AddressList } from './address';
import { parseAuthority, type Authority } from './authority';
import { canonicalPath, REFUSED_ODDITIES } from './canonical-path';
import { isFieldName, isHopByHop, isReliedUpon, nameFacts, type NameFacts } from './inbound-fields';
import type { HeadLimits } from './limits';
import { parseMediaType } from './media-type';
import { originOf, type Origin } from './trusted-proxies';

/** What the HTTP parser hands over, before anything is believed. */
export interface RawRequest {
  readonly method: string;
  /** The request target as received. */
  readonly target: string;
  /** Names and values in turn, as received (latin1: one character a byte). */
  readonly rawHeaders: readonly string[];
  /** `1.0`, `1.1` or `2`. */
  readonly httpVersion: string;
  /** Of the connection, or what a PROXY header put in its place. */
  readonly remoteAddress: string;
  /** Whether the connection is TLS. */
  readonly encrypted: boolean;
  /** Whose word on address and scheme is taken; left out: nobody's. */
  readonly trustedProxies?: AddressList | undefined;
  /** Whether the caller's wish to speak WebSocket can be granted at all; otherwise every upgrade is refused. */
  readonly upgradable?: boolean;
  /** Of HTTP/2, which frames a body itself: whether one follows the head. */
  readonly bodyFollows?: boolean | undefined;
}

/** The head everything else reads, with what only the edge needs to know beside it. */
export interface CanonicalRequest extends RequestHead {
  /** The authority without its port: what routes match. */
  readonly host: string;
  /** Lower case; undefined when the media type names none. */
  readonly charset: string | undefined;
  /** Bits of `Oddity`: what the path holds that only some routes take. */
  readonly oddities: number;
  /** The caller waits for `100 Continue` before it sends the body. */
  readonly expectsContinue: boolean;
  /** The caller wants to speak another protocol; only on connections where that can be granted. */
  readonly upgrade: 'websocket' | undefined;
}

const malformed = (reason: string): Refusal => refuse('REQUEST_MALFORMED', { reason });
const tooLarge = (reason: string): Refusal => refuse('HEADERS_TOO_LARGE', { reason });

/** Those that are known and that routes can name, whichever version of HTTP brings them. */
const SERVABLE: ReadonlySet<string> = new Set(METHODS.filter((method) => /^[A-Z]{1,32}$/.test(method)));
/** What is no plain printable text: such values are looked at once more. */
const UNUSUAL = /[^\t\x20-\x7e]/;
const CONTROL_CHARACTER = /[\x00-\x08\x0a-\x1f\x7f]/;
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

  const read = new FieldReader(limits.underscoreNames === 'drop');
  const unreadable = read.all(raw.rawHeaders);
  if (unreadable) return unreadable;
  const framing = readFraming(read, raw);
  if (isRefusal(framing)) return framing;
  const upgrade = readUpgrade(read, raw, framing.hasBody);
  if (isRefusal(upgrade)) return upgrade;
  const expectsContinue = readExpectation(read, raw.httpVersion, framing.hasBody);
  if (isRefusal(expectsContinue)) return expectsContinue;
  const disconnected = read.dropWhatConnectionNames();
  if (disconnected) return disconnected;

  const { address: clientAddress, scheme } = readOrigin(read, raw);
  const named = readHost(read, scheme);
  if (isRefusal(named)) return named;
  const target = readTarget(raw.target, scheme, named);
  if (isRefusal(target)) return target;

  const contentType = read.field.get('content-type');
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
    fields: Object.freeze(read.fields),
    removed: read.removed && Object.freeze(read.removed),
    field: read.field,
    clientAddress,
    contentLength: framing.contentLength,
    hasBody: framing.hasBody,
    mediaType: mediaType?.essence,
    charset: mediaType?.parameters.get('charset')?.toLowerCase(),
    oddities: target.oddities,
    expectsContinue,
    upgrade,
  });
}

/** Refuses a CONNECT: nobody digs tunnels here, and RFC 9112 §3.2.3 has it name a host and a port. */
function refuseTunnel(target: string): Refusal {
  const named = /:\d+$/.test(target) && parseAuthority(target, 'http') !== undefined;
  return named
    ? refuse('METHOD_NOT_ALLOWED', { method: 'CONNECT', allow: SERVED_METHODS })
    : malformed('CONNECT names no host and port');
}

function judgeRequestLine({ method, target, httpVersion }: RawRequest, limits: HeadLimits): Refusal | undefined {
  if (method === 'CONNECT') return refuseTunnel(target);
  if (method === 'TRACE') return refuse('METHOD_NOT_ALLOWED', { method, allow: SERVED_METHODS });
  if (!SERVABLE.has(method)) return malformed('nobody knows its method');
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

const join = (before: string | undefined, value: string): string =>
  before === undefined ? value : `${before},${value}`;

/** Reads the fields in one pass: those that go on, and apart from them those that say something about the connection. */
class FieldReader {
  fields: Field[] = [];
  removed: Field[] | undefined;
  field = new Map<string, string>();
  host: string | undefined;
  contentLength: string | undefined;
  expect: string | undefined;
  /** Several values are joined by comma; so are those below. */
  transferEncoding: string | undefined;
  connection: string | undefined;
  upgrade: string | undefined;
  http2Settings = false;
  forwardedFor: string | undefined;
  forwardedProto: string | undefined;
  private proxyAuthorization = false;

  constructor(private readonly dropUnderscores: boolean) {}

  all(rawHeaders: readonly string[]): Refusal | undefined {
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const facts = nameFacts(rawHeaders[at]!);
      const value = rawHeaders[at + 1]!;
      // Origins that speak CGI read `X_User` and `X-User` as one variable, so the underscore is no way around removal.
      const refusal =
        facts.fault === 'underscore' && this.dropUnderscores
          ? judgeValue(facts, value)
          : (judgeField(facts, value) ?? (facts.endsHere ? this.note(facts, value) : this.keep(facts, value)));
      if (refusal) return refusal;
    }
    return undefined;
  }

  private keep({ name, singleton }: NameFacts, value: string): Refusal | undefined {
    const before = this.field.get(name);
    if (before !== undefined && singleton) return malformed(`the field ${name} was sent twice`);
    if (name === 'host') this.host = value;
    else if (name === 'content-length') this.contentLength = value;
    else if (name === 'expect') this.expect = value;
    // RFC 9110 §5.3; cookies would join by semicolon (RFC 9113 §8.2.3), but come once.
    this.field.set(name, before === undefined ? value : `${before}, ${value}`);
    this.fields.push(Object.freeze({ name, value }));
    return undefined;
  }

  private note({ name }: NameFacts, value: string): Refusal | undefined {
    (this.removed ??= []).push(Object.freeze({ name, value }));
    switch (name) {
      case 'connection':
        this.connection = join(this.connection, value);
        break;
      case 'transfer-encoding':
        this.transferEncoding = join(this.transferEncoding, value);
        break;
      case 'upgrade':
        this.upgrade = join(this.upgrade, value);
        break;
      case 'http2-settings':
        this.http2Settings = true;
        break;
      case 'x-forwarded-for':
        this.forwardedFor = join(this.forwardedFor, value);
        break;
      case 'x-forwarded-proto':
        this.forwardedProto = join(this.forwardedProto, value);
        break;
      case 'proxy-authorization':
        if (this.proxyAuthorization) return malformed(`the field ${name} was sent twice`);
        this.proxyAuthorization = true;
    }
    return undefined;
  }

  /** Lets the fields end here that Connection names (RFC 9110 §7.6.1). */
  dropWhatConnectionNames(): Refusal | undefined {
    if (this.connection === undefined || KEPT_ALIVE.has(this.connection)) return undefined;
    const dropped = new Set<string>();
    for (const member of this.connection.split(',')) {
      const name = member.trim().toLowerCase();
      if (name === '' || isHopByHop(name)) continue;
      if (!isFieldName(name)) return malformed('Connection names something that is no field');
      if (isReliedUpon(name)) return malformed(`Connection names ${name}, which does not end here`);
      dropped.add(name);
    }
    if (dropped.size === 0) return undefined;
    this.removed!.push(...this.fields.filter(({ name }) => dropped.has(name)));
    this.fields = this.fields.filter(({ name }) => !dropped.has(name));
    for (const name of dropped) this.field.delete(name);
    return undefined;
  }
}

/** What nearly every Connection field says, which names no field. */
const KEPT_ALIVE: ReadonlySet<string> = new Set(['keep-alive', 'close', 'Keep-Alive', 'Close']);

function judgeField(facts: NameFacts, value: string): Refusal | undefined {
  if (facts.fault === 'underscore') return malformed('a field name holds an underscore');
  if (facts.fault === 'token') return malformed('a field name is not a token');
  return judgeValue(facts, value);
}

function judgeValue({ name, interpreted }: NameFacts, value: string): Refusal | undefined {
  if (!UNUSUAL.test(value)) return undefined;
  if (CONTROL_CHARACTER.test(value)) return malformed('a field value holds a control character');
  return interpreted ? malformed(`the field ${name} holds a byte above 0x7F`) : undefined;
}

/** RFC 9112 §6: one way to say where the body ends, or none. */
function readFraming(
  { contentLength, transferEncoding }: FieldReader,
  { httpVersion: version, bodyFollows = false }: RawRequest,
): { contentLength: number | undefined; hasBody: boolean } | Refusal {
  if (transferEncoding !== undefined) {
    if (version !== '1.1') return malformed('Transfer-Encoding needs HTTP/1.1');
    if (contentLength !== undefined) return malformed('Content-Length and Transfer-Encoding contradict each other');
    if (transferEncoding.toLowerCase() !== 'chunked') return malformed('the only transfer encoding is chunked');
    return { contentLength: undefined, hasBody: true };
  }
  if (contentLength === undefined) return { contentLength: undefined, hasBody: bodyFollows };
  if (!CONTENT_LENGTH.test(contentLength)) return malformed('Content-Length is not one number');
  return { contentLength: Number(contentLength), hasBody: Number(contentLength) > 0 };
}

/** RFC 9110 §7.8: a switch of protocols is a wish; none but WebSocket (RFC 6455 §4.1) is ever granted. */
function readUpgrade(
  { upgrade, connection, http2Settings }: FieldReader,
  { method, httpVersion, upgradable }: RawRequest,
  hasBody: boolean,
): 'websocket' | undefined | Refusal {
  if (http2Settings) return malformed('HTTP/2 is not begun by an upgrade');
  if (upgrade === undefined) return undefined;
  const meant = connection?.split(',').some((member) => member.trim().toLowerCase() === 'upgrade');
  const isWebSocket = upgrade.toLowerCase() === 'websocket' && method === 'GET' && httpVersion === '1.1' && !hasBody;
  if (!upgradable || !meant || !isWebSocket) return malformed('no upgrade of the protocol is served here');
  return 'websocket';
}

/** RFC 9110 §10.1.1: one expectation exists; HTTP/1.0 has none. */
function readExpectation({ expect }: FieldReader, version: string, hasBody: boolean): boolean | Refusal {
  if (expect === undefined) return false;
  if (expect.toLowerCase() !== '100-continue') return malformed('Expect asks for something unknown');
  return hasBody && version === '1.1';
}

function readOrigin(read: FieldReader, { remoteAddress, encrypted, trustedProxies }: RawRequest): Origin {
  const peer: Origin = { address: unwrapAddress(remoteAddress), scheme: encrypted ? 'https' : 'http' };
  return trustedProxies ? originOf(peer, read, trustedProxies) : peer;
}

/** RFC 9112 §3.2: exactly one Host, and one that could be a host. */
function readHost({ host }: FieldReader, scheme: 'http' | 'https'): Authority | Refusal {
  if (host === undefined) return malformed('Host is missing');
  return parseAuthority(host, scheme) ?? malformed('Host does not name a host');
}

interface Target {
  readonly path: string;
  readonly oddities: number;
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
  // Whether the route takes what is odd is not known before there is one.
  const canonical = canonicalPath(mark < 0 ? origin : origin.slice(0, mark), REFUSED_ODDITIES);
  if ('fault' in canonical) return malformed(canonical.fault);
  return { path: canonical.path, oddities: canonical.oddities, query, hasQuery: mark >= 0 };
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
