import { uuidv7, type Json, type Principal, type Refusal } from '@sallyport/contracts';
import { canonical, type Stamp, type WrittenEvent } from './event';
import type { AdmissionFacts, ModelFacts, Outcome, RequestFacts, SkippedControl, WafFacts, WafHit } from './facts';
import { after, before, name, number, objectOf, text } from './written-json';
import type { AuditEvent } from './trail';

/*
 * The records that come with every request, to OCSF 1.8.0 (schema.ocsf.io). Their text is written at once, without the object
 * it would be the text of, and as one template: that is most of what a record costs on the way of a request. Members stand in
 * the order of RFC 8785 §3.2.3, which a property of the tests holds.
 */

export type Members = { readonly [name: string]: Json | undefined };

/** What a record is written from. */
interface Written<Facts> {
  readonly facts: Facts;
  readonly shape: RequestShape;
  readonly uid: string;
  readonly stamp: Stamp;
}

type Completed = Written<RequestFacts>;
type Admitted = Written<AdmissionFacts>;

/** The record of a request that is over: exactly one for each response a client received. */
export function requestCompleted(facts: RequestFacts): AuditEvent {
  return new RequestRecord('request.completed', facts, completed);
}

/** The record that is durable before a `regulated` request is answered. */
export function requestAdmitted(facts: AdmissionFacts): AuditEvent {
  return new RequestRecord('request.admitted', facts, admitted);
}

class RequestRecord<Facts extends AdmissionFacts> implements WrittenEvent {
  readonly uid: string;
  private readonly shape: RequestShape;

  constructor(
    readonly kind: string,
    private readonly facts: Facts,
    private readonly textOf: (record: Written<Facts>) => string,
  ) {
    this.uid = uuidv7(facts.now, facts.random);
    this.shape = requestShape(facts);
  }

  get tenant(): string {
    return this.facts.tenant;
  }

  get routeClass(): string | undefined {
    return this.facts.route?.class;
  }

  write(stamp: Stamp): string {
    return this.textOf({ facts: this.facts, shape: this.shape, uid: this.uid, stamp });
  }

  get body(): AuditEvent['body'] {
    const { attestation_list: _, ...document } = JSON.parse(this.write(NO_STAMP)) as Members;
    return { ...document, metadata: { profiles: JSON.parse(this.shape.profiles) as Json } };
  }
}

const NO_STAMP: Stamp = { cluster: '', chain: '', producer: '', seq: 0, now: 0, version: '' };

// ---- what kind of activity it is --------------------------------------------------------------------------------

interface RequestShape {
  readonly category_uid: number;
  readonly class_uid: number;
  readonly activity_id: number;
  /** Written: it is one of three lists. */
  readonly profiles: string;
  readonly api?: Members;
  readonly resources?: readonly Members[];
  readonly what: string;
}

const httpActivities: ReadonlyMap<string, number> = new Map([
  ['CONNECT', 1],
  ['DELETE', 2],
  ['GET', 3],
  ['HEAD', 4],
  ['OPTIONS', 5],
  ['POST', 6],
  ['PUT', 7],
  ['TRACE', 8],
  ['PATCH', 9],
]);

const apiActivities: ReadonlyMap<string, number> = new Map([
  ['POST', 1],
  ['GET', 2],
  ['HEAD', 2],
  ['PUT', 3],
  ['PATCH', 3],
  ['DELETE', 4],
]);

const PASSED_ON = canonical(['host', 'record_integrity', 'security_control', 'trace']);
const MODEL_CALL = canonical(['ai_operation', 'record_integrity', 'security_control', 'trace']);
const OWN_CALL = canonical(['record_integrity', 'security_control', 'trace']);

/** Calls of operations that we know are API Activity (6003); what is only passed on is HTTP Activity (4002). */
function requestShape({ method, path, route, model, operation }: AdmissionFacts): RequestShape {
  const called = model?.operation ?? operation;
  if (called === undefined) {
    return {
      category_uid: 4,
      class_uid: 4002,
      activity_id: httpActivities.get(method) ?? 99,
      profiles: PASSED_ON,
      what: `${method} ${path}`,
    };
  }
  return {
    category_uid: 6,
    class_uid: 6003,
    activity_id: apiActivities.get(method) ?? 99,
    profiles: model ? MODEL_CALL : OWN_CALL,
    api: { operation: called, service: { name: model ? 'ai' : (route?.service ?? 'gateway') }, version: 'v1' },
    ...(route && { resources: [{ type: 'route', uid: route.id }] }),
    what: model ? `${called} ${model.requested}` : called,
  };
}

/** OCSF action and disposition of a finished request. */
const dispositions: Readonly<Record<Outcome, readonly [action: number, disposition: number]>> = {
  ok: [1, 1], // allowed, allowed
  refused: [2, 2], // denied, blocked
  shed: [2, 2],
  client_aborted: [1, 17], // allowed, logged
  upstream_error: [1, 27], // allowed, error
  upstream_timeout: [1, 27],
  internal_error: [1, 27],
};
const UNAUTHORIZED = [2, 26] as const;
const DETECTED = [3, 15] as const; // observed, detected

function dispositionOf({ outcome, refusal, waf }: RequestFacts): readonly [action: number, disposition: number] {
  if (refusal?.code.startsWith('AUTH_')) return UNAUTHORIZED;
  if (outcome === 'ok' && waf?.verdict === 'flag') return DETECTED;
  return dispositions[outcome];
}

// ---- parts that both records have -------------------------------------------------------------------------------

/** What is rare, or of no fixed shape. */
function any(value: Json | undefined): string | undefined {
  return value === undefined ? undefined : canonical(value);
}

/** A list of one: the chain this record is in. */
function attestationList({ cluster, chain }: Stamp): string {
  return `[{"authority_uid":${name(cluster)},"chain_uid":${name(chain)}}]`;
}

function metadata({ facts, shape, stamp, uid }: Written<AdmissionFacts>): string {
  return (
    `{"log_name":${name(stamp.producer)},"logged_time":${number(stamp.now)}` +
    `,"product":{"name":"Sallyport","vendor_name":"Sallyport","version":${name(stamp.version)}}` +
    `,"profiles":${shape.profiles},"sequence":${number(stamp.seq)},"tenant_uid":${name(facts.tenant)}` +
    `,"uid":${text(uid)},"version":"1.8.0"}`
  );
}

function credentialOf({ credential: { id, kind } }: Principal): string {
  return `{"id":${text(id)},"kind":${name(kind)}}`;
}

function actor({ principal }: AdmissionFacts, subject: string | undefined): string {
  if (!principal) return '{"app_name":"anonymous"}';
  return (
    `{"app_name":${name(principal.consumer)}${after('app_uid', name(principal.client))}` +
    `,"session":{"uid":${text(principal.credential.id)}}` +
    `,"user":{"type_id":${isService(principal) ? 4 : 1},"uid":${text(subject!)}}}`
  );
}

function isService({ credential: { kind }, subject, client }: Principal): boolean {
  return kind === 'api-key' || subject === client;
}

function subjectOf({ principal, pseudonym, tenant }: AdmissionFacts): string | undefined {
  return principal && pseudonym(tenant, principal.subject);
}

function callerOf({ principal }: AdmissionFacts): string {
  return principal?.consumer ?? 'anonymous';
}

/** Members that follow one another in both records. */
function ofRoute({ route }: AdmissionFacts): string {
  if (!route) return '';
  return (
    `,"route":${name(route.id)}${after('route_class', name(route.class))}` +
    `,"service":${name(route.service)},"service_version":${name(route.version)}`
  );
}

/** OCSF wants a real address in `ip`, and a real address is personal: it stays out. */
function source({ pseudonym, tenant, clientAddress }: AdmissionFacts): string {
  return `{"uid":${text(pseudonym(tenant, clientAddress))}}`;
}

/** The trace from a request's beginning to a moment. */
function traceTo({ trace, startedAt }: AdmissionFacts, end: number): string | undefined {
  return (
    trace &&
    `{"span":{"end_time":${number(end)},"start_time":${number(startedAt)},"uid":${text(trace.spanId)}}` +
      `,"uid":${text(trace.traceId)}}`
  );
}

// ---- a request that is over -------------------------------------------------------------------------------------

function completed({ facts, shape, stamp, uid }: Completed): string {
  const [action, disposition] = dispositionOf(facts);
  const { model, refusal, status, upstream } = facts;
  const subject = subjectOf(facts);
  return (
    `{"action_id":${action},"activity_id":${shape.activity_id},"actor":${actor(facts, subject)}` +
    after('ai_model', any(model && aiModel(model))) +
    after('api', any(shape.api)) +
    `,"attestation_list":${attestationList(stamp)}` +
    `,"category_uid":${shape.category_uid},"class_uid":${shape.class_uid},"disposition_id":${disposition}` +
    (upstream ? `,"dst_endpoint":{"hostname":${name(upstream.host)}}` : '') +
    `,"http_request":{"http_method":${text(facts.method)},"length":${number(facts.bytesIn)}` +
    `,"url":{"path":${text(facts.path)}}}` +
    // A client that left early got no response.
    (status === 0 ? '' : `,"http_response":${answerOf(facts)}`) +
    `,"message":${text(`${shape.what} by ${callerOf(facts)}`)}` +
    after('message_context', any(model && messageContext(model))) +
    `,"metadata":${metadata({ facts, shape, stamp, uid })}` +
    after('policy', any(refusal && policyOf(refusal, facts.configVersion))) +
    after('resources', any(shape.resources)) +
    `,"severity_id":${facts.waf?.verdict === 'refuse' ? 3 : 1},"src_endpoint":${source(facts)}` +
    `,"status_code":"${status}"` +
    after('status_detail', refusal && text(refusal.reason ?? refusal.code)) +
    `,"status_id":${facts.outcome === 'ok' && status < 400 ? 1 : 2},"time":${number(facts.endedAt)}` +
    after('trace', traceTo(facts, facts.endedAt)) +
    `,"type_uid":${shape.class_uid * 100 + shape.activity_id},"unmapped":{"sallyport":${detail(facts, subject)}}}`
  );
}

function answerOf({ status, endedAt, startedAt, bytesOut }: RequestFacts): string {
  return `{"code":${number(status)},"latency":${number(endedAt - startedAt)},"length":${number(bytesOut)}}`;
}

/** What OCSF has no place for. */
function detail(facts: RequestFacts, subject: string | undefined): string {
  return `{${upToItsKind(facts)}"kind":"request.completed"${fromItsKind(facts, subject)}}`;
}

function upToItsKind(facts: RequestFacts): string {
  const { canary, decidedBy, folded, grpcStatus, model, principal, refusal } = facts;
  return (
    before('attempts', any(model?.attempts.map(attemptOf))) +
    before('canary', canary === true ? 'true' : undefined) +
    before('code', name(refusal?.code)) +
    before('config_version', name(facts.configVersion)) +
    before('cost_usd', any(model?.costUsd)) +
    before('count', number(folded?.count)) +
    before('credential', principal && credentialOf(principal)) +
    before('decided_by', decidedBy && deciders(decidedBy)) +
    before('fallback_from', any(model && (model.fallbackFrom ?? null))) +
    before('first_request_id', text(folded?.firstRequestId)) +
    before('grpc_status', number(grpcStatus))
  );
}

function fromItsKind(facts: RequestFacts, subject: string | undefined): string {
  const { folded, limit, model, outcome, skipped = [], upstream, waf } = facts;
  return (
    after('last_request_id', text(folded?.lastRequestId)) +
    (limit ? `,"limit":{"policy":${name(limit.policy)},"remaining":${number(limit.remaining)}}` : '') +
    after('model', text(model?.requested)) +
    `,"outcome":${name(outcome)}` +
    after('price_version', name(model?.priceVersion)) +
    `,"redaction":"metadata","request_id":${text(facts.requestId)}` +
    ofRoute(facts) +
    `,"skipped":${skipped.length === 0 ? '[]' : canonical(skipped.map(skippedOf))}` +
    after('src_port', number(facts.sourcePort)) +
    after('stream', any(model?.stream)) +
    after('subject_ref', text(subject)) +
    after('unpriced', model?.costUsd === null ? 'true' : undefined) +
    after('upstream_failed', any(failedTargets(upstream))) +
    after('usage', any(model?.usage && usageOf(model.usage))) +
    after('waf', any(waf && wafOf(waf)))
  );
}

function deciders(by: NonNullable<RequestFacts['decidedBy']>): string {
  return objectOf(
    after('ai-router', name(by['ai-router'])) +
      after('audit', name(by.audit)) +
      after('auth', name(by.auth)) +
      after('rate-limit', name(by['rate-limit'])) +
      after('waf', name(by.waf)),
  );
}

// ---- a request that is let in -----------------------------------------------------------------------------------

function admitted({ facts, shape, stamp, uid }: Admitted): string {
  const { configVersion, model, principal } = facts;
  const subject = subjectOf(facts);
  return (
    `{"action_id":1,"activity_id":${shape.activity_id},"actor":${actor(facts, subject)}` +
    after('api', any(shape.api)) +
    `,"attestation_list":${attestationList(stamp)}` +
    `,"category_uid":${shape.category_uid},"class_uid":${shape.class_uid},"disposition_id":1` +
    `,"http_request":{"http_method":${text(facts.method)},"url":{"path":${text(facts.path)}}}` +
    `,"message":${text(`${shape.what} admitted for ${callerOf(facts)}`)}` +
    `,"metadata":${metadata({ facts, shape, stamp, uid })}` +
    after('resources', any(shape.resources)) +
    `,"severity_id":1,"src_endpoint":${source(facts)},"status_id":0,"time":${number(facts.startedAt)}` +
    after('trace', traceTo(facts, facts.now)) +
    `,"type_uid":${shape.class_uid * 100 + shape.activity_id},"unmapped":{"sallyport":{` +
    before('config_version', name(configVersion)) +
    before('credential', principal && credentialOf(principal)) +
    '"kind":"request.admitted"' +
    after('model', text(model?.requested)) +
    `,"redaction":"metadata","request_id":${text(facts.requestId)}` +
    ofRoute(facts) +
    after('stream', any(model?.stream)) +
    after('subject_ref', text(subject)) +
    '}}}'
  );
}

// ---- what only some requests have -------------------------------------------------------------------------------

function skippedOf({ control, reason }: SkippedControl): Members {
  return { control, reason };
}

function failedTargets(upstream: RequestFacts['upstream']): readonly Members[] | undefined {
  return upstream?.failed?.map(({ code, host, status }) => ({ code, host, status }));
}

function policyOf(refusal: Refusal, version: string | undefined): Members | undefined {
  const policy = refusal.params['policy'];
  return policy === undefined ? undefined : { uid: String(policy), version };
}

function aiModel(model: ModelFacts): Members | undefined {
  return model.provider === undefined || model.model === undefined
    ? undefined
    : { ai_provider: model.provider, name: model.model };
}

function messageContext({ requested, usage }: ModelFacts): Members {
  const prompt = usage && usage.input + (usage.cacheRead ?? 0) + (usage.cacheWrite ?? 0);
  const completion = usage && usage.output + (usage.reasoning ?? 0);
  return {
    completion_tokens: completion,
    prompt_tokens: prompt,
    service: { name: requested },
    total_tokens: usage && prompt! + completion!,
  };
}

function attemptOf({ provider, model, status, outcome, ttftMs }: ModelFacts['attempts'][number]): Members {
  return { model, outcome, provider, status, ttft_ms: ttftMs };
}

function usageOf(usage: NonNullable<ModelFacts['usage']>): Members {
  return {
    cache_read: usage.cacheRead,
    cache_write: usage.cacheWrite,
    input: usage.input,
    output: usage.output,
    reasoning: usage.reasoning,
    source: usage.source,
  };
}

/** A request that sets off every rule there is must not make a record that no log takes. */
const MOST_HITS = 128;

/** What inspection found, as any record states it. */
export function wafOf({ verdict, score, scores, hits, ruleset, inspected }: WafFacts): Members {
  return {
    hits: hits.slice(0, MOST_HITS).map(hitOf),
    inspected: inspected && { bytes: inspected.bytes, extent: inspected.extent, why: inspected.why },
    more_hits: hits.length > MOST_HITS ? hits.length - MOST_HITS : undefined,
    ruleset,
    score: score ?? scores?.inbound.detection ?? 0,
    scores: scores && { inbound: scoreOf(scores.inbound), outbound: scoreOf(scores.outbound) },
    verdict,
  };
}

function scoreOf({ detection, blocking }: NonNullable<WafFacts['scores']>['inbound']): Members {
  return { blocking, detection };
}

function hitOf({ count, data, late, message, paranoia, phase, rule, severity, variable }: WafHit): Members {
  return { count, data, late: late === true ? true : undefined, message, paranoia, phase, rule, severity, variable };
}
