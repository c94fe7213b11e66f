import { hash } from 'node:crypto';
import { uuidv7, type Json, type Principal, type Refusal } from '@sallyport/contracts';
import { canonical, IN_ORDER } from './event';
import type {
  AdmissionFacts,
  ChangeFacts,
  ControlFacts,
  FindingFacts,
  LogReadFacts,
  Making,
  ModelFacts,
  Outcome,
  Pseudonym,
  RefusedSessionFacts,
  RequestFacts,
  RouteFacts,
  TraceFacts,
  WafFacts,
  WafHit,
} from './facts';
import { patchBetween } from './json-patch';
import type { AuditEvent } from './trail';

/*
 * One builder for each kind of record, to OCSF 1.8.0 (schema.ocsf.io). Members stand in sorted order everywhere,
 * because then the writer needs no sort; an undefined member is left out, but for `attestation_list`, which the
 * producer's chain fills in.
 */

type Members = { readonly [name: string]: Json | undefined };

function event(kind: string, tenant: string, { now, random }: Making, body: Members): AuditEvent {
  return { uid: uuidv7(now, random), kind, tenant, body };
}

/** Of a kind that comes with every request; `ocsf.spec.ts` proves the order of its members. */
function requestEvent(kind: string, facts: Making & { readonly tenant: string }, body: Members): AuditEvent {
  const marked: AuditEvent & { readonly [IN_ORDER]: true } = {
    uid: uuidv7(facts.now, facts.random),
    kind,
    tenant: facts.tenant,
    body,
    [IN_ORDER]: true,
  };
  return marked;
}

// ---- requests -----------------------------------------------------------------------------------------------------

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

function dispositionOf({ outcome, refusal, waf }: RequestFacts): readonly [action: number, disposition: number] {
  if (refusal?.code.startsWith('AUTH_')) return [2, 26]; // denied, unauthorized
  if (outcome === 'ok' && waf?.verdict === 'flag') return [3, 15]; // observed, detected
  return dispositions[outcome];
}

/** The record of a request that is over: exactly one for each response a client received. */
export function requestCompleted(facts: RequestFacts): AuditEvent {
  const { model, refusal } = facts;
  const [action_id, disposition_id] = dispositionOf(facts);
  const shape = requestShape(facts);
  return requestEvent('request.completed', facts, {
    action_id,
    activity_id: shape.activity_id,
    actor: actorOf(facts),
    ai_model: model && aiModel(model),
    api: shape.api,
    attestation_list: undefined,
    category_uid: shape.category_uid,
    class_uid: shape.class_uid,
    disposition_id,
    dst_endpoint: facts.upstream && { hostname: facts.upstream.host },
    http_request: { http_method: facts.method, length: facts.bytesIn, url: { path: facts.path } },
    http_response: responseOf(facts),
    message: `${shape.what} by ${callerOf(facts.principal)}`,
    message_context: model && messageContext(model),
    metadata: { profiles: shape.profiles },
    policy: refusal && policyOf(refusal, facts.configVersion),
    resources: shape.resources,
    severity_id: facts.waf?.verdict === 'refuse' ? 3 : 1,
    src_endpoint: sourceOf(facts),
    status_code: String(facts.status),
    status_detail: refusal && (refusal.reason ?? refusal.code),
    status_id: facts.outcome === 'ok' && facts.status < 400 ? 1 : 2,
    time: facts.endedAt,
    trace: traceOf(facts.trace, facts.startedAt, facts.endedAt),
    type_uid: shape.class_uid * 100 + shape.activity_id,
    unmapped: { sallyport: requestDetail(facts) },
  });
}

const nothing = {} as const;

/** What OCSF has no place for. */
function requestDetail(facts: RequestFacts): Members {
  const { decidedBy, limit, principal, refusal, skipped = [], waf } = facts;
  const { attempts, costUsd, fallbackFrom, priceVersion, requested, stream, usage }: Partial<ModelFacts> =
    facts.model ?? nothing;
  const { count, firstRequestId, lastRequestId }: Partial<NonNullable<RequestFacts['folded']>> =
    facts.folded ?? nothing;
  const route: Partial<RouteFacts> = facts.route ?? nothing;
  return {
    attempts: attempts?.map(attemptOf),
    canary: facts.canary === true ? true : undefined,
    code: refusal?.code,
    config_version: facts.configVersion,
    cost_usd: costUsd,
    count,
    credential: credentialOf(principal),
    decided_by: decidedBy && decidersOf(decidedBy),
    fallback_from: facts.model && (fallbackFrom ?? null),
    first_request_id: firstRequestId,
    grpc_status: facts.grpcStatus,
    kind: 'request.completed',
    last_request_id: lastRequestId,
    limit: limit && { policy: limit.policy, remaining: limit.remaining },
    model: requested,
    outcome: facts.outcome,
    price_version: priceVersion,
    redaction: 'metadata',
    request_id: facts.requestId,
    route: route.id,
    route_class: route.class,
    service: route.service,
    service_version: route.version,
    skipped: skipped.map(({ control, reason }) => ({ control, reason })),
    src_port: facts.sourcePort,
    stream,
    subject_ref: subjectOf(facts),
    unpriced: costUsd === null ? true : undefined,
    upstream_failed: failedTargets(facts.upstream),
    usage: usage && usageOf(usage),
    waf: waf && wafOf(waf),
  };
}

function failedTargets(upstream: RequestFacts['upstream']): readonly Members[] | undefined {
  return upstream?.failed?.map(({ code, host, status }) => ({ code, host, status }));
}

/** A client that left early got no response. */
function responseOf({ status, startedAt, endedAt, bytesOut }: RequestFacts): Members | undefined {
  return status === 0 ? undefined : { code: status, latency: endedAt - startedAt, length: bytesOut };
}

/** The record that is durable before a `regulated` request is answered. */
export function requestAdmitted(facts: AdmissionFacts): AuditEvent {
  const shape = requestShape(facts);
  return requestEvent('request.admitted', facts, {
    action_id: 1,
    activity_id: shape.activity_id,
    actor: actorOf(facts),
    api: shape.api,
    attestation_list: undefined,
    category_uid: shape.category_uid,
    class_uid: shape.class_uid,
    disposition_id: 1,
    http_request: { http_method: facts.method, url: { path: facts.path } },
    message: `${shape.what} admitted for ${callerOf(facts.principal)}`,
    metadata: { profiles: shape.profiles },
    resources: shape.resources,
    severity_id: 1,
    src_endpoint: sourceOf(facts),
    status_id: 0,
    time: facts.startedAt,
    trace: traceOf(facts.trace, facts.startedAt, facts.now),
    type_uid: shape.class_uid * 100 + shape.activity_id,
    unmapped: {
      sallyport: {
        config_version: facts.configVersion,
        credential: credentialOf(facts.principal),
        kind: 'request.admitted',
        model: facts.model?.requested,
        redaction: 'metadata',
        request_id: facts.requestId,
        route: facts.route?.id,
        route_class: facts.route?.class,
        service: facts.route?.service,
        service_version: facts.route?.version,
        stream: facts.model?.stream,
        subject_ref: subjectOf(facts),
      },
    },
  });
}

const httpActivities: Readonly<Record<string, number>> = {
  CONNECT: 1,
  DELETE: 2,
  GET: 3,
  HEAD: 4,
  OPTIONS: 5,
  POST: 6,
  PUT: 7,
  TRACE: 8,
  PATCH: 9,
};

const apiActivities: Readonly<Record<string, number>> = { POST: 1, GET: 2, HEAD: 2, PUT: 3, PATCH: 3, DELETE: 4 };

interface RequestShape {
  readonly category_uid: number;
  readonly class_uid: number;
  readonly activity_id: number;
  readonly profiles: readonly string[];
  readonly api?: Members;
  readonly resources?: readonly Members[];
  readonly what: string;
}

/** Calls of operations that we know are API Activity (6003); what is only passed on is HTTP Activity (4002). */
function requestShape({ method, path, route, model, operation }: AdmissionFacts): RequestShape {
  const name = model?.operation ?? operation;
  if (name === undefined) {
    return {
      category_uid: 4,
      class_uid: 4002,
      activity_id: httpActivities[method] ?? 99,
      profiles: ['host', 'record_integrity', 'security_control', 'trace'],
      what: `${method} ${path}`,
    };
  }
  return {
    category_uid: 6,
    class_uid: 6003,
    activity_id: apiActivities[method] ?? 99,
    profiles: model
      ? ['ai_operation', 'record_integrity', 'security_control', 'trace']
      : ['record_integrity', 'security_control', 'trace'],
    api: { operation: name, service: { name: model ? 'ai' : (route?.service ?? 'gateway') }, version: 'v1' },
    resources: route && [{ type: 'route', uid: route.id }],
    what: model ? `${name} ${model.requested}` : name,
  };
}

type CallerFacts = { readonly pseudonym: Pseudonym; readonly tenant: string; readonly principal?: Principal };

function actorOf({ principal, pseudonym, tenant }: CallerFacts): Members {
  if (!principal) return { app_name: 'anonymous' };
  const service = principal.credential.kind === 'api-key' || principal.subject === principal.client;
  return {
    app_name: principal.consumer,
    app_uid: principal.client,
    session: { uid: principal.credential.id },
    user: { type_id: service ? 4 : 1, uid: pseudonym(tenant, principal.subject) },
  };
}

function callerOf(principal: Principal | undefined): string {
  return principal?.consumer ?? 'anonymous';
}

function credentialOf(principal: Principal | undefined): Members | undefined {
  return principal && { id: principal.credential.id, kind: principal.credential.kind };
}

function subjectOf({ principal, pseudonym, tenant }: CallerFacts): string | undefined {
  return principal && pseudonym(tenant, principal.subject);
}

/** OCSF wants a real address in `ip`, and a real address is personal: it stays out. */
function sourceOf({
  pseudonym,
  tenant,
  clientAddress,
}: {
  readonly pseudonym: Pseudonym;
  readonly tenant: string;
  readonly clientAddress: string;
}): Members {
  return { uid: pseudonym(tenant, clientAddress) };
}

function traceOf(trace: TraceFacts | undefined, start: number, end: number): Members | undefined {
  return trace && { span: { end_time: end, start_time: start, uid: trace.spanId }, uid: trace.traceId };
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

function wafOf({ verdict, score, scores, hits, ruleset, inspected }: WafFacts): Members {
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

function decidersOf(by: NonNullable<RequestFacts['decidedBy']>): Members {
  return {
    'ai-router': by['ai-router'],
    audit: by.audit,
    auth: by.auth,
    'rate-limit': by['rate-limit'],
    waf: by.waf,
  };
}

function sorted(members: { readonly [name: string]: string | undefined }): Members {
  return Object.fromEntries(Object.entries(members).sort(([left], [right]) => (left < right ? -1 : 1)));
}

// ---- credentials --------------------------------------------------------------------------------------------------

/** A credential was refused; the caller is told one public answer, the record the exact reason. */
export function sessionRefused(facts: RefusedSessionFacts): AuditEvent {
  const { credential, refusal } = facts;
  return event('session.refused', facts.tenant, facts, {
    action_id: 2,
    activity_id: 1, // logon
    attestation_list: undefined,
    category_uid: 3,
    class_uid: 3002,
    disposition_id: 26,
    is_remote: true,
    message: `${credential?.kind ?? 'credential'} refused: ${refusal.code}`,
    metadata: { profiles: ['record_integrity', 'security_control', 'trace'] },
    service: { name: 'sallyport' },
    severity_id: 2,
    src_endpoint: sourceOf(facts),
    status_code: refusal.code,
    status_detail: refusal.reason ?? refusal.code,
    status_id: 2,
    time: facts.now,
    trace: traceOf(facts.trace, facts.now, facts.now),
    type_uid: 300201,
    unmapped: {
      sallyport: {
        code: refusal.code,
        credential: credential && { id: credential.id, kind: credential.kind },
        decided_by: { auth: facts.decidedBy },
        kind: 'session.refused',
        request_id: facts.requestId,
        route: facts.route,
      },
    },
    user: credential ? { credential_uid: credential.id, uid: credential.id } : { name: 'unknown' },
  });
}

// ---- administration -----------------------------------------------------------------------------------------------

const changes = { create: [1, 'created'], update: [3, 'updated'], delete: [4, 'deleted'] } as const;

/** An administrator's write was committed. Both digests are over canonical JSON of what the caller handed in. */
export function changeCommitted(facts: ChangeFacts): AuditEvent {
  const { actor, object, before, after, now } = facts;
  const [activity_id, verb] = changes[facts.action];
  return event('change.committed', facts.tenant, facts, {
    action_id: 1,
    activity_id,
    actor: { user: { type_id: 2, uid: actor.name } },
    attestation_list: undefined,
    category_uid: 3,
    class_uid: 3004,
    comment: facts.reason,
    disposition_id: 1,
    entity: { name: object.name, type: object.type, uid: object.id },
    message: `${object.type} ${object.name} ${verb} by ${actor.name}`,
    metadata: { profiles: ['host', 'record_integrity', 'security_control', 'trace'] },
    severity_id: 1,
    status_id: 1,
    time: now,
    trace: facts.traceId === undefined ? undefined : { uid: facts.traceId },
    type_uid: 300400 + activity_id,
    unmapped: {
      sallyport: {
        change: {
          after_digest: digestOf(after),
          approver: null,
          before_digest: digestOf(before),
          config_version: facts.configVersion,
          emergency: false,
          json_patch: patchBetween(before, after),
          ticket: null,
          via: actor.via,
        },
        kind: 'change.committed',
        request_id: facts.requestId,
        resource: `${object.type}/${object.id}`,
      },
    },
  });
}

function digestOf(document: Json | undefined): string | null {
  return document === undefined ? null : `sha256:${hash('sha256', canonical(document))}`;
}

/** States of a process. Everything else that is reported is a finding about a control. */
const lifecycle: Readonly<Record<string, number>> = {
  start: 3,
  stop: 4,
  'config-applied': 99,
  'config-rejected': 99,
  'chain-begun': 99,
};

const complianceStates = { ok: 1, failed: 3 } as const;

/** A control changed its state. */
export function controlReported(facts: ControlFacts): AuditEvent {
  const activity = lifecycle[facts.what];
  return activity === undefined ? controlFinding(facts) : lifecycleReport(facts, activity);
}

function lifecycleReport(facts: ControlFacts, activity_id: number): AuditEvent {
  return event('control.reported', facts.tenant, facts, {
    activity_id,
    activity_name: activity_id === 99 ? facts.what : undefined,
    app: { name: facts.app, vendor_name: 'Sallyport' },
    attestation_list: undefined,
    category_uid: 6,
    class_uid: 6002,
    message: `${facts.app}: ${facts.what}`,
    metadata: { profiles: ['record_integrity'] },
    severity_id: 1,
    status_id: facts.state === 'failed' ? 2 : 1,
    time: facts.now,
    type_uid: 600200 + activity_id,
    unmapped: controlDetail(facts),
  });
}

function controlFinding(facts: ControlFacts): AuditEvent {
  const uid = uuidv7(facts.now, facts.random);
  return {
    uid,
    kind: 'control.reported',
    tenant: facts.tenant,
    body: {
      activity_id: 1,
      attestation_list: undefined,
      category_uid: 2,
      class_uid: 2003,
      compliance: {
        control: facts.what,
        standards: ['Sallyport controls'],
        status_id: facts.state === undefined ? 2 : complianceStates[facts.state],
      },
      finding_info: { title: `${facts.app}: ${facts.what}`, uid },
      message: `${facts.app}: ${facts.what}`,
      metadata: { profiles: ['record_integrity'] },
      severity_id: facts.state === 'failed' ? 4 : 2,
      status_id: 1,
      time: facts.now,
      type_uid: 200301,
      unmapped: controlDetail(facts),
    },
  };
}

function controlDetail({ app, detail, what }: ControlFacts): Members {
  return { sallyport: { app, detail, kind: 'control.reported', what } };
}

const severities = { low: 2, medium: 3, high: 4, critical: 5 } as const;

/** A verdict worth keeping beside the record of its request. */
export function findingRaised(facts: FindingFacts): AuditEvent {
  const uid = uuidv7(facts.now, facts.random);
  const [action_id, disposition_id] = facts.action === 'blocked' ? [2, 2] : [3, 15];
  return {
    uid,
    kind: 'finding.raised',
    tenant: facts.tenant,
    body: {
      action_id,
      activity_id: 1,
      attestation_list: undefined,
      category_uid: 2,
      class_uid: 2004,
      disposition_id,
      finding_info: { title: facts.title, types: [facts.what], uid },
      is_alert: facts.severity === 'high' || facts.severity === 'critical',
      message: facts.title,
      metadata: { profiles: ['record_integrity', 'security_control'] },
      resources: facts.route === undefined ? undefined : [{ type: 'route', uid: facts.route }],
      severity_id: severities[facts.severity],
      status_id: 1,
      time: facts.now,
      type_uid: 200401,
      unmapped: {
        sallyport: {
          kind: 'finding.raised',
          request_id: facts.requestId,
          route: facts.route,
          source: facts.pseudonym(facts.tenant, facts.clientAddress),
          trace_id: facts.trace?.traceId,
          waf: facts.waf && wafOf(facts.waf),
          what: facts.what,
        },
      },
    },
  };
}

/** Somebody read the log. */
export function logRead(facts: LogReadFacts): AuditEvent {
  return event('log.read', facts.tenant, facts, {
    action_id: 1,
    activity_id: 2,
    actor: { user: { type_id: 2, uid: facts.actor.name } },
    api: { operation: `audit.${facts.operation}`, service: { name: 'audit' }, version: 'v1' },
    attestation_list: undefined,
    category_uid: 6,
    class_uid: 6003,
    disposition_id: 17,
    message: `audit ${facts.operation} by ${facts.actor.name}`,
    metadata: { profiles: ['record_integrity', 'security_control', 'trace'] },
    resources: [{ type: 'audit-log', uid: facts.tenant }],
    severity_id: 1,
    src_endpoint: { svc_name: 'admin' },
    status_id: 1,
    time: facts.now,
    trace: facts.traceId === undefined ? undefined : { uid: facts.traceId },
    type_uid: 600302,
    unmapped: {
      sallyport: {
        count: facts.count,
        kind: 'log.read',
        query: sorted(facts.query),
        request_id: facts.requestId,
        via: facts.actor.via,
      },
    },
  });
}
