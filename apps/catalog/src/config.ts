import { defineConfig, port, text, variable, type Address, type BaseConfig } from '@sallyport/platform';
import { z } from 'zod';
import type { AreaName } from './door/areas';

const ADMIN_URL = 'expected http://host:port or unix:/path';
const adminUrl = z
  .string({ error: ADMIN_URL })
  .refine((value) => value.startsWith('unix:/') || /^https?:\/\/[^/?#]+\/?$/.test(value), ADMIN_URL)
  .transform((value) => value.replace(/\/$/, ''));

const hostNames = text.optional().transform((value) =>
  (value ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== ''),
);

const read = defineConfig('catalog', {
  httpPort: variable('SALLYPORT_CATALOG_HTTP_PORT', port),
  grpcPort: variable('SALLYPORT_CATALOG_GRPC_PORT', port),
  healthPort: variable('SALLYPORT_CATALOG_HEALTH_PORT', port),
  adminHosts: variable('SALLYPORT_ADMIN_HOSTS', hostNames),
  auth: variable('SALLYPORT_AUTH_ADMIN_URL', adminUrl),
  audit: variable('SALLYPORT_AUDIT_ADMIN_URL', adminUrl),
  ai: variable('SALLYPORT_AI_ROUTER_ADMIN_URL', adminUrl),
  limits: variable('SALLYPORT_RATE_LIMIT_ADMIN_URL', adminUrl),
  waf: variable('SALLYPORT_WAF_ADMIN_URL', adminUrl),
  ingress: variable('SALLYPORT_INGRESS_ADMIN_URL', adminUrl),
});

export interface CatalogConfig extends BaseConfig {
  readonly listen: {
    /** The admin door. */
    readonly http: Address;
    readonly grpc: Address | null;
    readonly admin: null;
    readonly health: Address | null;
  };
  /** Names the admin door answers for, beside loopback and its own address. */
  readonly adminHosts: readonly string[];
  /** Where the private admin listener of each area is: `http://host:port` or `unix:/path`. */
  readonly areas: Readonly<Record<AreaName, string>>;
}

/**
 * Reads the environment.
 * @throws ConfigError naming the variable that is missing or wrong.
 */
export function readCatalogConfig(environment: NodeJS.ProcessEnv): CatalogConfig {
  const { httpPort, grpcPort, healthPort, auth, audit, ai, limits, waf, ingress, ...rest } = read(environment);
  const { host } = rest;
  return {
    ...rest,
    listen: {
      http: { host, port: httpPort },
      grpc: { host, port: grpcPort },
      admin: null,
      health: { host, port: healthPort },
    },
    areas: { auth, audit, ai, limits, waf, ingress },
  };
}
