import type { Json, Principal, RandomBytes, Refusal, RouteClass } from '@sallyport/contracts';

/**
 * Replaces an identifier of a person by one that only the holder of the tenant's audit key can compute again:
 * `hmac:` and hexadecimal digits. See `createPseudonym`.
 */
export type Pseudonym = (tenant: string, value: string) => string;

/** What every builder needs to make a record of its own. */
export interface Making {
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly random: RandomBytes;
}

/** The W3C trace context a record belongs to. */
export interface TraceFacts {
  readonly traceId: string;
  readonly spanId: string;
}

export type Outcome =
  'ok' | 'refused' | 'shed' | 'client_aborted' | 'upstream_error' | 'upstream_timeout' | 'internal_error';

/** The controls a request passes through. */
export type Control = 'auth' | 'rate-limit' | 'waf' | 'ai-router' | 'audit';

/** A control that was passed over, and why: `{ control: 'waf', reason: 'unavailable' }`. */
export interface SkippedControl {
  readonly control: Control;
  readonly reason: string;
}

export interface RouteFacts {
  readonly id: string;
  readonly service: string;
  readonly version: string;
  readonly class: RouteClass;
}

/** A rule that matched; of the offending text only a short, redacted sample leaves the inspector. */
export interface WafHit {
  readonly rule: number;
  readonly severity: string;
  readonly variable: string;
  readonly phase?: number;
  readonly paranoia?: number;
  readonly message?: string;
  readonly data?: string;
  /** Values that matched. */
  readonly count?: number;
  /** Found after a part of the answer had gone out. */
  readonly late?: boolean;
}

/** What inspection found. */
export interface WafFacts {
  readonly verdict: 'pass' | 'flag' | 'refuse';
  readonly score?: number;
  readonly hits: readonly WafHit[];
  /** Anomaly scores of every rule that ran, and of the levels that block. */
  readonly scores?: {
    readonly inbound: { readonly detection: number; readonly blocking: number };
    readonly outbound: { readonly detection: number; readonly blocking: number };
  };
  /** Name of the rules that ran. */
  readonly ruleset?: string;
  /** What of the request and its answer was not looked at, where something was not. */
  readonly inspected?: { readonly extent: string; readonly bytes: number; readonly why: string | undefined };
}

/** Disjoint token counts; those that are absent are zero. */
export interface UsageFacts {
  readonly input: number;
  readonly output: number;
  readonly cacheRead?: number;
  readonly cacheWrite?: number;
  readonly reasoning?: number;
  /** `estimated` when the provider reported none. */
  readonly source: 'reported' | 'estimated' | 'none';
}

export interface AttemptFacts {
  readonly provider: string;
  readonly model: string;
  /** HTTP status of the target; 0 when it gave none. */
  readonly status: number;
  readonly outcome: Outcome;
  /** Milliseconds to the first content. */
  readonly ttftMs?: number;
}

export interface ModelFacts {
  /** `chat.completions` */
  readonly operation: string;
  /** The name the caller asked for. */
  readonly requested: string;
  /** The target that answered; undefined when none was reached. */
  readonly provider?: string;
  readonly model?: string;
  readonly stream: boolean;
  readonly usage?: UsageFacts;
  /** Decimal text; null when the target has no price. */
  readonly costUsd: string | null;
  readonly priceVersion?: string;
  readonly attempts: readonly AttemptFacts[];
  /** The target that was given up before this one. */
  readonly fallbackFrom?: string;
}

/** A target of an upstream that another one took the place of. */
export interface FailedTarget {
  readonly host: string;
  /** 0 when it answered nothing. */
  readonly status: number;
  /** Of the refusal that its failure would have been. */
  readonly code?: string;
}

/** Everything the ingress knows of one finished request. */
export interface RequestFacts extends Making {
  readonly pseudonym: Pseudonym;
  readonly requestId: string;
  /** The route's tenant, or the installation's when no route matched. */
  readonly tenant: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly method: string;
  /** Canonical path; never the query, which may carry secrets. */
  readonly path: string;
  /** 0 when the caller left before any status was sent. */
  readonly status: number;
  /** Body bytes received and sent. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly outcome: Outcome;
  /** Of a call of gRPC, what its upstream said of it. */
  readonly grpcStatus?: number | undefined;
  readonly clientAddress: string;
  /** Port of the caller's end of the connection; only under test, where records are found by it. */
  readonly sourcePort?: number | undefined;
  readonly refusal?: Refusal;
  readonly route?: RouteFacts;
  /** An operation of our own that calls no model, such as `models.list`; undefined for what is only passed on. */
  readonly operation?: string;
  /** Revision of the configuration that served it. */
  readonly configVersion?: string;
  readonly principal?: Principal;
  /** Host of the upstream or provider that was called, and the targets that failed before it. */
  readonly upstream?: { readonly host: string; readonly failed?: readonly FailedTarget[] };
  /** The canary of the route answered. */
  readonly canary?: boolean;
  /** Who answered each consult: the service, or the engine inside the ingress. */
  readonly decidedBy?: { readonly [control in Control]?: 'service' | 'local' };
  readonly skipped?: readonly SkippedControl[];
  /** The rate limit nearest to its end. */
  readonly limit?: { readonly policy: string; readonly remaining: number };
  readonly waf?: WafFacts;
  readonly model?: ModelFacts;
  readonly trace?: TraceFacts;
  /** For a record that stands for several refusals of one kind (the flood rule). */
  readonly folded?: { readonly count: number; readonly firstRequestId: string; readonly lastRequestId: string };
}

/** What is known when a request of a `regulated` route is let in. */
export type AdmissionFacts = Pick<
  RequestFacts,
  | 'now'
  | 'random'
  | 'pseudonym'
  | 'requestId'
  | 'tenant'
  | 'startedAt'
  | 'method'
  | 'path'
  | 'clientAddress'
  | 'route'
  | 'operation'
  | 'configVersion'
  | 'principal'
  | 'trace'
> & { readonly model?: Pick<ModelFacts, 'operation' | 'requested' | 'stream'> };

/** A credential that was refused, with the reason that the caller is never told. */
export interface RefusedSessionFacts extends Making {
  readonly pseudonym: Pseudonym;
  readonly tenant: string;
  readonly requestId: string;
  readonly refusal: Refusal;
  /** Kind and public id of what was presented, where they could be read: never the credential. */
  readonly credential?: { readonly kind: string; readonly id: string };
  readonly clientAddress: string;
  readonly route?: string;
  readonly decidedBy: 'service' | 'local';
  readonly trace?: TraceFacts;
}

/** A committed write to anything an administrator can change. */
export interface ChangeFacts extends Making {
  readonly tenant: string;
  readonly actor: { readonly name: string; readonly via: 'api' | 'cli' | 'console' | 'file' };
  readonly object: { readonly type: string; readonly id: string; readonly name: string };
  readonly action: 'create' | 'update' | 'delete';
  /** The object before and after, secrets already masked. */
  readonly before?: Json;
  readonly after?: Json;
  readonly reason?: string;
  readonly configVersion?: string;
  readonly traceId?: string;
  readonly requestId?: string;
}

/** A control that changed its state: a start, a stop, an applied configuration, a gap, a torn tail. */
export interface ControlFacts extends Making {
  readonly tenant: string;
  /** `start`, `stop`, `config-applied`, `config-rejected`, or an event of the trail itself such as `gap`. */
  readonly what: string;
  readonly app: string;
  /** Plain values that say more; no secrets, no personal data. */
  readonly detail?: { readonly [name: string]: Json };
  /** For a failed control: `failed` marks it for the report on control failures. */
  readonly state?: 'ok' | 'failed';
}

/** A verdict worth keeping beside the record of its request. */
export interface FindingFacts extends Making {
  readonly pseudonym: Pseudonym;
  readonly tenant: string;
  readonly requestId: string;
  readonly title: string;
  /** The finding's type: `waf`, `prompt-injection`, `secret-leak`. */
  readonly what: string;
  readonly severity: 'low' | 'medium' | 'high' | 'critical';
  readonly action: 'blocked' | 'flagged';
  readonly waf?: WafFacts;
  readonly route?: string;
  readonly clientAddress: string;
  readonly trace?: TraceFacts;
}

/** Somebody read the log. */
export interface LogReadFacts extends Making {
  readonly tenant: string;
  readonly actor: { readonly name: string; readonly via: 'api' | 'cli' | 'console' };
  readonly operation: 'search' | 'get' | 'live';
  /** The filters as they were asked. */
  readonly query: { readonly [name: string]: string };
  readonly count: number;
  readonly requestId?: string;
  readonly traceId?: string;
}
