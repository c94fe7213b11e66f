import { z } from 'zod';

import { defineConfig, flag, integer, port, text, variable, type Address, type BaseConfig } from '@sallyport/platform';

const seconds = integer.pipe(z.number().min(0).max(600));

const read = defineConfig('ingress', {
  httpPort: variable('SALLYPORT_INGRESS_HTTP_PORT', port),
  adminPort: variable('SALLYPORT_INGRESS_ADMIN_PORT', port),
  healthPort: variable('SALLYPORT_INGRESS_HEALTH_PORT', port),
  drainSeconds: variable('SALLYPORT_INGRESS_DRAIN_SECONDS', seconds),
  balancerSeconds: variable('SALLYPORT_INGRESS_BALANCER_SECONDS', seconds),
  showConfigVersion: variable('SALLYPORT_INGRESS_SHOW_CONFIG_VERSION', flag),
  pepper: variable('SALLYPORT_PEPPER', text),
  authUrl: variable('SALLYPORT_AUTH_GRPC_URL', text),
  rateLimitUrl: variable('SALLYPORT_RATE_LIMIT_GRPC_URL', text),
  wafUrl: variable('SALLYPORT_WAF_GRPC_URL', text),
  aiRouterUrl: variable('SALLYPORT_AI_ROUTER_GRPC_URL', text),
  catalogUrl: variable('SALLYPORT_CATALOG_GRPC_URL', text),
});

export interface IngressConfig extends BaseConfig {
  readonly listen: { readonly http: Address; readonly admin: Address | null; readonly health: Address | null };
  /** How long open exchanges may finish once the listener is closed. */
  readonly drainSeconds: number;
  /** How long to go on accepting after SIGTERM, so that balancers see /readyz turn. */
  readonly balancerSeconds: number;
  readonly showConfigVersion: boolean;
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
  const { httpPort, adminPort, healthPort, authUrl, rateLimitUrl, wafUrl, aiRouterUrl, ...rest } = read(environment);
  const { host } = rest;
  return {
    ...rest,
    listen: { http: { host, port: httpPort }, admin: { host, port: adminPort }, health: { host, port: healthPort } },
    consult: { auth: authUrl, rateLimit: rateLimitUrl, waf: wafUrl, aiRouter: aiRouterUrl },
  };
}
