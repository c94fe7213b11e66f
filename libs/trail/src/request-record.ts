import { uuidv7, type Json, type Principal, type Refusal } from '@sallyport/contracts';
import { canonical, type Stamp, type WrittenEvent } from './event';
import type { AdmissionFacts, ModelFacts, Outcome, RequestFacts, SkippedControl, WafFacts, WafHit } from './facts';
import { constant, json, number, object, part, text, written, type Whole, type Write } from './layout';
import type { AuditEvent } from './trail';

/*
 * The records that come with every request, to OCSF 1.8.0 (schema.ocsf.io). They are written at once, without the object
 * their text would be the text of: that is most of what a record costs on the way of a request.
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
    private readonly layout: Whole<Written<Facts>>,
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

  write(stamp: Stamp): Buffer {
    return written(this.layout, { facts: this.facts, shape: this.shape, uid: this.uid, stamp });
  }

  get body(): AuditEvent['body'] {
    const { attestation_list: _, ...document } = JSON.parse(this.write(NO_STAMP).toString()) as Members;
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

const PASSED_ON = canonical(['host', 'record_integrity', 'security_control', 'trace']);
const MODEL_CALL = canonical(['ai_operation', 'record_integrity', 'security_control', 'trace']);
const OWN_CALL = canonical(['record_integrity', 'security_control', 'trace']);

/** Calls of operations that we know are API Activity (6003); what is only passed on is HTTP Activity (4002). */
function requestShape({ method, path, route, model, operation }: AdmissionFacts): RequestShape {
  const name = model?.operation ?? operation;
  if (name === undefined) {
    return {
      category_uid: 4,
      class_uid: 4002,
      activity_id: httpActivities[method] ?? 99,
      profiles: PASSED_ON,
      what: `${method} ${path}`,
    };
  }
  return {
    category_uid: 6,
    class_uid: 6003,
    activity_id: apiActivities[method] ?? 99,
    profiles: model ? MODEL_CALL : OWN_CALL,
    api: { operation: name, service: { name: model ? 'ai' : (route?.service ?? 'gateway') }, version: 'v1' },
    ...(route && { resources: [{ type: 'route', uid: route.id }] }),
    what: model ? `${name} ${model.requested}` : name,
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

/** For a layout within a layout that reads the same input. */
function itself<In>(input: In): In {
  return input;
}

function any<In>(select: (input: In) => Json | undefined): Write<In> {
  return json((input) => {
    const value = select(input);
    return value === undefined ? undefined : canonical(value);
  });
}

/** A list of one: the chain this record is in. */
const attestation = object<Stamp>({
  authority_uid: text(({ cluster }) => cluster),
  chain_uid: text(({ chain }) => chain),
});
const attestations: Write<Written<AdmissionFacts>> = (out, name, { stamp }) => {
  out.begin(name);
  out.json('[');
  attestation(out, stamp);
  out.json(']');
};

const PRODUCT = object<string>({
  name: constant('Sallyport'),
  vendor_name: constant('Sallyport'),
  version: text((version) => version),
});

const ofRecord = object<Written<AdmissionFacts>>({
  log_name: text(({ stamp }) => stamp.producer),
  logged_time: number(({ stamp }) => stamp.now),
  product: part(({ stamp }) => stamp.version, PRODUCT),
  profiles: json(({ shape }) => shape.profiles),
  sequence: number(({ stamp }) => stamp.seq),
  tenant_uid: text(({ facts }) => facts.tenant),
  uid: text(({ uid }) => uid),
  version: constant('1.8.0'),
});

const credential = object<Principal>({
  id: text((principal) => principal.credential.id),
  kind: text((principal) => principal.credential.kind),
});

const knownCaller = object<AdmissionFacts>({
  app_name: text(({ principal }) => principal!.consumer),
  app_uid: text(({ principal }) => principal!.client),
  session: part(({ principal }) => principal!.credential, object({ uid: text(({ id }: { id: string }) => id) })),
  user: part(
    itself,
    object<AdmissionFacts>({
      type_id: number(({ principal }) => (isService(principal!) ? 4 : 1)),
      uid: text(subjectOf),
    }),
  ),
});
const nobody = constant({ app_name: 'anonymous' });
const actor: Write<Written<AdmissionFacts>> = (out, name, { facts }) => {
  if (!facts.principal) return nobody(out, name, facts);
  out.begin(name);
  knownCaller(out, facts);
};

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
const ofRoute = {
  route: text<AdmissionFacts>(({ route }) => route?.id),
  route_class: text<AdmissionFacts>(({ route }) => route?.class),
  service: text<AdmissionFacts>(({ route }) => route?.service),
  service_version: text<AdmissionFacts>(({ route }) => route?.version),
};

/** OCSF wants a real address in `ip`, and a real address is personal: it stays out. */
const source = object<AdmissionFacts>({
  uid: text(({ pseudonym, tenant, clientAddress }) => pseudonym(tenant, clientAddress)),
});

const urlOf = object<string>({ path: text((path) => path) });

/** The trace from a request's beginning to a moment. */
function trace<Facts extends AdmissionFacts>(end: (facts: Facts) => number): Write<Written<Facts>> {
  const span = object<Facts>({
    end_time: number(end),
    start_time: number(({ startedAt }) => startedAt),
    uid: text((facts) => facts.trace!.spanId),
  });
  const traced = object<Facts>({ span: part(itself, span), uid: text((facts) => facts.trace!.traceId) });
  return part(({ facts }) => (facts.trace ? facts : undefined), traced);
}

// ---- a request that is over -------------------------------------------------------------------------------------

const answered = object<RequestFacts>({
  code: number(({ status }) => status),
  latency: number(({ endedAt, startedAt }) => endedAt - startedAt),
  length: number(({ bytesOut }) => bytesOut),
});

/** What OCSF has no place for. */
const detail = object<RequestFacts>({
  attempts: any(({ model }) => model?.attempts.map(attemptOf)),
  canary: json(({ canary }) => (canary === true ? 'true' : undefined)),
  code: text(({ refusal }) => refusal?.code),
  config_version: text(({ configVersion }) => configVersion),
  cost_usd: any(({ model }) => model?.costUsd),
  count: number(({ folded }) => folded?.count),
  credential: part(({ principal }) => principal, credential),
  decided_by: part(
    ({ decidedBy }) => decidedBy,
    object<NonNullable<RequestFacts['decidedBy']>>({
      'ai-router': text((by) => by['ai-router']),
      audit: text((by) => by.audit),
      auth: text((by) => by.auth),
      'rate-limit': text((by) => by['rate-limit']),
      waf: text((by) => by.waf),
    }),
  ),
  fallback_from: any(({ model }) => model && (model.fallbackFrom ?? null)),
  first_request_id: text(({ folded }) => folded?.firstRequestId),
  grpc_status: number(({ grpcStatus }) => grpcStatus),
  kind: constant('request.completed'),
  last_request_id: text(({ folded }) => folded?.lastRequestId),
  limit: part(
    ({ limit }) => limit,
    object<NonNullable<RequestFacts['limit']>>({
      policy: text(({ policy }) => policy),
      remaining: number(({ remaining }) => remaining),
    }),
  ),
  model: text(({ model }) => model?.requested),
  outcome: text(({ outcome }) => outcome),
  price_version: text(({ model }) => model?.priceVersion),
  redaction: constant('metadata'),
  request_id: text(({ requestId }) => requestId),
  ...ofRoute,
  skipped: json(({ skipped = [] }) => (skipped.length === 0 ? '[]' : canonical(skipped.map(skippedOf)))),
  src_port: number(({ sourcePort }) => sourcePort),
  stream: any(({ model }) => model?.stream),
  subject_ref: text(subjectOf),
  unpriced: json(({ model }) => (model?.costUsd === null ? 'true' : undefined)),
  upstream_failed: any(({ upstream }) => failedTargets(upstream)),
  usage: any(({ model }) => model?.usage && usageOf(model.usage)),
  waf: any(({ waf }) => waf && wafOf(waf)),
});

const completed = object<Completed>({
  action_id: number(({ facts }) => dispositionOf(facts)[0]),
  activity_id: number(({ shape }) => shape.activity_id),
  actor,
  ai_model: any(({ facts }) => facts.model && aiModel(facts.model)),
  api: any(({ shape }) => shape.api),
  attestation_list: attestations,
  category_uid: number(({ shape }) => shape.category_uid),
  class_uid: number(({ shape }) => shape.class_uid),
  disposition_id: number(({ facts }) => dispositionOf(facts)[1]),
  dst_endpoint: part(({ facts }) => facts.upstream?.host, object({ hostname: text((host: string) => host) })),
  http_request: part(
    ({ facts }) => facts,
    object<RequestFacts>({
      http_method: text(({ method }) => method),
      length: number(({ bytesIn }) => bytesIn),
      url: part(({ path }) => path, urlOf),
    }),
  ),
  // A client that left early got no response.
  http_response: part(({ facts }) => (facts.status === 0 ? undefined : facts), answered),
  message: text(({ facts, shape }) => `${shape.what} by ${callerOf(facts)}`),
  message_context: any(({ facts }) => facts.model && messageContext(facts.model)),
  metadata: part(itself, ofRecord),
  policy: any(({ facts }) => facts.refusal && policyOf(facts.refusal, facts.configVersion)),
  resources: any(({ shape }) => shape.resources),
  severity_id: number(({ facts }) => (facts.waf?.verdict === 'refuse' ? 3 : 1)),
  src_endpoint: part(({ facts }) => facts, source),
  status_code: text(({ facts }) => String(facts.status)),
  status_detail: text(({ facts: { refusal } }) => refusal && (refusal.reason ?? refusal.code)),
  status_id: number(({ facts }) => (facts.outcome === 'ok' && facts.status < 400 ? 1 : 2)),
  time: number(({ facts }) => facts.endedAt),
  trace: trace(({ endedAt }) => endedAt),
  type_uid: number(({ shape }) => shape.class_uid * 100 + shape.activity_id),
  unmapped: part(({ facts }) => facts, object<RequestFacts>({ sallyport: part(itself, detail) })),
});

// ---- a request that is let in -----------------------------------------------------------------------------------

const admission = object<AdmissionFacts>({
  config_version: text(({ configVersion }) => configVersion),
  credential: part(({ principal }) => principal, credential),
  kind: constant('request.admitted'),
  model: text(({ model }) => model?.requested),
  redaction: constant('metadata'),
  request_id: text(({ requestId }) => requestId),
  ...ofRoute,
  stream: any(({ model }) => model?.stream),
  subject_ref: text(subjectOf),
});

const admitted = object<Admitted>({
  action_id: constant(1),
  activity_id: number(({ shape }) => shape.activity_id),
  actor,
  api: any(({ shape }) => shape.api),
  attestation_list: attestations,
  category_uid: number(({ shape }) => shape.category_uid),
  class_uid: number(({ shape }) => shape.class_uid),
  disposition_id: constant(1),
  http_request: part(
    ({ facts }) => facts,
    object<AdmissionFacts>({
      http_method: text(({ method }) => method),
      url: part(({ path }) => path, urlOf),
    }),
  ),
  message: text(({ facts, shape }) => `${shape.what} admitted for ${callerOf(facts)}`),
  metadata: part(itself, ofRecord),
  resources: any(({ shape }) => shape.resources),
  severity_id: constant(1),
  src_endpoint: part(({ facts }) => facts, source),
  status_id: constant(0),
  time: number(({ facts }) => facts.startedAt),
  trace: trace(({ now }) => now),
  type_uid: number(({ shape }) => shape.class_uid * 100 + shape.activity_id),
  unmapped: part(({ facts }) => facts, object<AdmissionFacts>({ sallyport: part(itself, admission) })),
});

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
