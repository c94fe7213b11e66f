import { createHash, type Hash } from 'node:crypto';
import {
  canonicalJson,
  mergeWafSettings,
  parseDuration,
  timeouts,
  type DeclaredAccount,
  type DeclaredConsumer,
  type DeclaredModel,
  type DeclaredTrustEntry,
  type Json,
  type PolicyAttachment,
  type PolicyInstance,
  type ServedState,
  type Snapshot,
  type SnapshotRoute,
  type SnapshotUpstream,
  type UpstreamUse,
} from '@sallyport/contracts';
import type { Sliced } from '@sallyport/platform';
import {
  isLive,
  isServed,
  pathOf,
  routesOf,
  type Configuration,
  type EffectiveRoute,
  type Entry,
  type VersionEntry,
} from './configuration';
import { accountsOf, conflictsOf, isVersionLabel, timeoutsOf } from './preflight';
import { addressOf } from './providers';
import { upstreamSettings } from './upstream-settings';

export interface Stamp {
  readonly revision: string;
  /** Milliseconds since the epoch; also the moment tombstones are judged by. */
  readonly now: number;
}

/**
 * Makes the document every process runs on. The same resources and stamp give the same bytes on every machine.
 *
 * @param configuration without preflight errors
 */
export function* compile(configuration: Configuration, { revision, now }: Stamp): Sliced<Snapshot> {
  const served = yield* servedRoutes(configuration.versions.filter((entry) => isServed(entry, now)));
  const routes: SnapshotRoute[] = [];
  for (const route of served) {
    routes.push(compileRoute(route, configuration));
    yield;
  }
  return {
    schema: 1,
    revision,
    createdAt: new Date(now).toISOString(),
    routes,
    upstreams: yield* compileUpstreams(served, configuration),
    consumers: configuration.consumers.map(compileConsumer),
    models: configuration.models.map((model) => compileModel(model, configuration)),
    accounts: configuration.accounts.map(compileAccount),
    trust: configuration.trust.map(compileTrustEntry),
  };
}

/** SHA-256 of what a snapshot says, whatever its revision and moment: two that are equal need no new revision. */
export function* contentDigest(snapshot: Snapshot): Sliced<string> {
  const content = { ...snapshot, revision: '', createdAt: '' } as unknown as { readonly [name: string]: Json };
  const hash = createHash('sha256');
  // The canonical JSON of the whole (RFC 8785), one entry of a list after the other.
  for (const [at, name] of Object.keys(content).sort().entries()) {
    hash.update(`${at === 0 ? '{' : ','}${JSON.stringify(name)}:`);
    const member = content[name]!;
    if (!Array.isArray(member)) hash.update(canonicalJson(member));
    else yield* hashList(hash, member as readonly Json[]);
  }
  return hash.update('}').digest('hex');
}

function* hashList(hash: Hash, list: readonly Json[]): Sliced<void> {
  hash.update('[');
  for (const [index, entry] of list.entries()) {
    hash.update(`${index === 0 ? '' : ','}${canonicalJson(entry)}`);
    yield;
  }
  hash.update(']');
}

/** Versions that have ended keep answering 410 until another one takes their address. */
function* servedRoutes(versions: readonly VersionEntry[]): Sliced<EffectiveRoute[]> {
  const live = versions.filter(isLive).flatMap(routesOf);
  const ended = versions.filter((entry) => !isLive(entry)).flatMap(routesOf);
  const routes = [...live, ...ended];
  const displaced = new Set((yield* conflictsOf(routes)).map(({ route }) => route));
  return routes.filter((route) => !displaced.has(route)).sort((left, right) => (left.id < right.id ? -1 : 1));
}

function compileRoute(route: EffectiveRoute, configuration: Configuration): SnapshotRoute {
  const { entry } = route;
  return {
    id: route.id,
    tenant: entry.tenant,
    service: entry.service,
    version: entry.version,
    state: entry.life.state as ServedState,
    lifecycle: {
      deprecatedAt: momentText(entry.life.deprecatedAt),
      sunsetAt: momentText(entry.life.sunsetAt),
      successor: successorLink(entry, configuration.versions),
    },
    class: entry.spec.class,
    match: { host: route.host, pathPrefix: route.path, methods: [...route.methods].sort() },
    stripPrefix: route.stripPrefix,
    upstream: upstreamId(route),
    ...(route.canary && { canary: route.canary }),
    ...(route.mirror && { mirror: route.mirror }),
    auth: route.auth,
    policies: route.policies.map((attachment) => compilePolicy(attachment, entry.tenant, configuration)),
    trustTrace: route.trustTrace,
    ...(route.websocket && { websocket: true }),
    ...(route.limits && { limits: route.limits }),
    ...(route.priority && { priority: route.priority }),
    ...wafOf(route, configuration),
  };
}

/** The nearest word holds: of the route, of its version, of the whole document. */
function wafOf({ entry, waf }: EffectiveRoute, { defaults }: Configuration): Pick<SnapshotRoute, 'waf'> {
  const outer = defaults.find(({ tenant }) => tenant === entry.tenant)?.declared.waf;
  const merged = mergeWafSettings(outer, waf);
  return merged ? { waf: merged } : {};
}

function momentText(moment: number | null): string | null {
  return moment === null ? null : new Date(moment).toISOString();
}

function successorLink({ tenant, service, life }: VersionEntry, versions: Configuration['versions']): string | null {
  if (life.successor === null || !isVersionLabel(life.successor)) return life.successor;
  const next = versions.find(
    (other) => other.tenant === tenant && other.service === service && other.version === life.successor,
  );
  return next ? pathOf(next) : null;
}

function compilePolicy(attachment: PolicyAttachment, tenant: string, { policies }: Configuration): PolicyInstance {
  if (typeof attachment === 'string') {
    const named = policies.find((entry) => entry.tenant === tenant && entry.declared.name === attachment)!.declared;
    return { policy: named.policy, config: named.config };
  }
  return instanceOf(attachment);
}

function instanceOf(attachment: Exclude<PolicyAttachment, string>): PolicyInstance {
  const [policy, config] = Object.entries(attachment)[0]!;
  return { policy, config };
}

/** Shared upstreams go by their name, others by what they belong to; a name holds no slash. */
function upstreamId({ entry, id, upstream, ownUpstream }: EffectiveRoute): string {
  if (typeof upstream === 'string') return upstream;
  return ownUpstream ? id : `${entry.service}/${entry.version}`;
}

/** Names of upstreams are unique; one that belongs to a version has a name nobody would give to a shared one. */
function ownName(id: string): string {
  const digest = createHash('sha256').update(id).digest('hex').slice(0, 8);
  return `${id.replaceAll('/', '-').slice(0, 54)}-${digest}`;
}

function* compileUpstreams(
  routes: readonly EffectiveRoute[],
  configuration: Configuration,
): Sliced<SnapshotUpstream[]> {
  const compiled = new Map<string, SnapshotUpstream>();
  for (const { tenant, declared } of configuration.upstreams) {
    compiled.set(declared.name, compileUpstream(declared.name, tenant, declared.name, declared));
    yield;
  }
  for (const route of routes) {
    const id = upstreamId(route);
    if (typeof route.upstream === 'object' && !compiled.has(id)) {
      compiled.set(id, compileUpstream(id, route.entry.tenant, ownName(id), route.upstream));
      yield;
    }
  }
  return [...compiled.values()].sort((left, right) => (left.id < right.id ? -1 : 1));
}

function compileUpstream(
  id: string,
  tenant: string,
  name: string,
  declared: Exclude<UpstreamUse, string>,
): SnapshotUpstream {
  const { targets, timeout, allowPrivate } = declared;
  return {
    id,
    tenant,
    name,
    targets,
    timeouts: timeouts.parse(timeoutsOf(timeout)),
    allowPrivate,
    ...upstreamSettings(declared),
  };
}

function compileConsumer({ tenant, declared }: Entry<DeclaredConsumer>): Snapshot['consumers'][number] {
  const limits = declared.limits.map(({ name, limit, window }) => ({
    name,
    limit,
    windowSeconds: parseDuration(window) / 1000,
  }));
  return { tenant, name: declared.name, limits };
}

function compileModel(
  { tenant, declared }: Entry<DeclaredModel>,
  { accounts }: Configuration,
): Snapshot['models'][number] {
  const targets = declared.fallback.map(({ account, provider, model, price }) => ({
    account: account ?? accountsOf(accounts, tenant, provider!)[0]!,
    model,
    price: price ?? null,
  }));
  const policies = declared.policies?.map((attachment) => instanceOf(attachment));
  return { tenant, name: declared.name, class: declared.class, targets, ...(policies && { policies }) };
}

function compileAccount({ tenant, declared }: Entry<DeclaredAccount>): Snapshot['accounts'][number] {
  return {
    tenant,
    name: declared.name,
    provider: declared.provider,
    wire: declared.provider === 'echo' ? 'echo' : 'openai-chat',
    baseUrl: declared.baseUrl ?? addressOf(declared.provider) ?? null,
    allowPrivate: declared.allowPrivate,
    key: declared.key ?? null,
  };
}

function compileTrustEntry({ tenant, declared }: Entry<DeclaredTrustEntry>): Snapshot['trust'][number] {
  const { jwks, jwksUrl, ...rest } = declared;
  return { tenant, ...rest, jwks: jwks ?? null, jwksUrl: jwksUrl ?? null };
}
