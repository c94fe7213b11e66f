import { defineConfig, port, variable, type Address, type BaseConfig } from '@sallyport/platform';

const read = defineConfig('waf', {
  grpcPort: variable('SALLYPORT_WAF_GRPC_PORT', port),
  adminPort: variable('SALLYPORT_WAF_ADMIN_PORT', port),
  healthPort: variable('SALLYPORT_WAF_HEALTH_PORT', port),
});

export interface WafConfig extends BaseConfig {
  /** Null: not opened. */
  readonly listen: { readonly grpc: Address | null; readonly admin: Address | null; readonly health: Address | null };
}

/**
 * Reads the environment.
 * @throws ConfigError naming the variable that is wrong.
 */
export function readWafConfig(environment: NodeJS.ProcessEnv): WafConfig {
  const { grpcPort, adminPort, healthPort, ...base } = read(environment);
  const { host } = base;
  const listen = {
    grpc: { host, port: grpcPort },
    admin: { host, port: adminPort },
    health: { host, port: healthPort },
  };
  return { ...base, listen };
}
