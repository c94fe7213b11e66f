import { defineConfig, port, url, variable, type Address, type BaseConfig } from '@sallyport/platform';

const read = defineConfig('rate-limit', {
  grpcPort: variable('SALLYPORT_RATE_LIMIT_GRPC_PORT', port),
  adminPort: variable('SALLYPORT_RATE_LIMIT_ADMIN_PORT', port),
  healthPort: variable('SALLYPORT_RATE_LIMIT_HEALTH_PORT', port),
  redisUrl: variable('SALLYPORT_REDIS_URL', url.optional()),
});

export interface RateLimitConfig extends BaseConfig {
  /** Null: not opened. */
  readonly listen: { readonly grpc: Address | null; readonly admin: Address | null; readonly health: Address | null };
  /** Redis or Valkey that several replicas share their buckets in; undefined: memory. */
  readonly redisUrl: string | undefined;
}

/**
 * Reads the environment.
 * @throws ConfigError naming the variable that is wrong.
 */
export function readRateLimitConfig(environment: NodeJS.ProcessEnv): RateLimitConfig {
  const { grpcPort, adminPort, healthPort, redisUrl, ...base } = read(environment);
  const { host } = base;
  const listen = {
    grpc: { host, port: grpcPort },
    admin: { host, port: adminPort },
    health: { host, port: healthPort },
  };
  return { ...base, listen, redisUrl };
}
