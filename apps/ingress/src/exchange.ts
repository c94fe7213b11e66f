import { headers, refuse, type Principal, type Refusal, type SnapshotUpstream } from '@sallyport/contracts';
import { principalLimitsOf, type Configuration } from './runtime/configuration';
import { rateLimitField, rateLimitPolicyField, type Standing } from '@sallyport/limits';
import type { CompiledRoute, PolicyExchange, PolicyInput, RequestDraft } from '@sallyport/pipeline';
import {
  BodyCap,
  defaultBounds,
  limits,
  type Bounds,
  type CanonicalRequest,
  type IncomingBody,
  type RawFields,
} from '@sallyport/proxy';
import type { Span, TraceContext } from '@sallyport/platform';
import type { Control, FailedTarget, ModelFacts, Outcome, SkippedControl } from '@sallyport/trail';
import type { Hit, Inspected, Scores } from '@sallyport/waf';
import { Answer } from './answer';
import type { DecidedBy } from './consult/with-fallback';
import type { Connection, Incoming, Outgoing } from './listeners/connection';
import type { GatewayParts } from './gateway-parts';
import type { OpenInspection } from './inspect';
import type { Dialect } from './render/refusal';
import { isMeantForCanary } from './send/choose-upstream';
import type { Watched } from './watch';

/** One request from its first byte to its record: what is known so far, and what was decided. */
export class Exchange implements PolicyExchange {
  readonly answer: Answer;
  /** Where it is among those under way. */
  place = -1;
  /** What the body may weigh, and what of it has come. */
  body = new BodyCap(limits.body.defaultBytes);
  /** What the route lets this request and its answer cost. */
  bounds: Bounds = defaultBounds;
  /** The body, from the moment it is read. */
  reading: IncomingBody | undefined;
  /** Kept by whoever looks for slow exchanges. */
  watched: Watched | undefined;
  request: CanonicalRequest | undefined;
  configuration: Configuration | undefined;
  compiled: CompiledRoute | undefined;
  /** Characters of the path that the route's prefix took. */
  matched = 0;
  dialect: Dialect = 'problem';
  principal: Principal | undefined;
  span: Span | undefined;
  /** The caller's own trace, where it sent one. */
  callerTrace: TraceContext | undefined;
  standings: readonly Standing[] = [];
  verdict: 'pass' | 'flag' | 'refuse' | undefined;
  readonly hits: Hit[] = [];
  /** Anomaly scores, where rules count. */
  scores: Scores | undefined;
  /** Name of the rules that ran. */
  ruleset: string | undefined;
  /** Where not everything was looked at. */
  inspected: Inspected | undefined;
  inspection: OpenInspection | undefined;
  readonly decidedBy: { [control in Control]?: DecidedBy } = {};
  readonly skipped: SkippedControl[] = [];
  refusal: Refusal | undefined;
  outcome: Outcome | undefined;
  upstreamHost: string | undefined;
  /** Of a call of gRPC, what its upstream said of it. */
  grpcStatus: number | undefined;
  /** Attempts whose answers the caller did not get, in order. */
  failedAttempts: FailedTarget[] | undefined;
  /** Attempts that may have brought an upstream something of the request, those under way among them. */
  arrivals = 0;
  /** The canary of the route answered. */
  canary = false;
  model: ModelFacts | undefined;
  /** What goes upstream, where a policy of the route edits it. */
  draft: RequestDraft | undefined;
  /** What the called model carries beside its endpoint. */
  modelPolicies: CompiledRoute | undefined;
  /** Policies of the route were told how it ended. */
  settled = false;
  /** An answer hook threw: what is answered now goes without them. */
  withoutAnswerHooks = false;
  /** Tells both ends of a connection that never ends by itself that we go away. */
  goAway: (() => void) | undefined;
  /** The caller is gone, or has its answer: whatever comes back later is for nobody. */
  over = false;
  /** Its record is made. */
  recorded = false;
  private readonly closers: (() => void)[] = [];
  private input: PolicyInput | undefined;
  private canaryMeant: boolean | undefined;
  private notes: Map<object, unknown> | undefined;

  constructor(
    readonly requestId: string,
    /** Milliseconds since the epoch. */
    readonly startedAt: number,
    readonly incoming: Incoming,
    readonly response: Outgoing,
    readonly connection: Connection,
    private readonly ends: Pick<GatewayParts, 'record' | 'refuse' | 'failed'> & {
      readonly upstreams: Pick<GatewayParts['upstreams'], 'random'>;
    },
  ) {
    this.answer = new Answer(
      response,
      (go) => ends.record(this, go),
      () => this.breakStream(),
    );
  }

  private breakStream(): void {
    this.outcome = 'upstream_error';
    this.ends.refuse(this, refuse('UPSTREAM_EVENT_TOO_LARGE', { maxBytes: this.bounds.eventBytes }));
  }

  get route(): CompiledRoute['route'] {
    return this.compiled!.route;
  }

  /** What the hooks of policies are given. */
  get policyInput(): PolicyInput {
    return (this.input ??= { request: this.request!, exchange: this });
  }

  get meantForCanary(): boolean {
    return (this.canaryMeant ??= isMeantForCanary(this, this.ends.upstreams));
  }

  get isSentOn(): boolean {
    return this.arrivals > 0;
  }

  upstream(id: string): SnapshotUpstream | undefined {
    return this.configuration?.upstreams.get(id);
  }

  capBody(maxBytes: number): void {
    this.body.lower(maxBytes);
  }

  keep(owner: object, value: unknown): void {
    (this.notes ??= new Map()).set(owner, value);
  }

  kept(owner: object): unknown {
    return this.notes?.get(owner);
  }

  guarded<Values extends unknown[]>(callback: (...values: Values) => void): (...values: Values) => void {
    return (...values) => {
      try {
        callback(...values);
      } catch (error) {
        this.ends.failed(this, error);
      }
    };
  }

  abandon(refusal: Refusal): void {
    this.ends.refuse(this, refusal);
  }

  get priority(): CompiledRoute['priority'] {
    return this.compiled!.priority;
  }

  /** Whom this request belongs to, before anybody was asked who is calling: what it presents, or where it comes from. */
  get claim(): string {
    const { request, compiled } = this;
    const credential = request?.field.get('authorization') ?? request?.field.get('x-api-key');
    return `${compiled?.route.tenant ?? ''} ${credential ?? request?.clientAddress ?? ''}`;
  }

  /** The trace this request belongs to: ours, once there is a span. */
  get trace(): TraceContext | undefined {
    return this.span?.context;
  }

  get consumerLimits(): ReturnType<typeof principalLimitsOf> {
    return principalLimitsOf(this.configuration, this.principal);
  }

  /** Registers what must stop when the exchange is over: an upstream call, an inspection. */
  onClose(closer: () => void): void {
    if (this.over) closer();
    else this.closers.push(closer);
  }

  /** Ends everything that still works for this exchange. */
  close(): void {
    this.over = true;
    for (const closer of this.closers.splice(0)) closer();
  }

  /** Fields that every answer of this exchange carries, whoever wrote the rest. */
  commonFields(showConfigVersion: boolean): string[] {
    const fields: string[] = [headers.requestId, this.requestId];
    if (this.dialect === 'openai') fields.push('x-request-id', this.requestId);
    const reference = this.request?.field.get('x-request-id');
    if (reference !== undefined && /^[A-Za-z0-9_-]{8,64}$/.test(reference))
      fields.push(headers.correlationId, reference);
    if (this.standings.length > 0) {
      fields.push(headers.rateLimitPolicy, rateLimitPolicyField(this.standings));
      fields.push(headers.rateLimit, rateLimitField(this.standings));
    }
    if (this.compiled) fields.push(...lifecycleFields(this.compiled));
    if (showConfigVersion && this.configuration) fields.push(headers.configVersion, this.configuration.revision);
    return fields;
  }
}

/**
 * What a caller of an ageing version is told on every answer: RFC 9745 (Deprecation), RFC 8594 (Sunset), RFC 8288 (Link).
 */
function lifecycleFields({ route, deprecatedAt, sunsetAt }: CompiledRoute): RawFields {
  const fields: string[] = [];
  if (deprecatedAt !== undefined) fields.push('deprecation', `@${Math.floor(deprecatedAt / 1000)}`);
  // RFC 8594 §3: a sunset that lies before the deprecation makes no sense to a reader.
  if (sunsetAt !== undefined) fields.push('sunset', new Date(Math.max(sunsetAt, deprecatedAt ?? 0)).toUTCString());
  const { successor } = route.lifecycle;
  if (successor !== null) fields.push('link', `<${uriOf(successor)}>; rel="successor-version"`);
  return fields;
}

/** What may not stand in a URI is escaped (RFC 3986 §2.1); what is escaped already stays as it is. */
function uriOf(text: string): string {
  return encodeURI(text).replaceAll(/%25(?=[0-9A-Fa-f]{2})/g, '%');
}
