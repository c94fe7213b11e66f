import { z } from 'zod';
import { routeLimits } from './route-limits';

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
});

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
});
export type SnapshotUpstream = z.infer<typeof snapshotUpstream>;

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
  auth: routeAuth,
  policies: z.array(policyInstance),
  /** Continue the caller's trace instead of linking to it. */
  trustTrace: z.boolean(),
  /** What differs from the limits of the data plane; left out: nothing. */
  limits: routeLimits.optional(),
});
export type SnapshotRoute = z.infer<typeof snapshotRoute>;

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
