import { z } from 'zod';
import { routeLimits } from './route-limits';
import { wafSettings } from './waf-settings';

/**
 * The configuration every process runs on: one immutable document per revision, compiled by the catalog and read as
 * hostile input by everyone else. Unknown members are refused; `schema` rises when a reader must know something new.
 */

const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a name is 1–63 of a–z, 0–9 and -, with no - at either end');
const tenant = name;
const moment = z.iso.datetime();

export const routeClass = z.enum(['public', 'regulated', 'internal']);
export type RouteClass = z.infer<typeof routeClass>;

/** States of a version that the data plane can meet; `draft` never leaves the catalog. */
export const servedState = z.enum(['published', 'deprecated', 'sunset', 'decommissioned']);
export type ServedState = z.infer<typeof servedState>;

export const timeouts = z.strictObject({
  /** Until the TCP and TLS connection stands. */
  connectMs: z.int().min(1).max(60_000).default(2_000),
  /** From the last request byte to the answer's head. */
  firstByteMs: z.int().min(1).max(900_000).default(15_000),
  /** Between two bytes of the answer. */
  idleMs: z.int().min(1).max(900_000).default(30_000),
  /** How long an upstream may leave bytes of a request unread; left out: until the request's own bound. */
  sendMs: z.int().min(1).max(900_000).optional(),
  /** For the whole exchange, every attempt included; left out: no bound but those above. */
  totalMs: z.int().min(1).max(900_000).optional(),
});

/** Where the process that uses a key or certificate finds it; read again when the file changes. */
export const fileReference = z.string().regex(/^\$\{file:\/[^${}]{1,1024}\}$/, 'write ${file:/path}');

/** How an https upstream is called. Verification can be narrowed, never turned off. */
export const upstreamTls = z.strictObject({
  /** Certificates that may have signed the upstream's, instead of the public ones. */
  ca: fileReference.optional(),
  /** What we show the upstream of ourselves, with its chain. */
  certificate: fileReference.optional(),
  key: fileReference.optional(),
  /** Asked for and verified instead of the host of the URL. */
  serverName: z
    .string()
    .max(253)
    .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'a host name in lower case')
    .optional(),
});
export type UpstreamTls = z.infer<typeof upstreamTls>;

export const upstreamProtocol = z.enum(['http1', 'http2']);
export type UpstreamProtocol = z.infer<typeof upstreamProtocol>;

export const upstreamBalance = z.strictObject({
  /** Shares by weight, the least busy target for its weight, or the same target for the same key. */
  by: z.enum(['weighted', 'least-loaded', 'hash']).default('weighted'),
  hash: z
    .strictObject({
      on: z
        .string()
        .regex(
          /^(address|consumer|(header|cookie):[!#$%&'*+.^_`|~0-9a-z-]{1,128})$/,
          'write address, consumer, header:<name> or cookie:<name>, in lower case',
        ),
    })
    .prefault({ on: 'address' }),
});
export type UpstreamBalance = z.infer<typeof upstreamBalance>;

const status = z.int().min(100).max(599);

/** Asks a target by itself whether it is well. */
export const activeHealth = z.strictObject({
  path: z
    .string()
    .max(2048)
    .regex(/^\/[\x21-\x22\x24-\x7e]*$/, 'a path, with a query if need be'),
  everyMs: z.int().min(100).max(3_600_000).default(5_000),
  timeoutMs: z.int().min(1).max(60_000).default(2_000),
  /** Statuses that mean well. */
  expect: z
    .array(z.union([status, z.enum(['2xx', '3xx', '4xx'])]))
    .min(1)
    .max(32)
    .default(['2xx']),
  /** So many good answers in a row bring a target back. */
  healthy: z.int().min(1).max(100).default(2),
  /** So many bad ones take it out. */
  unhealthy: z.int().min(1).max(100).default(3),
});
export type ActiveHealth = z.infer<typeof activeHealth>;

/** Takes a target out of the group by how it answers; never more than the share, never the last. */
export const ejection = z.strictObject({
  /** Failures in a row; 0: not judged. */
  consecutive: z.int().min(0).max(1_000).default(5),
  /** Failures of a hundred, where there were at least `minimum` calls in the window; 0: not judged. */
  percent: z.int().min(0).max(100).default(50),
  minimum: z.int().min(1).max(100_000).default(20),
  windowMs: z.int().min(1_000).max(600_000).default(10_000),
  /** So many times the median of the group, for so long; 0: not judged. */
  latencyTimes: z.number().min(0).max(1_000).default(3),
  latencyForMs: z.int().min(1_000).max(600_000).default(10_000),
  /** How long, times how often it happened. */
  baseMs: z.int().min(100).max(600_000).default(30_000),
  /** Of the targets, at most. */
  maxPercent: z.int().min(0).max(50).default(50),
});
export type EjectionSettings = z.infer<typeof ejection>;

/** Stops calling a target that fails, but for one call now and then. */
export const breaker = z.strictObject({
  /** Failures of the connection, timeouts, 502, 503 and 504 in a row; 0: not judged. */
  consecutive: z.int().min(0).max(1_000).default(5),
  /** Failures of a hundred, any 5xx included, where there were at least `minimum` calls in the window; 0: not judged. */
  percent: z.int().min(0).max(100).default(50),
  minimum: z.int().min(1).max(100_000).default(20),
  windowMs: z.int().min(1_000).max(600_000).default(10_000),
  /** Between two calls that try whether it is over. */
  probeMs: z.int().min(100).max(600_000).default(5_000),
});
export type BreakerSettings = z.infer<typeof breaker>;

/** What one target may have to do with us at a time, per process. */
export const upstreamLimits = z.strictObject({
  connections: z.int().min(1).max(65_535).default(1_024),
  /** Waiting for a connection. */
  pending: z.int().min(0).max(65_535).default(1_024),
  requests: z.int().min(1).max(65_535).default(1_024),
});

/** Bounds the calls that wait for an answer of one target, per process, by how its answers slow down under them. */
export const adaptiveLimit = z
  .strictObject({
    /** Never fewer, whatever is measured. */
    least: z.int().min(1).max(65_535).default(4),
    most: z.int().min(1).max(65_535).default(1_000),
    initial: z.int().min(1).max(65_535).default(20),
    /** How many times its best an answer may take before a target counts as congested. */
    tolerance: z.number().min(1).max(10).default(2),
  })
  .refine(({ least, most }) => least <= most, { error: 'least is more than most' });
export type AdaptiveSettings = z.infer<typeof adaptiveLimit>;

export const retryReason = z.enum(['connect', 'broke', 'timeout', '429', '500', '502', '503', '504']);
export type RetryReason = z.infer<typeof retryReason>;

/** Tries again what failed before a byte of it went to the client. */
export const retry = z.strictObject({
  /** Beside the first. */
  attempts: z.int().min(0).max(2).default(2),
  /** `connect`: no connection; `broke`: no usable answer; `timeout`: no answer in `attemptMs`; or a status. */
  on: z.array(retryReason).max(8).default(['connect', 'broke', '502', '503', '504']),
  /** For one attempt up to the head of its answer; left out: what is left of the first byte's time. */
  attemptMs: z.int().min(1).max(900_000).optional(),
  /** Share of the requests that may be retries, and the number that always may. */
  budgetPercent: z.int().min(0).max(20).default(20),
  budgetMinimum: z.int().min(0).max(3).default(3),
});
export type RetrySettings = z.infer<typeof retry>;

/** Asks a second target when the first is slower than usual, and takes the answer that comes first. */
export const hedge = z.strictObject({
  /** Left out: the 95th percentile of what was measured. */
  afterMs: z.int().min(1).max(60_000).optional(),
  /** Extra requests of a hundred. */
  maxPercent: z.int().min(1).max(5).default(5),
});
export type HedgeSettings = z.infer<typeof hedge>;

/** What is left out is off. */
export const snapshotUpstream = z.strictObject({
  id: z.string(),
  tenant,
  name,
  targets: z
    .array(z.strictObject({ url: z.url({ protocol: /^https?$/ }), weight: z.int().min(0).max(1000).default(1) }))
    .min(1)
    .max(64),
  timeouts,
  /** The operator says that private and loopback addresses are meant. */
  allowPrivate: z.boolean(),
  protocol: upstreamProtocol.optional(),
  tls: upstreamTls.optional(),
  balance: upstreamBalance.optional(),
  health: z.strictObject({ active: activeHealth.optional(), ejection: ejection.optional() }).optional(),
  breaker: breaker.optional(),
  limits: upstreamLimits.optional(),
  adaptive: adaptiveLimit.optional(),
  retry: retry.optional(),
  hedge: hedge.optional(),
});
export type SnapshotUpstream = z.infer<typeof snapshotUpstream>;

/** Sends a share of a route's requests to another upstream and uses its answers. */
export const routeCanary = z.strictObject({
  /** Id of an upstream. */
  upstream: z.string(),
  percent: z.number().min(0).max(100),
  /** Who sends this field with this value is always meant. */
  header: z
    .strictObject({
      name: z.string().regex(/^[!#$%&'*+.^_`|~0-9a-z-]{1,128}$/, 'the name of a field in lower case'),
      value: z.string().max(1024),
    })
    .optional(),
  /** The same consumer always has the same of the two. */
  sticky: z.boolean().default(true),
});
export type RouteCanary = z.infer<typeof routeCanary>;

/** Sends a copy of a share of a route's requests to another upstream and throws its answers away. */
export const routeMirror = z.strictObject({ upstream: z.string(), percent: z.number().min(0).max(100) });
export type RouteMirror = z.infer<typeof routeMirror>;

export const routeAuth = z.strictObject({
  /** Serve callers without a credential too; one that is sent must still be valid. */
  anonymous: z.boolean().default(false),
  kinds: z.array(z.enum(['api-key', 'jwt'])).default(['api-key', 'jwt']),
  /** Names of trust entries whose tokens are accepted; empty: every entry of the tenant. */
  trust: z.array(name).default([]),
  /** Scopes the credential must hold, all of them. */
  scopes: z.array(z.string().min(1).max(128)).default([]),
});

export const policyInstance = z.strictObject({ policy: name, config: z.record(z.string(), z.json()) });
export type PolicyInstance = z.infer<typeof policyInstance>;

export const lifecycleDates = z.strictObject({
  deprecatedAt: moment.nullable(),
  sunsetAt: moment.nullable(),
  /** Absolute or path-only link to what follows. */
  successor: z.string().max(2048).nullable(),
});

/** `low` is turned away first, `high` last. */
export const routePriority = z.enum(['low', 'normal', 'high']);
export type RoutePriority = z.infer<typeof routePriority>;

export const snapshotRoute = z.strictObject({
  /** `<service>/<version>/<route>` */
  id: z.string(),
  tenant,
  service: name,
  version: name,
  state: servedState,
  lifecycle: lifecycleDates,
  class: routeClass,
  match: z.strictObject({
    /** Exact authority without port; null: any. */
    host: z.string().max(253).nullable(),
    /** Whole segments: `/orders` matches `/orders` and `/orders/1`, never `/ordersx`. */
    pathPrefix: z.string().regex(/^\/[^?#]*$/),
    /** Empty: any method. */
    methods: z.array(z.string().regex(/^[A-Z]{1,32}$/)),
  }),
  /** Cut the prefix off before forwarding. */
  stripPrefix: z.boolean(),
  /** Id of an upstream. */
  upstream: z.string(),
  canary: routeCanary.optional(),
  mirror: routeMirror.optional(),
  auth: routeAuth,
  policies: z.array(policyInstance),
  /** Continue the caller's trace instead of linking to it. */
  trustTrace: z.boolean(),
  /** Callers may open a WebSocket; left out: no. */
  websocket: z.boolean().optional(),
  /** What differs from the limits of the data plane; left out: nothing. */
  limits: routeLimits.optional(),
  /** Who is turned away first when the gateway is busy; left out: normal. */
  priority: routePriority.optional(),
  /** How its requests and answers are inspected; left out: with the defaults. */
  waf: wafSettings.optional(),
});
export type SnapshotRoute = z.infer<typeof snapshotRoute>;

/** What the data door serves under `/v1` itself, whatever is published. */
export const modelEndpoints = ['chat-completions', 'models'] as const;
export type ModelEndpoint = (typeof modelEndpoints)[number];

/** The id that a model endpoint has where routes have theirs. */
export function modelEndpointId(endpoint: ModelEndpoint): string {
  return `system/v1/${endpoint}`;
}

/** A price in decimal text per million tokens. */
export const price = z.strictObject({
  inputPerMillion: z.string().regex(/^\d{1,9}(\.\d{1,12})?$/),
  outputPerMillion: z.string().regex(/^\d{1,9}(\.\d{1,12})?$/),
  cacheReadPerMillion: z
    .string()
    .regex(/^\d{1,9}(\.\d{1,12})?$/)
    .optional(),
  currency: z.literal('USD').default('USD'),
});

export const snapshotModel = z.strictObject({
  tenant,
  /** What callers write in `model`. */
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/),
  class: routeClass,
  /** In order of preference. */
  targets: z
    .array(z.strictObject({ account: name, model: z.string().min(1).max(256), price: price.nullable() }))
    .min(1)
    .max(6),
  /** What holds for calls of this model, beside what holds for the endpoint. */
  policies: z.array(policyInstance).max(32).optional(),
});
export type SnapshotModel = z.infer<typeof snapshotModel>;

/** Where a secret is found by the one process that uses it; the value itself is never configuration. */
export const secretReference = z
  .string()
  .regex(/^\$\{(env:[A-Z][A-Z0-9_]{0,127}|file:\/[^${}]{1,1024})\}$/, 'write ${env:NAME} or ${file:/path}');

export const snapshotAccount = z.strictObject({
  tenant,
  name,
  provider: z.string().regex(/^[a-z0-9-]{1,64}$/),
  wire: z.enum(['openai-chat', 'echo']),
  baseUrl: z.url({ protocol: /^https?$/ }).nullable(),
  allowPrivate: z.boolean(),
  key: secretReference.nullable(),
});
export type SnapshotAccount = z.infer<typeof snapshotAccount>;

export const trustEntry = z.strictObject({
  tenant,
  name,
  /** Compared byte for byte with the token's `iss`. */
  issuer: z.string().min(1).max(2048),
  /** The token's `aud` must be one of these. */
  audiences: z.array(z.string().min(1).max(2048)).min(1),
  algorithms: z.array(z.enum(['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA'])).min(1),
  /** Required `typ` of the header; null: any but the types that are never access tokens. */
  typ: z.string().max(64).nullable().default('at+jwt'),
  /** Either the keys themselves or where to fetch them. */
  jwks: z.strictObject({ keys: z.array(z.record(z.string(), z.json())).min(1).max(20) }).nullable(),
  jwksUrl: z.url({ protocol: /^https?$/ }).nullable(),
  allowPrivate: z.boolean().default(false),
});
export type TrustEntry = z.infer<typeof trustEntry>;

export const snapshotConsumer = z.strictObject({
  tenant,
  name,
  /** Beside the limits of a route. */
  limits: z.array(z.strictObject({ name, limit: z.int().min(1), windowSeconds: z.int().min(1).max(31_622_400) })),
});

export const snapshot = z.strictObject({
  schema: z.literal(1),
  revision: z.string().regex(/^c_\d{1,15}$/),
  createdAt: moment,
  routes: z.array(snapshotRoute).max(20_000),
  upstreams: z.array(snapshotUpstream).max(20_000),
  consumers: z.array(snapshotConsumer).max(100_000),
  models: z.array(snapshotModel).max(10_000),
  accounts: z.array(snapshotAccount).max(10_000),
  trust: z.array(trustEntry).max(1_000),
});
export type Snapshot = z.infer<typeof snapshot>;

/** What `head` in the snapshot bucket says. */
export const snapshotHead = z.strictObject({
  revision: z.string().regex(/^c_\d{1,15}$/),
  /** SHA-256 of the whole document, hex. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z.int().min(2),
  /** Keys of the chunks in the same bucket, in order; each ≤ 512 KiB. */
  chunks: z.array(z.string()).min(1),
});
export type SnapshotHead = z.infer<typeof snapshotHead>;

/** First path segments that belong to Sallyport on the data door. */
export const reservedPaths = [
  '/v1',
  '/v1beta',
  '/anthropic',
  '/gemini',
  '/mcp',
  '/problems',
  '/oauth',
  '/.well-known',
  '/livez',
  '/readyz',
  '/startupz',
] as const;
