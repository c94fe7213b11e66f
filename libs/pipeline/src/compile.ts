import type { Principal, SnapshotRoute } from '@sallyport/contracts';
import type { Charge } from '@sallyport/limits';
import { bodyLimit } from './policies/body-limit/body-limit';
import { waf } from './policies/waf/waf';
import { policies } from './policies/registry';
import type { AdmitStep, InspectStep, LimitStep, PolicyInput } from './policy';

/** A route with its policies compiled: frozen, shared by all requests of one configuration. */
export interface CompiledRoute {
  readonly route: SnapshotRoute;
  readonly admit: readonly AdmitStep[];
  readonly limits: readonly LimitStep[];
  /** Undefined: the operator switched inspection off for this route. */
  readonly inspection: InspectStep | undefined;
  /** A `body-limit` policy says what a body may weigh; otherwise the listener's default does. */
  readonly limitsBody: boolean;
  /** Milliseconds since the epoch, or undefined when nothing is planned. */
  readonly deprecatedAt: number | undefined;
  readonly sunsetAt: number | undefined;
}

/** A policy that cannot be compiled, with the place in the route. */
export class PolicyError extends Error {
  constructor(
    readonly pointer: string,
    message: string,
  ) {
    super(`${pointer}: ${message}`);
    this.name = 'PolicyError';
  }
}

/**
 * Compiles the policies of one route; inspection is on unless a `waf` policy says otherwise.
 * @throws PolicyError on an unknown policy or a configuration its schema refuses.
 */
export function compileRoute(route: SnapshotRoute): CompiledRoute {
  const admit: AdmitStep[] = [];
  const limits: LimitStep[] = [];
  let inspection = compileInspection(waf, {}, route, '/policies');
  route.policies.forEach(({ policy: id, config }, index) => {
    const policy = policies.find((candidate) => candidate.id === id);
    const pointer = `/policies/${index}`;
    if (!policy)
      throw new PolicyError(
        `${pointer}/policy`,
        `there is no policy “${id}”; there are ${policies.map((known) => known.id).join(', ')}`,
      );
    if (policy.phase === 'inspect') inspection = compileInspection(policy, config, route, pointer);
    else if (policy.phase === 'admit') admit.push(policy.compile(parseConfig(policy, config, pointer), route));
    else limits.push(policy.compile(parseConfig(policy, config, pointer), route));
  });
  const { deprecatedAt, sunsetAt } = route.lifecycle;
  return Object.freeze({
    route,
    admit,
    limits,
    inspection,
    limitsBody: route.policies.some(({ policy }) => policy === bodyLimit.id),
    deprecatedAt: deprecatedAt === null ? undefined : Date.parse(deprecatedAt),
    sunsetAt: sunsetAt === null ? undefined : Date.parse(sunsetAt),
  });
}

/** Everything one request is counted against: the route's limits, then those the credential and the consumer carry. */
export function chargesOf(route: CompiledRoute, consumerLimits: readonly Limit[], input: PolicyInput): Charge[] {
  const charges: Charge[] = [];
  for (const limit of route.limits) {
    const charge = limit(input);
    if (charge) charges.push(charge);
  }
  return charges.concat(principalCharges(input.exchange.principal, consumerLimits));
}

export interface Limit {
  readonly name: string;
  readonly limit: number;
  readonly windowSeconds: number;
}

/** The limits that follow the caller wherever it goes. */
export function principalCharges(principal: Principal | undefined, consumerLimits: readonly Limit[]): Charge[] {
  if (!principal) return [];
  const ofKey = principal.quotas.map((quota) => charge(quota, `key:${principal.credential.id}:${quota.name}`));
  const ofConsumer = consumerLimits.map((limit) => charge(limit, `consumer:${principal.consumer}:${limit.name}`));
  return [...ofKey, ...ofConsumer];
}

function charge({ name, limit, windowSeconds }: Limit, key: string): Charge {
  return { policy: name, key, limit, windowSeconds, burst: limit, cost: 1 };
}

type AnyPolicy = (typeof policies)[number];

function compileInspection(
  policy: unknown,
  config: unknown,
  route: SnapshotRoute,
  pointer: string,
): InspectStep | undefined {
  const inspect = policy as Extract<AnyPolicy, { phase: 'inspect' }>;
  return inspect.compile(parseConfig(inspect, config, pointer), route);
}

function parseConfig(policy: Pick<AnyPolicy, 'config' | 'id'>, config: unknown, pointer: string): unknown {
  const parsed = policy.config.safeParse(config);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new PolicyError(`${pointer}/config${issue.path.map((part) => `/${String(part)}`).join('')}`, issue.message);
}
