import { z } from 'zod';
import { routeLimits } from './route-limits';
import {
  activeHealth,
  adaptiveLimit,
  breaker,
  ejection,
  hedge,
  price,
  retry,
  routeAuth,
  routeCanary,
  routeClass,
  routeMirror,
  routePriority,
  secretReference,
  upstreamBalance,
  upstreamLimits,
  upstreamProtocol,
  upstreamTls,
} from './snapshot';
import { wafSettings } from './waf-settings';

/**
 * The declarative document: what a configuration file says, what `export` gives back, and what the admin API calls its
 * objects by. References are by name; unknown members are refused; a member that is left out has the default named here.
 */

const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, 'a name is 1–63 of a–z, 0–9 and -, with no - at either end');

const duration = z.string().regex(/^\d{1,9}(ms|s|m|h|d)$/, 'write a duration such as 250ms, 5s, 2m, 12h or 90d');

const moment = z.iso.datetime({ error: 'write a moment such as 2027-01-31T00:00:00Z' });

/** What stands for itself is not escaped (RFC 3986 §2.3): no request comes in such a spelling. */
const ESCAPED_UNRESERVED = /%(2D|2E|3\d|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])/;

/** A path that has one spelling only: whole segments, no `.` or `..`, nothing empty, no slash at the end. */
const canonicalPath = z
  .string()
  .max(1024)
  .regex(
    /^\/$|^(\/(?!\.{1,2}(\/|$))([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})+)+$/,
    'a path begins with a slash, has no empty, . or .. segment and no slash at the end',
  )
  .refine((path) => !ESCAPED_UNRESERVED.test(path), 'letters, digits and - . _ ~ stand in a path unescaped');

/** Credentials in a URL would end up in snapshots, logs and exports. */
const plainUrl = z
  .url({ protocol: /^https?$/, error: 'write an http or https URL' })
  .max(2048)
  .regex(/^[^@?#]*$/, 'the URL of a server has no credential, query or fragment');

function namesCredentials(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && (url.username !== '' || url.password !== '');
}

/** A list whose entries have different names. */
function distinct<T extends z.ZodType<object>>(entry: T, max: number, nameOf: (value: z.output<T>) => string) {
  return z
    .array(entry)
    .max(max)
    .superRefine((entries, context) => {
      const seen = new Set<string>();
      entries.forEach((value, index) => {
        const named = nameOf(value);
        if (seen.has(named)) {
          context.addIssue({ code: 'custom', path: [index, 'name'], message: `“${named}” stands here twice` });
        }
        seen.add(named);
      });
    });
}

/** Every state of a version; the data plane never meets a draft. */
export const versionState = z.enum(['draft', 'published', 'deprecated', 'sunset', 'decommissioned']);
export type VersionState = z.infer<typeof versionState>;

/** The same settings with their times written as durations; `Ms` leaves their names. */
const declaredActiveHealth = activeHealth
  .omit({ everyMs: true, timeoutMs: true })
  .extend({ every: duration.default('5s'), timeout: duration.default('2s') });
export type DeclaredActiveHealth = z.infer<typeof declaredActiveHealth>;

const declaredEjection = ejection
  .omit({ windowMs: true, latencyForMs: true, baseMs: true })
  .extend({ window: duration.default('10s'), latencyFor: duration.default('10s'), base: duration.default('30s') });

const declaredBreaker = breaker
  .omit({ windowMs: true, probeMs: true })
  .extend({ window: duration.default('10s'), probe: duration.default('5s') });

const declaredRetry = retry.omit({ attemptMs: true }).extend({ attemptTimeout: duration.optional() });

const declaredHedge = hedge.omit({ afterMs: true }).extend({ after: duration.optional() });

const off = z.literal(false);

const upstreamMembers = {
  targets: z
    .array(z.strictObject({ url: plainUrl, weight: z.int().min(0).max(1000).default(1) }))
    .min(1)
    .max(64),
  /** One duration is the time to the first byte of the answer. */
  timeout: z
    .union([
      duration,
      z.strictObject({
        connect: duration.optional(),
        send: duration.optional(),
        firstByte: duration.optional(),
        idle: duration.optional(),
        total: duration.optional(),
      }),
    ])
    .optional(),
  /** Private and loopback targets are meant. */
  allowPrivate: z.boolean().default(false),
  /** Left out: HTTP/1.1. HTTP/2 is agreed on by TLS, or taken for granted on an http target. */
  protocol: upstreamProtocol.optional(),
  tls: upstreamTls
    .refine((tls) => (tls.certificate === undefined) === (tls.key === undefined), {
      error: 'certificate and key go together',
    })
    .optional(),
  balance: upstreamBalance.optional(),
  /** Targets are judged by how they answer unless `ejection` is false, and asked by themselves where `active` says so. */
  health: z
    .strictObject({
      active: declaredActiveHealth.optional(),
      ejection: z.union([off, declaredEjection]).optional(),
    })
    .optional(),
  /** Left out: on, with its defaults. */
  breaker: z.union([off, declaredBreaker]).optional(),
  limits: upstreamLimits.optional(),
  /** Left out: off. */
  adaptive: adaptiveLimit.optional(),
  /** Left out: on, with its defaults. */
  retry: z.union([off, declaredRetry]).optional(),
  /** Left out: off. */
  hedge: declaredHedge.optional(),
};

/** Both name an upstream under `upstreams`. */
const declaredCanary = routeCanary.extend({ upstream: name });
const declaredMirror = routeMirror.extend({ upstream: name });

/** `{ <policy id>: <its configuration> }`, or the name of an instance under `policies`. */
const policyAttachment = z.union([
  name,
  z
    .record(name, z.record(z.string(), z.json()))
    .refine((map) => Object.keys(map).length === 1, 'one policy in each entry of the list'),
]);
export type PolicyAttachment = z.infer<typeof policyAttachment>;

const policyList = z.array(policyAttachment).max(32);

/** The name of an upstream under `upstreams`, or one that belongs to this version alone. */
const upstreamUse = z.union([name, z.strictObject(upstreamMembers)]);
export type UpstreamUse = z.infer<typeof upstreamUse>;

/** One route of a version; what it leaves out it has from the version. */
const declaredRoute = z.strictObject({
  name,
  /** Below the path of the version. */
  path: canonicalPath.default('/'),
  /** Exact authority without port; left out: any. */
  host: z
    .string()
    .max(253)
    .regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/, 'a host is written in lower case, without a port')
    .optional(),
  /** Left out: any method. */
  methods: z
    .array(z.string().regex(/^[A-Z]{1,32}$/, 'a method is written in capitals'))
    .max(16)
    .default([]),
  stripPrefix: z.boolean().optional(),
  trustTrace: z.boolean().optional(),
  websocket: z.boolean().optional(),
  upstream: upstreamUse.optional(),
  canary: declaredCanary.optional(),
  mirror: declaredMirror.optional(),
  auth: routeAuth.optional(),
  policies: policyList.optional(),
  /** Member by member over those of the version. */
  limits: routeLimits.optional(),
  priority: routePriority.optional(),
  /** Member by member over that of the version; exclusions of both count. */
  waf: wafSettings.optional(),
});
export type DeclaredRoute = z.infer<typeof declaredRoute>;

const versionMembers = {
  description: z.string().max(4096).optional(),
  /** Where the version is served; left out: `/<service>`. */
  path: canonicalPath.optional(),
  class: routeClass.default('public'),
  upstream: upstreamUse.optional(),
  canary: declaredCanary.optional(),
  mirror: declaredMirror.optional(),
  /** Cut the path at which a route is served off before forwarding. */
  stripPrefix: z.boolean().default(false),
  /** Continue the caller's trace instead of linking to it. */
  trustTrace: z.boolean().default(false),
  /** Callers may open a WebSocket (RFC 6455) instead of sending a request. */
  websocket: z.boolean().optional(),
  auth: routeAuth.prefault({}),
  policies: policyList.default([]),
  /** What one request and its answer may cost; what is left out has the default of the data plane. */
  limits: routeLimits.optional(),
  /** `low` is turned away first when the gateway is busy, `high` last; left out: normal. */
  priority: routePriority.optional(),
  /** How requests and answers are inspected; left out: inspected by the rules in force, which block. */
  waf: wafSettings.optional(),
  /** Left out: one route, `all`, for everything below the path. */
  routes: distinct(declaredRoute, 2000, (route) => route.name).default([]),
};

/** What an editor may change of a version, whatever its state. */
export const versionSpec = z.strictObject(versionMembers);
export type VersionSpec = z.infer<typeof versionSpec>;

/** Where a version stands in its life. Left out: published when it is new or a draft, otherwise as it is. */
export const declaredLifecycle = z.strictObject({
  state: versionState,
  deprecated: moment.optional(),
  sunset: moment.optional(),
  /** Label of another version of the service, a path, or an absolute URL. */
  successor: z
    .string()
    .max(2048)
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$|^\/[^\s]*$|^https?:\/\/[^\s]+$/, 'name a version, a path or a URL')
    .optional(),
  reason: z.string().min(1).max(1024).optional(),
});
export type DeclaredLifecycle = z.infer<typeof declaredLifecycle>;

const serviceKind = z.enum(['rest']);

/** One version of one service. */
export const declaredService = z.strictObject({
  name,
  kind: serviceKind.default('rest'),
  version: name.default('v1'),
  ...versionMembers,
  lifecycle: declaredLifecycle.optional(),
});
export type DeclaredService = z.infer<typeof declaredService>;

export const declaredUpstream = z.strictObject({ name, ...upstreamMembers });
export type DeclaredUpstream = z.infer<typeof declaredUpstream>;

/** A configured policy that versions and routes attach by name. */
export const declaredPolicy = z.strictObject({
  name,
  policy: name,
  config: z.record(z.string(), z.json()).default({}),
});
export type DeclaredPolicy = z.infer<typeof declaredPolicy>;

export const declaredConsumer = z.strictObject({
  name,
  limits: z
    .array(z.strictObject({ name, limit: z.int().min(1), window: duration }))
    .max(16)
    .default([]),
});
export type DeclaredConsumer = z.infer<typeof declaredConsumer>;

/** The policies that have a meaning for a model: those that judge the caller, and neither its path nor its body. */
export const modelPolicies = ['concurrency-limit', 'ip-allow-deny', 'rate-limit'] as const;

const modelPolicyList = z
  .array(
    z
      .partialRecord(z.enum(modelPolicies), z.record(z.string(), z.json()))
      .refine((map) => Object.keys(map).length === 1, 'one policy in each entry of the list'),
  )
  .max(32);

/** What a provider calls a model; it stands in every receipt, and neither JSON nor a database takes half a character or a NUL. */
const vendorModel = z
  .string()
  .min(1)
  .max(256)
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), { error: 'write plain text' });

export const declaredModel = z.strictObject({
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$/, 'a model name is letters, digits and . _ : / -'),
  class: routeClass.default('public'),
  /** What holds for calls of this model, beside what holds for the endpoint. */
  policies: modelPolicyList.optional(),
  /** Targets in order of preference; each names an account, or the provider when it has only one account. */
  fallback: z
    .array(
      z
        .strictObject({
          account: name.optional(),
          provider: name.optional(),
          model: vendorModel,
          price: price.optional(),
        })
        .refine((target) => (target.account === undefined) !== (target.provider === undefined), {
          error: 'name either an account or a provider',
        }),
    )
    .min(1)
    .max(6),
});
export type DeclaredModel = z.infer<typeof declaredModel>;

export const declaredAccount = z.strictObject({
  name,
  provider: name,
  baseUrl: plainUrl.optional(),
  allowPrivate: z.boolean().default(false),
  /** Where the ai-router finds the key; the key itself is never configuration. */
  key: secretReference.optional(),
});
export type DeclaredAccount = z.infer<typeof declaredAccount>;

export const declaredTrustEntry = z
  .strictObject({
    name,
    issuer: z.string().min(1).max(2048),
    audiences: z.array(z.string().min(1).max(2048)).min(1).max(32),
    algorithms: z
      .array(z.enum(['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA']))
      .min(1)
      .default(['ES256', 'RS256']),
    typ: z.string().max(64).nullable().default('at+jwt'),
    jwks: z.strictObject({ keys: z.array(z.record(z.string(), z.json())).min(1).max(20) }).optional(),
    jwksUrl: z
      .url({ protocol: /^https?$/, error: 'write an http or https URL' })
      .max(2048)
      .refine((url) => !namesCredentials(url), 'the URL of keys has no credential')
      .optional(),
    allowPrivate: z.boolean().default(false),
  })
  .refine((entry) => (entry.jwks === undefined) !== (entry.jwksUrl === undefined), {
    error: 'give either jwks or jwksUrl',
  })
  // RFC 7517 §9.3: a private or symmetric key has no place in a document that many may read.
  .refine((entry) => !entry.jwks?.keys.some((key) => 'd' in key || key['kty'] === 'oct'), {
    error: 'jwks holds public keys only',
    path: ['jwks'],
  });
export type DeclaredTrustEntry = z.infer<typeof declaredTrustEntry>;

/** What holds for all of a tenant unless something nearer says otherwise: a setting under its name. */
export const declaredDefault = z.strictObject({ name: z.literal('waf'), waf: wafSettings });
export type DeclaredDefault = z.infer<typeof declaredDefault>;

/** The whole document. */
export const declarative = z.strictObject({
  sallyport: z.literal(1, { error: 'the first line of a configuration file is “sallyport: 1”' }),
  /** Member by member under that of a version, and of a route; exclusions of all count. */
  waf: wafSettings.optional(),
  services: distinct(declaredService, 20_000, ({ name: service, version }) => `${service} ${version}`).default([]),
  upstreams: distinct(declaredUpstream, 20_000, (upstream) => upstream.name).default([]),
  policies: distinct(declaredPolicy, 10_000, (policy) => policy.name).default([]),
  consumers: distinct(declaredConsumer, 100_000, (consumer) => consumer.name).default([]),
  models: distinct(declaredModel, 10_000, (model) => model.name).default([]),
  accounts: distinct(declaredAccount, 10_000, (account) => account.name).default([]),
  trust: distinct(declaredTrustEntry, 1_000, (entry) => entry.name).default([]),
});
export type Declarative = z.infer<typeof declarative>;
/** The same before defaults are filled in. */
export type DeclarativeInput = z.input<typeof declarative>;
