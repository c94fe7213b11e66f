import {
  nearestName,
  parseDuration,
  reservedPaths,
  snapshotUpstream,
  timeouts,
  type PolicyAttachment,
  type UpstreamUse,
} from '@sallyport/contracts';
import type { Policy } from '@sallyport/pipeline';
import type { Sliced } from '@sallyport/platform';
import { endsHere, RouteConflictError, RouteTable } from '@sallyport/proxy';
import type { z } from 'zod';
import {
  isLive,
  isServed,
  routesOf,
  versionAddress,
  type Configuration,
  type EffectiveRoute,
  type VersionEntry,
} from './configuration';
import {
  exclusionsOfRoutes,
  faultsOfTargets,
  rulesOffByDefault,
  targetsByDefault,
  targetsOfExclusions,
  wholeRulesOff,
} from './exclusion-checks';
import { targetAddress } from './target-address';
import { addressOf } from './providers';
import { upstreamSettings } from './upstream-settings';

/** One thing that stands against publishing a configuration, or that its owner should know. */
export interface Finding {
  readonly code: FindingCode;
  /** An error stops the change, a warning never does. */
  readonly severity: 'error' | 'warning';
  /** The object: `services/orders/versions/v1`, `upstreams/shared`. */
  readonly object: string;
  /** JSON Pointer into the object. */
  readonly pointer: string;
  readonly message: string;
  readonly fix: string;
}

type FindingCode =
  | 'ACCOUNT_URL_MISSING'
  | 'ANONYMOUS_UNLIMITED'
  | 'FIELD_NEVER_ARRIVES'
  | 'LIMIT_WINDOW'
  | 'MATCH_WIDE'
  | 'NOT_SERVABLE'
  | 'PATH_RESERVED'
  | 'POLICY_INVALID'
  | 'POLICY_UNKNOWN'
  | 'REFERENCE_AMBIGUOUS'
  | 'REFERENCE_UNKNOWN'
  | 'ROUTE_CONFLICT'
  | 'TARGET_FORBIDDEN'
  | 'TARGET_PRIVATE'
  | 'TIMEOUT_RANGE'
  | 'TLS_UNUSED'
  | 'UPSTREAM_MISSING'
  | 'UPSTREAM_RANGE'
  | 'WAF_EXCLUSIONS'
  | 'WAF_RULE_OFF'
  | 'WAF_TARGET';

/** What the configuration of each policy must look like and which fields it goes by, by the policy's id. */
export type PolicyRules = Readonly<Record<string, Pick<Policy, 'config' | 'reads'>>>;

/** A configuration with what the checks look up again and again. */
export interface View {
  readonly configuration: Configuration;
  readonly policyRules: PolicyRules;
  /** Versions that the data plane is told of. */
  readonly versions: readonly VersionEntry[];
  readonly routes: readonly EffectiveRoute[];
  has(kind: 'upstreams' | 'policies' | 'trust' | 'accounts', tenant: string, name: string): boolean;
  names(kind: 'upstreams' | 'policies' | 'trust' | 'accounts', tenant: string): string[];
  /** What a person may have meant, for as many references as there is time for. */
  readonly hint: (name: string, known: readonly string[]) => string;
}

type Check = (view: View) => Iterable<Finding>;
type SlicedCheck = (view: View) => Sliced<Iterable<Finding>>;

/** Every check, in the order of its findings. A new one is a function and a line here. */
const checks: readonly SlicedCheck[] = [
  routeConflicts,
  ofVersions(reservedPathsTaken),
  ofVersions(upstreamsOfRoutes),
  ofVersions(sideUpstreams),
  ofTheRest(sharedUpstreams),
  ofVersions(policiesOfRoutes),
  ofTheRest(policiesOfModels),
  ofTheRest(namedPolicies),
  ofVersions(trustOfRoutes),
  ofVersions(successors),
  ofTheRest(consumerLimits),
  ofTheRest(modelTargets),
  ofTheRest(accounts),
  ofTheRest(trustUrls),
  ofVersions(wideMatches),
  ofVersions(anonymousWithoutLimit),
  ofVersions(wholeRulesOff),
  ofTheRest(rulesOffByDefault),
  ofVersions(exclusionsOfRoutes),
  ofVersions(targetsOfExclusions),
  ofTheRest(targetsByDefault),
];

/** Versions that a check looks at in one step. */
const STEP = 32;

/** A check that judges every version by itself is shown a few of them at a time. */
function ofVersions(check: Check): SlicedCheck {
  return function* (view) {
    const found: Finding[] = [];
    for (let begin = 0; begin < view.versions.length; begin += STEP) {
      const versions = view.versions.slice(begin, begin + STEP);
      found.push(...check({ ...view, versions, routes: versions.flatMap(routesOf) }));
      yield;
    }
    return found;
  };
}

/** A check of what is not served by itself, of which there is little. */
function ofTheRest(check: Check): SlicedCheck {
  return function* (view) {
    yield;
    return check(view);
  };
}

/**
 * Judges a whole configuration before it is compiled.
 *
 * @param now milliseconds since the epoch: tombstones end
 */
export function* preflight(configuration: Configuration, policyRules: PolicyRules, now: number): Sliced<Finding[]> {
  const view = viewOf(configuration, policyRules, now);
  const findings: Finding[] = [];
  for (const check of checks) findings.push(...(yield* check(view)));
  return findings;
}

function viewOf(configuration: Configuration, policyRules: PolicyRules, now: number): View {
  const versions = configuration.versions.filter((entry) => isServed(entry, now));
  const kinds = ['upstreams', 'policies', 'trust', 'accounts'] as const;
  const known = new Set(
    kinds.flatMap((kind) => configuration[kind].map(({ tenant, declared }) => `${kind}/${tenant}/${declared.name}`)),
  );
  const names = new Map<string, string[]>();
  return {
    configuration,
    policyRules,
    versions,
    routes: versions.flatMap(routesOf),
    has: (kind, tenant, name) => known.has(`${kind}/${tenant}/${name}`),
    names: (kind, tenant) => {
      const key = `${kind}/${tenant}`;
      let listed = names.get(key);
      if (!listed) {
        listed = configuration[kind].filter((entry) => entry.tenant === tenant).map(({ declared }) => declared.name);
        names.set(key, listed);
      }
      return listed;
    },
    hint: hintsFor(MOST_COMPARISONS),
  };
}

/** The table of the ingress itself is the judge, so that the two cannot disagree. */
function* routeConflicts({ routes }: View): Sliced<Finding[]> {
  const conflicts = yield* conflictsOf(routes.filter(({ entry }) => isLive(entry)));
  return conflicts.map(({ route, other, reason }) => ({
    code: 'ROUTE_CONFLICT',
    severity: 'error',
    object: versionAddress(route.entry),
    pointer: `${route.pointer}/path`,
    message: other ? `${reason}; ${other.id} is served there` : reason,
    fix: 'Choose another path, host or set of methods, or end the other version first.',
  }));
}

/** Routes that cannot be served beside those that come before them in the list. */
export function* conflictsOf(
  routes: readonly EffectiveRoute[],
): Sliced<RouteConflictError<EffectiveRoute>['conflicts']> {
  try {
    yield* RouteTable.compiling(routes, ({ host, path, methods }) => ({ host, pathPrefix: path, methods }));
    return [];
  } catch (error) {
    if (error instanceof RouteConflictError) return (error as RouteConflictError<EffectiveRoute>).conflicts;
    throw error;
  }
}

function* reservedPathsTaken({ routes }: View): Iterable<Finding> {
  for (const { entry, path, pointer } of routes) {
    const reserved = reservedPaths.find((own) => path === own || path.startsWith(`${own}/`));
    if (reserved === undefined) continue;
    yield {
      code: 'PATH_RESERVED',
      severity: 'error',
      object: versionAddress(entry),
      pointer: `${pointer}/path`,
      message: `${reserved} belongs to the gateway itself`,
      fix: `Serve the version at another path; ${reservedPaths.join(', ')} are reserved.`,
    };
  }
}

function* upstreamsOfRoutes(view: View): Iterable<Finding> {
  for (const { entry, upstream, ownUpstream, pointer } of view.routes) {
    const object = versionAddress(entry);
    const at = `${ownUpstream ? pointer : ''}/upstream`;
    if (upstream === undefined) {
      yield {
        code: 'UPSTREAM_MISSING',
        severity: 'error',
        object,
        pointer: at,
        message: 'the version has no upstream to forward to',
        fix: 'Give it an upstream with at least one target, or the name of one under upstreams.',
      };
    } else if (typeof upstream === 'string') {
      if (!view.has('upstreams', entry.tenant, upstream)) {
        yield unknownReference(view, object, at, 'upstream', upstream, view.names('upstreams', entry.tenant));
      }
    } else {
      yield* faultsOfUpstream(object, at, upstream);
    }
  }
}

function* sideUpstreams(view: View): Iterable<Finding> {
  for (const { entry, canary, mirror, pointer } of view.routes) {
    yield* faultOfField(versionAddress(entry), `${pointer}/canary/header/name`, canary?.header?.name);
    for (const [member, use] of Object.entries({ canary, mirror })) {
      if (use === undefined || view.has('upstreams', entry.tenant, use.upstream)) continue;
      const at = `${pointer}/${member}/upstream`;
      const known = view.names('upstreams', entry.tenant);
      yield unknownReference(view, versionAddress(entry), at, 'upstream', use.upstream, known);
    }
  }
}

function* sharedUpstreams({ configuration }: View): Iterable<Finding> {
  for (const { declared } of configuration.upstreams) {
    yield* faultsOfUpstream(`upstreams/${declared.name}`, '', declared);
  }
}

function* faultsOfUpstream(object: string, pointer: string, upstream: Exclude<UpstreamUse, string>): Iterable<Finding> {
  const { targets, allowPrivate, timeout } = upstream;
  for (const [index, { url }] of targets.entries()) {
    yield* faultOfTarget(object, `${pointer}/targets/${index}/url`, url, allowPrivate);
  }
  if (!timeouts.safeParse(timeoutsOf(timeout)).success) {
    yield {
      code: 'TIMEOUT_RANGE',
      severity: 'error',
      object,
      pointer: `${pointer}/timeout`,
      message: 'a connection may take 1 ms to 1 min, the first byte, a pause and the whole 1 ms to 15 min',
      fix: 'Choose times within these bounds.',
    };
  }
  const on = upstream.balance?.hash.on;
  const field = on?.startsWith('header:') ? on.slice('header:'.length) : undefined;
  yield* faultOfField(object, `${pointer}/balance/hash/on`, field);
  yield* faultsOfSettings(object, pointer, upstream);
}

function* faultOfField(object: string, pointer: string, field: string | undefined): Iterable<Finding> {
  if (field === undefined || !endsHere(field)) return;
  yield {
    code: 'FIELD_NEVER_ARRIVES',
    severity: 'error',
    object,
    pointer,
    message: `${field} is taken from every request before anything looks at it`,
    fix: 'Name a field that is neither of the connection nor says who calls; consumer is who really does.',
  };
}

/** The snapshot's own schema is the judge of what durations may be, so that no node refuses what apply accepts. */
function* faultsOfSettings(object: string, pointer: string, upstream: Exclude<UpstreamUse, string>): Iterable<Finding> {
  const judged = judgedSettings.safeParse(pickedSettings(upstream));
  for (const issue of judged.error?.issues ?? []) {
    yield {
      code: 'UPSTREAM_RANGE',
      severity: 'error',
      object,
      pointer: pointer + issue.path.map((part) => `/${declaredName(String(part))}`).join(''),
      message: `out of range: ${issue.message}`,
      fix: 'Choose a value within the bounds of the reference page.',
    };
  }
  if (upstream.tls && upstream.targets.some(({ url }) => url.startsWith('http:'))) {
    yield {
      code: 'TLS_UNUSED',
      severity: 'error',
      object,
      pointer: `${pointer}/tls`,
      message: 'tls is set, and a target is called over http',
      fix: 'Write https in the URL of every target.',
    };
  }
}

const judgedSettings = snapshotUpstream.pick({ health: true, breaker: true, retry: true, hedge: true });

function pickedSettings(upstream: Exclude<UpstreamUse, string>): object {
  const { health, breaker, retry, hedge } = upstreamSettings(upstream);
  return { health, breaker, retry, hedge };
}

/** `latencyForMs` of a snapshot is `latencyFor` of a file. */
function declaredName(member: string): string {
  return member === 'attemptMs' ? 'attemptTimeout' : member.replace(/Ms$/, '');
}

/** Durations of a declared upstream as the snapshot wants them; what is left out gets the snapshot's default. */
export function timeoutsOf(timeout: Exclude<UpstreamUse, string>['timeout']): z.input<typeof timeouts> {
  const parts: Partial<Record<'connect' | 'send' | 'firstByte' | 'idle' | 'total', string | undefined>> =
    typeof timeout === 'string' ? { firstByte: timeout } : (timeout ?? {});
  return {
    ...(parts.connect !== undefined && { connectMs: parseDuration(parts.connect) }),
    ...(parts.firstByte !== undefined && { firstByteMs: parseDuration(parts.firstByte) }),
    ...(parts.idle !== undefined && { idleMs: parseDuration(parts.idle) }),
    ...(parts.send !== undefined && { sendMs: parseDuration(parts.send) }),
    ...(parts.total !== undefined && { totalMs: parseDuration(parts.total) }),
  };
}

function* faultOfTarget(object: string, pointer: string, url: string, allowPrivate: boolean): Iterable<Finding> {
  const address = targetAddress(url);
  if (address === 'forbidden') {
    yield {
      code: 'TARGET_FORBIDDEN',
      severity: 'error',
      object,
      pointer,
      message: `${url} is an address no gateway may call: link-local, metadata, multicast or reserved`,
      fix: 'Name a server with an ordinary address.',
    };
  } else if (address === 'private' && !allowPrivate) {
    yield {
      code: 'TARGET_PRIVATE',
      severity: 'error',
      object,
      pointer,
      message: `${url} is a private or loopback address`,
      fix: 'Set allowPrivate: true if this is meant.',
    };
  }
}

function* policiesOfRoutes(view: View): Iterable<Finding> {
  for (const entry of view.versions) {
    const object = versionAddress(entry);
    yield* faultsOfPolicies(view, entry.tenant, object, '/policies', entry.spec.policies);
    for (const [index, route] of entry.spec.routes.entries()) {
      yield* faultsOfPolicies(view, entry.tenant, object, `/routes/${index}/policies`, route.policies ?? []);
    }
  }
}

function* policiesOfModels(view: View): Iterable<Finding> {
  for (const { tenant, declared } of view.configuration.models) {
    yield* faultsOfPolicies(view, tenant, `models/${declared.name}`, '/policies', declared.policies ?? []);
  }
}

function* faultsOfPolicies(
  view: View,
  tenant: string,
  object: string,
  pointer: string,
  attachments: readonly PolicyAttachment[],
): Iterable<Finding> {
  for (const [index, attachment] of attachments.entries()) {
    const at = `${pointer}/${index}`;
    if (typeof attachment === 'string') {
      if (!view.has('policies', tenant, attachment)) {
        yield unknownReference(view, object, at, 'policy', attachment, view.names('policies', tenant));
      }
      continue;
    }
    for (const [policy, config] of Object.entries(attachment)) {
      yield* faultsOfPolicy(view, object, `${at}/${policy}`, policy, config);
    }
  }
}

function* namedPolicies(view: View): Iterable<Finding> {
  for (const { declared } of view.configuration.policies) {
    yield* faultsOfPolicy(view, `policies/${declared.name}`, '/config', declared.policy, declared.config);
  }
}

function* faultsOfPolicy(
  { policyRules }: View,
  object: string,
  pointer: string,
  policy: string,
  config: unknown,
): Iterable<Finding> {
  const rules = Object.hasOwn(policyRules, policy) ? policyRules[policy] : undefined;
  if (!rules) {
    const known = Object.keys(policyRules);
    yield {
      code: 'POLICY_UNKNOWN',
      severity: 'error',
      object,
      pointer,
      message: `there is no policy “${policy}”${didYouMean(policy, known)}`,
      fix: `Known policies: ${known.join(', ')}.`,
    };
    return;
  }
  const result = rules.config.safeParse(config);
  if (result.success) for (const field of rules.reads?.(result.data) ?? []) yield* faultOfField(object, pointer, field);
  if (result.success && policy === 'waf') yield* faultsOfTargets(config, object, pointer);
  for (const issue of result.error?.issues ?? []) {
    yield {
      code: 'POLICY_INVALID',
      severity: 'error',
      object,
      pointer: pointer + issue.path.map((part) => `/${String(part)}`).join(''),
      message: `${policy}: ${issue.message}`,
      fix: `Correct the configuration of ${policy}.`,
    };
  }
}

function* trustOfRoutes(view: View): Iterable<Finding> {
  for (const entry of view.versions) {
    const lists = [
      { pointer: '/auth/trust', trust: entry.spec.auth.trust },
      ...entry.spec.routes.map((route, index) => ({
        pointer: `/routes/${index}/auth/trust`,
        trust: route.auth?.trust ?? [],
      })),
    ];
    for (const { pointer, trust } of lists) {
      for (const [index, name] of trust.entries()) {
        if (view.has('trust', entry.tenant, name)) continue;
        yield unknownReference(
          view,
          versionAddress(entry),
          `${pointer}/${index}`,
          'trust entry',
          name,
          view.names('trust', entry.tenant),
        );
      }
    }
  }
}

function* successors(view: View): Iterable<Finding> {
  const { configuration, versions } = view;
  for (const entry of versions) {
    const { successor } = entry.life;
    if (successor === null || !isVersionLabel(successor)) continue;
    const siblings = configuration.versions
      .filter(
        ({ tenant, service, version }) =>
          tenant === entry.tenant && service === entry.service && version !== entry.version,
      )
      .map(({ version }) => version);
    if (!siblings.includes(successor)) {
      yield unknownReference(view, versionAddress(entry), '/lifecycle/successor', 'version', successor, siblings);
    }
  }
}

/** A successor is the label of a version, a path or an absolute URL. */
export function isVersionLabel(successor: string): boolean {
  return !successor.includes('/');
}

function* consumerLimits({ configuration }: View): Iterable<Finding> {
  for (const { declared } of configuration.consumers) {
    for (const [index, { window }] of declared.limits.entries()) {
      const seconds = parseDuration(window) / 1000;
      if (Number.isInteger(seconds) && seconds >= 1 && seconds <= 31_622_400) continue;
      yield {
        code: 'LIMIT_WINDOW',
        severity: 'error',
        object: `consumers/${declared.name}`,
        pointer: `/limits/${index}/window`,
        message: 'a window is whole seconds, from 1 s to 366 days',
        fix: 'Choose a window such as 1s, 60s, 24h or 30d.',
      };
    }
  }
}

function* modelTargets(view: View): Iterable<Finding> {
  for (const { tenant, declared } of view.configuration.models) {
    const object = `models/${declared.name}`;
    for (const [index, { account, provider }] of declared.fallback.entries()) {
      const at = `/fallback/${index}`;
      if (account !== undefined && !view.has('accounts', tenant, account)) {
        yield unknownReference(view, object, `${at}/account`, 'account', account, view.names('accounts', tenant));
      }
      if (provider !== undefined) {
        const owned = accountsOf(view.configuration.accounts, tenant, provider);
        if (owned.length === 0) {
          yield unknownReference(view, object, `${at}/provider`, 'account of the provider', provider, []);
        } else if (owned.length > 1) {
          yield {
            code: 'REFERENCE_AMBIGUOUS',
            severity: 'error',
            object,
            pointer: `${at}/provider`,
            message: `the provider “${provider}” has several accounts`,
            fix: `Name one as account: ${owned.join(', ')}.`,
          };
        }
      }
    }
  }
}

/** Names of the accounts a tenant has with a provider. */
export function accountsOf(entries: Configuration['accounts'], tenant: string, provider: string): string[] {
  return entries
    .filter((entry) => entry.tenant === tenant && entry.declared.provider === provider)
    .map(({ declared }) => declared.name);
}

function* accounts({ configuration }: View): Iterable<Finding> {
  for (const { declared } of configuration.accounts) {
    const object = `accounts/${declared.name}`;
    if (declared.baseUrl === undefined) {
      if (addressOf(declared.provider) !== undefined) continue;
      yield {
        code: 'ACCOUNT_URL_MISSING',
        severity: 'error',
        object,
        pointer: '/baseUrl',
        message: `the provider “${declared.provider}” has no address of its own`,
        fix: 'Give the base URL of its OpenAI-compatible API, such as https://llm.example/v1.',
      };
    } else {
      yield* faultOfTarget(object, '/baseUrl', declared.baseUrl, declared.allowPrivate);
    }
  }
}

function* trustUrls({ configuration }: View): Iterable<Finding> {
  for (const { declared } of configuration.trust) {
    const { name, jwksUrl, allowPrivate } = declared;
    if (jwksUrl !== undefined) yield* faultOfTarget(`trust/${name}`, '/jwksUrl', jwksUrl, allowPrivate);
  }
}

function* wideMatches({ routes }: View): Iterable<Finding> {
  for (const { entry, path, host, pointer } of routes) {
    if (path !== '/' || host !== null || !isLive(entry)) continue;
    yield {
      code: 'MATCH_WIDE',
      severity: 'warning',
      object: versionAddress(entry),
      pointer: `${pointer}/path`,
      message: 'the route takes every path that no other route has',
      fix: 'Name a path or a host, unless a catch-all is meant.',
    };
  }
}

function* anonymousWithoutLimit({ routes, configuration }: View): Iterable<Finding> {
  const limiting = new Set(
    configuration.policies
      .filter(({ declared }) => declared.policy === 'rate-limit')
      .map(({ tenant, declared }) => `${tenant}/${declared.name}`),
  );
  for (const { entry, auth, policies, pointer } of routes) {
    const limited = policies.some((attachment) =>
      typeof attachment === 'string' ? limiting.has(`${entry.tenant}/${attachment}`) : 'rate-limit' in attachment,
    );
    if (!auth.anonymous || limited || !isLive(entry)) continue;
    yield {
      code: 'ANONYMOUS_UNLIMITED',
      severity: 'warning',
      object: versionAddress(entry),
      pointer: `${pointer}/auth/anonymous`,
      message: 'callers without a credential are served without any limit',
      fix: 'Add a rate-limit policy, for example by address.',
    };
  }
}

function unknownReference(
  { hint }: View,
  object: string,
  pointer: string,
  kind: string,
  name: string,
  known: string[],
): Finding {
  return {
    code: 'REFERENCE_UNKNOWN',
    severity: 'error',
    object,
    pointer,
    message: `there is no ${kind} “${name}”${hint(name, known)}`,
    fix: `Create the ${kind} in the same change, or name one that exists.`,
  };
}

/** Names that are compared in all, to tell what was meant: thousands of references to what is not there are not typed by hand. */
const MOST_COMPARISONS = 5_000;

function hintsFor(comparisons: number): View['hint'] {
  let left = comparisons;
  return (name, known) => {
    left -= known.length;
    return left < 0 ? '' : didYouMean(name, known);
  };
}

function didYouMean(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? '' : `; did you mean “${nearest}”?`;
}
