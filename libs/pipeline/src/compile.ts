import {
  canonicalJson,
  mergeWafSettings,
  type PolicyInstance,
  type Principal,
  type RoutePriority,
  type SnapshotRoute,
} from '@sallyport/contracts';
import type { Charge } from '@sallyport/limits';
import type { UpstreamTimeouts } from '@sallyport/proxy';
import { inspectionOf, normaliserOf } from './policies/waf/waf';
import { policies } from './policies/registry';
import type { InspectStep, Policy, PolicyHooks, PolicyInput, PolicyServices } from './policy';
import { servicesWithoutMemory } from './policy-services';

/** One hook with the place of its policy in the route: a reply passes the answer hooks of the places before it. */
export interface Step<Hook extends keyof PolicyHooks> {
  readonly at: number;
  readonly id: string;
  readonly run: NonNullable<PolicyHooks[Hook]>;
}
export type Steps<Hook extends keyof PolicyHooks> = readonly Step<Hook>[];

/** A route with its policies compiled: frozen, shared by all requests of one configuration. */
export interface CompiledRoute {
  readonly route: SnapshotRoute;
  readonly admit: Steps<'admit'>;
  readonly authorised: Steps<'authorised'>;
  readonly charges: Steps<'charges'>;
  /** Undefined: the operator switched inspection off for this route. */
  readonly inspection: InspectStep | undefined;
  readonly shape: Steps<'shape'>;
  readonly requestBody: Steps<'requestBody'>;
  readonly intercept: Steps<'intercept'>;
  /** The last policy of the route comes first. */
  readonly upstreamFailed: Steps<'upstreamFailed'>;
  /** The last policy of the route comes first. */
  readonly answerHead: Steps<'answerHead'>;
  /** The last policy of the route comes first. */
  readonly answerBody: Steps<'answerBody'>;
  readonly settle: Steps<'settle'>;
  /** A policy says what a body may weigh; otherwise the listener's default does. */
  readonly limitsBody: boolean;
  /** A policy answers what browsers ask before they call the route, whatever methods the route names. */
  readonly answersPreflight: boolean;
  /** Who is turned away first when the gateway is busy. */
  readonly priority: RoutePriority;
  /** Undefined: those of the upstream hold. */
  readonly timeouts: Partial<UpstreamTimeouts> | undefined;
  /** Milliseconds since the epoch, or undefined when nothing is planned. */
  readonly deprecatedAt: number | undefined;
  readonly sunsetAt: number | undefined;
}

/** A policy that cannot be compiled, with the place in the route. */
export class PolicyError extends Error {
  /** Place of the route among those that were compiled together. */
  routeIndex: number | undefined;

  constructor(
    readonly pointer: string,
    message: string,
  ) {
    super(`${pointer}: ${message}`);
    this.name = 'PolicyError';
  }
}

/** The compiled policies of a configuration, by what they were compiled from. */
type Instances = Map<string, PolicyHooks>;

interface Compilation {
  readonly compiled: CompiledRoute;
  /** Keys of the instances it is made of. */
  readonly instances: readonly string[];
}

/** Routes compiled together, not in force yet. */
export interface CompiledRoutes {
  readonly routes: readonly CompiledRoute[];
  /** Puts them in force: instances that no route has any more retire. */
  adopt(): void;
  /** Or lets go of them: what was compiled for them alone retires. */
  discard(): void;
}

/**
 * Compiles the routes of one configuration after the other. A policy whose own configuration did not change keeps its
 * instance, and with it what it counts and remembers, whatever else a new revision brings.
 */
export class PolicyCompiler {
  private inForce: Instances = new Map();
  /** What became of the very route objects that are in force, so that one that comes again costs a look-up. */
  private routesInForce: ReadonlyMap<SnapshotRoute, Compilation> = new Map();

  constructor(
    private readonly services: PolicyServices,
    private readonly known: readonly Policy[] = policies,
  ) {}

  /** @throws PolicyError on the first policy that cannot be compiled; then nothing has changed. */
  compile(routes: readonly SnapshotRoute[]): CompiledRoutes {
    const compiling = this.compiling(routes);
    for (;;) {
      const step = compiling.next();
      if (step.done) return step.value;
    }
  }

  /** The same, one route a step: a large configuration is compiled between requests. */
  *compiling(routes: readonly SnapshotRoute[]): Generator<void, CompiledRoutes, void> {
    const next: Instances = new Map();
    const compilations = new Map<SnapshotRoute, Compilation>();
    let made: string[] = [];
    const make = (policy: Policy, instance: PolicyInstance, route: SnapshotRoute, pointer: string): PolicyHooks => {
      const key = instanceKey(instance, route, next);
      const hooks = this.inForce.get(key) ?? compilePolicy(policy, instance, route, pointer, this.services);
      next.set(key, hooks);
      made.push(key);
      return hooks;
    };
    try {
      for (const [index, route] of routes.entries()) {
        const before = this.routesInForce.get(route);
        if (before) {
          for (const key of before.instances) next.set(key, this.inForce.get(key)!);
          compilations.set(route, before);
        } else {
          made = [];
          compilations.set(route, { compiled: this.compileAt(index, route, make), instances: made });
        }
        yield;
      }
    } catch (error) {
      retireMissing(next, this.inForce);
      throw error;
    }
    return {
      routes: [...compilations.values()].map(({ compiled }) => compiled),
      adopt: () => this.adopt(next, compilations),
      discard: () => retireMissing(next, this.inForce),
    };
  }

  private compileAt(index: number, route: SnapshotRoute, make: Make): CompiledRoute {
    try {
      return compileWith(route, this.known, make);
    } catch (error) {
      if (error instanceof PolicyError) error.routeIndex = index;
      throw error;
    }
  }

  private adopt(next: Instances, compilations: ReadonlyMap<SnapshotRoute, Compilation>): void {
    const before = this.inForce;
    this.inForce = next;
    this.routesInForce = compilations;
    retireMissing(before, next);
  }
}

function retireMissing(from: Instances, kept: Instances): void {
  for (const [key, hooks] of from) if (kept.get(key) !== hooks) hooks.retire?.();
}

/** Everything `compile` is given decides whose instance it is; the same policy twice on a route is two. */
function instanceKey({ policy, config }: PolicyInstance, route: SnapshotRoute, taken: Instances): string {
  const { id, tenant, class: routeClass, match } = route;
  const key = canonicalJson([id, tenant, routeClass, match, policy, config]);
  for (let nth = 0; ; nth++) if (!taken.has(`${key}${nth}`)) return `${key}${nth}`;
}

/**
 * Compiles one route on its own: nothing it remembers is shared with another compilation.
 * @throws PolicyError on an unknown policy or a configuration its schema refuses.
 */
export function compileRoute(
  route: SnapshotRoute,
  services: PolicyServices = servicesWithoutMemory,
  known: readonly Policy[] = policies,
): CompiledRoute {
  return compileWith(route, known, (policy, instance, of, pointer) =>
    compilePolicy(policy, instance, of, pointer, services),
  );
}

type Make = (policy: Policy, instance: PolicyInstance, route: SnapshotRoute, pointer: string) => PolicyHooks;

/** The place of what no policy of the route does. */
const BEFORE_ALL = -1;

/** Inspection is on unless a policy says otherwise. */
function compileWith(route: SnapshotRoute, known: readonly Policy[], make: Make): CompiledRoute {
  const all = route.policies.map((instance, index) => {
    const pointer = `/policies/${index}`;
    return { id: instance.policy, hooks: make(findPolicy(instance.policy, known, pointer), instance, route, pointer) };
  });
  const steps = <Hook extends keyof PolicyHooks>(hook: Hook): Steps<Hook> =>
    all.flatMap(({ id, hooks }, at) => {
      const run = hooks[hook];
      return run === undefined || run === null ? [] : [{ at, id, run: run }];
    });
  const said = all.findLast(({ hooks }) => hooks.inspection)?.hooks.inspection;
  const inspected = mergeWafSettings(route.waf, said) ?? {};
  const normaliser = normaliserOf(inspected, route);
  const { deprecatedAt, sunsetAt } = route.lifecycle;
  return Object.freeze({
    route,
    admit: steps('admit'),
    authorised: steps('authorised'),
    charges: steps('charges'),
    inspection: inspectionOf(inspected, route),
    shape: steps('shape'),
    // Other policies see what the upstream would.
    requestBody: [...(normaliser ? [{ at: BEFORE_ALL, id: 'waf', run: normaliser }] : []), ...steps('requestBody')],
    intercept: steps('intercept'),
    upstreamFailed: steps('upstreamFailed').toReversed(),
    answerHead: steps('answerHead').toReversed(),
    answerBody: steps('answerBody').toReversed(),
    settle: steps('settle'),
    limitsBody: all.some(({ hooks }) => hooks.limitsBody === true),
    answersPreflight: all.some(({ hooks }) => hooks.answersPreflight === true),
    priority: all.findLast(({ hooks }) => hooks.priority)?.hooks.priority ?? route.priority ?? 'normal',
    timeouts: timeoutsOf(all.map(({ hooks }) => hooks)),
    deprecatedAt: deprecatedAt === null ? undefined : Date.parse(deprecatedAt),
    sunsetAt: sunsetAt === null ? undefined : Date.parse(sunsetAt),
  });
}

/** Later policies win, member by member. */
function timeoutsOf(all: readonly PolicyHooks[]): Partial<UpstreamTimeouts> | undefined {
  const said = all.flatMap(({ timeouts }) => (timeouts && Object.keys(timeouts).length > 0 ? [timeouts] : []));
  return said.length === 0 ? undefined : said.reduce((merged, one) => ({ ...merged, ...one }));
}

function findPolicy(id: string, known: readonly Policy[], pointer: string): Policy {
  const policy = known.find((candidate) => candidate.id === id);
  if (policy) return policy;
  const names = known.map((candidate) => candidate.id).join(', ');
  throw new PolicyError(`${pointer}/policy`, `there is no policy “${id}”; there are ${names}`);
}

function compilePolicy(
  policy: Policy,
  { config }: PolicyInstance,
  route: SnapshotRoute,
  pointer: string,
  services: PolicyServices,
): PolicyHooks {
  const parsed = policy.config.safeParse(config);
  if (parsed.success) return policy.compile(parsed.data, route, services);
  const issue = parsed.error.issues[0]!;
  throw new PolicyError(`${pointer}/config${issue.path.map((part) => `/${String(part)}`).join('')}`, issue.message);
}

/** Members of PolicyHooks that no request calls. */
const notCalled: ReadonlySet<string> = new Set(['answersPreflight', 'limitsBody', 'priority', 'retire', 'timeouts']);

/** The hooks a policy has when it is configured as in its example, for the documentation. */
export function policyHooks(policy: Policy): string[] {
  const route = { id: '', tenant: '', service: '', version: '', class: 'public' } as const;
  const match = { host: null, pathPrefix: '/', methods: [] };
  const hooks = policy.compile(policy.config.parse(policy.example), { ...route, match }, servicesWithoutMemory);
  hooks.retire?.();
  return Object.keys(hooks).filter((name) => !notCalled.has(name));
}

/** Everything one request is counted against: the route's limits, then those the credential and the consumer carry. */
export function chargesOf(route: CompiledRoute, consumerLimits: readonly Limit[], input: PolicyInput): Charge[] {
  const charges = routeCharges(route, input);
  const { principal } = input.exchange;
  if (principal) chargePrincipal(principal, consumerLimits, charges);
  return charges;
}

/** What the policies of the route count a request against. */
export function routeCharges(route: CompiledRoute, input: PolicyInput): Charge[] {
  const charges: Charge[] = [];
  for (const { run } of route.charges) {
    const made = run(input);
    if (made === undefined) continue;
    if (Array.isArray(made)) charges.push(...(made as readonly Charge[]));
    else charges.push(made as Charge);
  }
  return charges;
}

export interface Limit {
  readonly name: string;
  readonly limit: number;
  readonly windowSeconds: number;
}

/** The limits that follow the caller wherever it goes. */
function chargePrincipal(principal: Principal, consumerLimits: readonly Limit[], into: Charge[]): void {
  for (const quota of principal.quotas) into.push(charge(quota, `key:${principal.credential.id}:${quota.name}`));
  for (const limit of consumerLimits) into.push(charge(limit, `consumer:${principal.consumer}:${limit.name}`));
}

function charge({ name, limit, windowSeconds }: Limit, key: string): Charge {
  return { policy: name, key, limit, windowSeconds, burst: limit, cost: 1 };
}
