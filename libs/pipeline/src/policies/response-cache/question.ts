import { createHash } from 'node:crypto';
import {
  canonicalJson,
  type Json,
  type Principal,
  type RequestHead,
  type SnapshotUpstream,
} from '@sallyport/contracts';
import { callerFields, fieldValue, isKeptInside, type RawFields } from '@sallyport/proxy';
import type { FieldDraft, RequestDraft } from '../../draft';
import type { PolicyExchange, PolicyInput } from '../../policy';
import type { FieldReader } from './answer-store';

/** One request as the cache sees it. */
export interface CacheQuestion {
  readonly method: string;
  /** Tenant, scheme and authority; with the target it is the whole URL. */
  readonly site: string;
  /** Path and query as the caller has them: what it changes is forgotten by this name. */
  readonly target: string;
  /** What the upstream does not know of the path: it stands before those it names itself. */
  readonly prefix: string;
  /** The route in its present form, who answers for it, and what that one is asked. */
  readonly route: string;
  /** Whose answers these are: nobody else is given them. */
  readonly owner: string;
  /** Whether the owner is everybody: a caller without any credential. */
  readonly anonymous: boolean;
  /** Answers for everybody are looked up and kept, too. */
  readonly shared: boolean;
  /** As the caller sent them: what it wants of a cache. */
  readonly field: ReadonlyMap<string, string>;
  /** As the upstream is told them: what an answer may be chosen by (RFC 9111 §4.1). */
  readonly forwarded: FieldReader;
  /** A body may decide over the answer, and is no part of the key. */
  readonly hasBody: boolean;
  /** Whether a caller may demand a newer answer than the kept one (RFC 9111 §5.2.1). */
  readonly callerDecides: boolean;
}

/** @param draft after the last policy that edits it: two requests are the same when the upstream is asked the same. */
export function questionOf(
  { request, exchange }: PolicyInput,
  draft: RequestDraft,
  { shared, callerDecides }: { readonly shared: boolean; readonly callerDecides: boolean },
): CacheQuestion {
  const { principal, route } = exchange;
  const secrets = secretsOf(draft.fields.raw);
  return {
    method: request.method,
    site: `${route.tenant} ${request.scheme} ${request.authority}`,
    target: targetOf(request.path, request.hasQuery ? request.query : undefined),
    prefix: route.stripPrefix ? request.path.slice(0, exchange.matched) : '',
    route: `${formOf(exchange)} ${targetOf(draft.path, draft.query)}`,
    owner: `${principal ? ownerOf(principal) : 'guest'} ${secrets}`,
    anonymous: principal === undefined && secrets === '',
    shared,
    callerDecides,
    field: request.field,
    forwarded: new ForwardedFields(request, principal, draft.fields),
    hasBody: request.hasBody,
  };
}

function targetOf(path: string, query: string | undefined): string {
  return query === undefined ? path : `${path}?${query}`;
}

/** The fields of a request as an upstream is told them: those the policies left, and those the gateway makes. */
class ForwardedFields implements FieldReader {
  private ours: RawFields | undefined;

  constructor(
    private readonly request: RequestHead,
    private readonly principal: Principal | undefined,
    private readonly draft: FieldDraft,
  ) {}

  get(name: string): string | undefined {
    this.ours ??= callerFields(this.request, this.principal);
    return fieldValue(this.ours, name) ?? this.draft.get(name);
  }
}

/** Digests of what stays one object as long as it is the same. */
const digests = new WeakMap<object, string>();

function digestOf<Part extends object>(part: Part, telling: (part: Part) => Json): string {
  const known = digests.get(part);
  if (known !== undefined) return known;
  const made = digest(canonicalJson(telling(part)));
  digests.set(part, made);
  return made;
}

/** What a route answered under another configuration, or had answered by somebody else, is not what it answers now. */
function formOf(exchange: PolicyExchange): string {
  const { route } = exchange;
  const own = digestOf(route, (whole) => whole);
  const form = `${route.id}#${own}#${answererOf(exchange, route.upstream)}`;
  // Where it cannot be called the upstream of the route answers in its place, for those whom it is meant for alone.
  return route.canary && exchange.meantForCanary ? `${form}#${answererOf(exchange, route.canary.upstream)}` : form;
}

function answererOf(exchange: PolicyExchange, id: string): string {
  const upstream = exchange.upstream(id);
  return upstream ? digestOf(upstream, answering) : '';
}

/** Who answers in the name of an upstream: how long it may take, and how its targets share the work, changes no answer. */
function answering({ id, targets, tls }: SnapshotUpstream): Json {
  const inUse = targets.filter(({ weight }) => weight > 0).map(({ url }) => url);
  return { id, targets: inUse.sort(), tls };
}

/** Who may see the same: the same person, through the same application, with the same rights. */
function ownerOf({ tenant, consumer, subject, client, scopes, roles }: Principal): string {
  return JSON.stringify([tenant, consumer, subject, client, [...scopes].sort(), [...roles].sort()]);
}

/** Names under which callers send what proves who they are, to upstreams that know more of them than the gateway. */
const SECRET = /key|token|secret|auth|cookie|session|credential|password|signature|jwt/;

/**
 * What of a request could be a session or a key that only the upstream knows of, and so decide whose answer it is though
 * `Vary` does not say so.
 * @returns a digest, or nothing where there is none
 */
function secretsOf(fields: RawFields): string {
  let secrets = '';
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at]!;
    if (SECRET.test(name) && !isKeptInside(name)) secrets += `${name}: ${fields[at + 1]!}\n`;
  }
  return secrets === '' ? '' : digest(secrets);
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
