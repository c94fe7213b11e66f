import {
  mergeWafSettings,
  type DeclaredAccount,
  type DeclaredConsumer,
  type DeclaredDefault,
  type DeclaredModel,
  type DeclaredPolicy,
  type DeclaredRoute,
  type DeclaredTrustEntry,
  type DeclaredUpstream,
  type RouteLimits,
  type UpstreamUse,
  type VersionSpec,
  type WafSettings,
} from '@sallyport/contracts';
import type { Life } from './lifecycle';

/** One version of a service, as the catalog keeps it. */
export interface VersionEntry {
  readonly tenant: string;
  readonly service: string;
  readonly version: string;
  readonly spec: VersionSpec;
  readonly life: Life;
}

export interface Entry<Declared> {
  readonly tenant: string;
  readonly declared: Declared;
}

/** Everything a snapshot is made of, each list in the order of tenant and name. */
export interface Configuration {
  readonly versions: readonly VersionEntry[];
  readonly defaults: readonly Entry<Pick<DeclaredDefault, 'waf'>>[];
  readonly upstreams: readonly Entry<DeclaredUpstream>[];
  readonly policies: readonly Entry<DeclaredPolicy>[];
  readonly consumers: readonly Entry<DeclaredConsumer>[];
  readonly models: readonly Entry<DeclaredModel>[];
  readonly accounts: readonly Entry<DeclaredAccount>[];
  readonly trust: readonly Entry<DeclaredTrustEntry>[];
}

/** How long a decommissioned version still answers 410: twelve months. */
const TOMBSTONE_MS = 365 * 86_400_000;

/** Address of a version among all objects, as in the admin API. */
export function versionAddress({ service, version }: Pick<VersionEntry, 'service' | 'version'>): string {
  return `services/${service}/versions/${version}`;
}

/** Where a version is served. */
export function pathOf({ service, spec }: Pick<VersionEntry, 'service' | 'spec'>): string {
  return spec.path ?? `/${service}`;
}

/** A route with everything it leaves out filled in from its version. */
export interface EffectiveRoute extends Required<
  Pick<DeclaredRoute, 'name' | 'methods' | 'stripPrefix' | 'trustTrace' | 'websocket'>
> {
  readonly entry: VersionEntry;
  /** `<service>/<version>/<route>` */
  readonly id: string;
  readonly host: string | null;
  /** The whole path. */
  readonly path: string;
  readonly upstream: UpstreamUse | undefined;
  readonly canary: DeclaredRoute['canary'];
  readonly mirror: DeclaredRoute['mirror'];
  /** Whether the route has an upstream of its own. */
  readonly ownUpstream: boolean;
  readonly auth: VersionSpec['auth'];
  readonly policies: VersionSpec['policies'];
  readonly limits: RouteLimits | undefined;
  readonly priority: DeclaredRoute['priority'];
  readonly waf: WafSettings | undefined;
  /** JSON Pointer of the route in its version; empty when the version is its only route. */
  readonly pointer: string;
}

/** The routes of a version; one that declares none has the route `all`. */
export function routesOf(entry: VersionEntry): EffectiveRoute[] {
  const { spec } = entry;
  const base = pathOf(entry);
  const declared: readonly DeclaredRoute[] =
    spec.routes.length > 0 ? spec.routes : [{ name: 'all', path: '/', methods: [] }];
  return declared.map((route, index) => ({
    entry,
    id: `${entry.service}/${entry.version}/${route.name}`,
    name: route.name,
    host: route.host ?? null,
    path: joined(base, route.path),
    methods: route.methods,
    stripPrefix: route.stripPrefix ?? spec.stripPrefix,
    trustTrace: route.trustTrace ?? spec.trustTrace,
    websocket: route.websocket ?? spec.websocket ?? false,
    upstream: route.upstream ?? spec.upstream,
    ownUpstream: route.upstream !== undefined,
    canary: route.canary ?? spec.canary,
    mirror: route.mirror ?? spec.mirror,
    auth: route.auth ?? spec.auth,
    policies: route.policies ?? spec.policies,
    limits: route.limits && spec.limits ? { ...spec.limits, ...route.limits } : (route.limits ?? spec.limits),
    priority: route.priority ?? spec.priority,
    waf: mergeWafSettings(spec.waf, route.waf),
    pointer: spec.routes.length > 0 ? `/routes/${index}` : '',
  }));
}

function joined(base: string, path: string): string {
  if (path === '/') return base;
  return base === '/' ? path : base + path;
}

/** Whether the data plane has to know a version at a moment: drafts are not served, old tombstones no more. */
export function isServed({ life }: VersionEntry, now: number): boolean {
  if (life.state === 'decommissioned') return (life.decommissionedAt ?? 0) + TOMBSTONE_MS > now;
  return life.state !== 'draft';
}

/** Whether a version still answers with its upstream; one that has ended yields its address to another. */
export function isLive({ life }: VersionEntry): boolean {
  return life.state === 'published' || life.state === 'deprecated';
}

/** Objects that name another one: what stands in the way of removing it. */
export function usersOf(
  configuration: Configuration,
  kind: 'upstreams' | 'policies' | 'accounts' | 'trust',
  tenant: string,
  name: string,
): string[] {
  if (kind === 'accounts') {
    return configuration.models
      .filter((model) => model.tenant === tenant)
      .filter(({ declared }) => declared.fallback.some(({ account }) => account === name))
      .map(({ declared }) => `models/${declared.name}`);
  }
  const names: Record<typeof kind, (route: EffectiveRoute) => readonly unknown[]> = {
    upstreams: ({ upstream, canary, mirror }) => [upstream, canary?.upstream, mirror?.upstream],
    policies: ({ policies }) => policies,
    trust: ({ auth }) => auth.trust,
  };
  return configuration.versions
    .filter((entry) => entry.tenant === tenant)
    .filter((entry) => routesOf(entry).some((route) => names[kind](route).includes(name)))
    .map(versionAddress);
}
