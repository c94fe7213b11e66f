import { defineConfig, port, variable, type Address, type BaseConfig } from '@sallyport/platform';

const read = defineConfig('audit', {
  grpcPort: variable('SALLYPORT_AUDIT_GRPC_PORT', port),
  adminPort: variable('SALLYPORT_AUDIT_ADMIN_PORT', port),
  healthPort: variable('SALLYPORT_AUDIT_HEALTH_PORT', port),
});

export interface AuditConfig extends BaseConfig {
  /** Null: not opened. */
  readonly listen: { readonly grpc: Address | null; readonly admin: Address | null; readonly health: Address | null };
}

/**
 * Reads the environment.
 * @throws ConfigError naming the variable that is wrong.
 */
export function readAuditConfig(environment: NodeJS.ProcessEnv): AuditConfig {
  const { grpcPort, adminPort, healthPort, ...base } = read(environment);
  const { host } = base;
  const listen = {
    grpc: { host, port: grpcPort },
    admin: { host, port: adminPort },
    health: { host, port: healthPort },
  };
  return { ...base, listen };
}
