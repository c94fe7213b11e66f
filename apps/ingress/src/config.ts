import { availableParallelism } from 'node:os';
import { z } from 'zod';

import { defineConfig, flag, integer, port, text, variable, type Address, type BaseConfig } from '@sallyport/platform';
import { checkTarget } from './consult/replicas';
import { readListenersFile, type ListenerSettings } from './listeners/listeners-file';

/** More would only take memory: a machine of this many cores runs several ingresses. */
const MAX_WORKERS = 64;
const WORKERS = `expected a number of workers from 0 to ${MAX_WORKERS}`;

/**
 * How many workers share the port where nobody says. On two processors a second one has no processor to itself, and costs each
 * request a third more (ADR 43).
 */
export function workersFor(processors: number): number {
  return processors > 2 ? 2 : 1;
}

const seconds = integer.pipe(z.number().min(0).max(600));

const TARGET = 'expected dns:///host:port, with a port from 1 to 65535, or unix:/path';
/** Where a gRPC listener is reached. */
const target = text.refine(isTarget, TARGET);

function isTarget(value: string): boolean {
  try {
    checkTarget(value);
    return true;
  } catch {
    return false;
  }
}

const read = defineConfig('ingress', {
  httpPort: variable('SALLYPORT_INGRESS_HTTP_PORT', port),
  adminPort: variable('SALLYPORT_INGRESS_ADMIN_PORT', port),
  healthPort: variable('SALLYPORT_INGRESS_HEALTH_PORT', port),
  workers: variable(
    'SALLYPORT_INGRESS_WORKERS',
    integer.pipe(z.number().min(0, WORKERS).max(MAX_WORKERS, WORKERS)).default(workersFor(availableParallelism())),
  ),
  drainSeconds: variable('SALLYPORT_INGRESS_DRAIN_SECONDS', seconds),
  balancerSeconds: variable('SALLYPORT_INGRESS_BALANCER_SECONDS', seconds),
  showConfigVersion: variable('SALLYPORT_INGRESS_SHOW_CONFIG_VERSION', flag),
  listenersFile: variable('SALLYPORT_INGRESS_LISTENERS_FILE', text.optional()),
  testMode: variable('SALLYPORT_WAF_TEST_MODE', flag),
  pepper: variable('SALLYPORT_PEPPER', text),
  authUrl: variable('SALLYPORT_AUTH_GRPC_URL', target),
  rateLimitUrl: variable('SALLYPORT_RATE_LIMIT_GRPC_URL', target),
  wafUrl: variable('SALLYPORT_WAF_GRPC_URL', target),
  aiRouterUrl: variable('SALLYPORT_AI_ROUTER_GRPC_URL', target),
  catalogUrl: variable('SALLYPORT_CATALOG_GRPC_URL', target),
});

export interface IngressConfig extends BaseConfig {
  readonly listen: { readonly http: Address; readonly admin: Address | null; readonly health: Address | null };
  /** Processes that share the port, under a supervisor; 0: this one alone, and nobody over it. */
  readonly workers: number;
  /** How long after the signal open exchanges may finish. */
  readonly drainSeconds: number;
  /** How long to go on accepting after SIGTERM, so that balancers see /readyz turn. */
  readonly balancerSeconds: number;
  readonly showConfigVersion: boolean;
  /** The doors of a file of listeners; undefined: one plain door at `listen.http`. */
  readonly listeners?: readonly ListenerSettings[] | undefined;
  /** For runs of the CRS regression tests: records carry the port of the caller, and every rule looks at what is no request. */
  readonly testMode: boolean;
  /** Key of the HMACs of API keys and of the pseudonyms in records. */
  readonly pepper: string;
  /** Where the decision services answer; not used when their engines are handed in. */
  readonly consult: {
    readonly auth: string;
    readonly rateLimit: string;
    readonly waf: string;
    readonly aiRouter: string;
  };
  readonly catalogUrl: string;
}

/**
 * Reads the environment.
 * @throws ConfigError naming the variable that is wrong.
 */
export function readIngressConfig(environment: NodeJS.ProcessEnv): IngressConfig {
  const { httpPort, adminPort, healthPort, authUrl, rateLimitUrl, wafUrl, aiRouterUrl, listenersFile, ...rest } =
    read(environment);
  const { host } = rest;
  return {
    ...rest,
    ...(listenersFile !== undefined && { listeners: readListenersFile(listenersFile, host) }),
    listen: { http: { host, port: httpPort }, admin: { host, port: adminPort }, health: { host, port: healthPort } },
    consult: { auth: authUrl, rateLimit: rateLimitUrl, waf: wafUrl, aiRouter: aiRouterUrl },
  };
}

/** What an end may take beyond the time that open exchanges have: shipping records, and the last bytes of answers. */
const AFTER_DRAIN_MS = 10_000;

/** Milliseconds after which a process ends, drained or not. */
export function endsWithinMs({ drainSeconds, balancerSeconds }: IngressConfig): number {
  return Math.max(drainSeconds, balancerSeconds) * 1000 + AFTER_DRAIN_MS;
}

const LONGEST_NODE_NAME = 63;

/** The config of one worker of a group: a name of its own, and no health port. */
export function workerConfig(config: IngressConfig, slot: number): IngressConfig {
  const suffix = `-w${slot}`;
  return {
    ...config,
    nodeName: `${config.nodeName.slice(0, LONGEST_NODE_NAME - suffix.length)}${suffix}`,
    listen: { ...config.listen, health: null },
  };
}
