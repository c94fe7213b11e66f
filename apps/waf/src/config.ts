import { join } from 'node:path';
import { defineConfig, flag, port, text, variable, type Address, type BaseConfig } from '@sallyport/platform';

const read = defineConfig('waf', {
  grpcPort: variable('SALLYPORT_WAF_GRPC_PORT', port),
  adminPort: variable('SALLYPORT_WAF_ADMIN_PORT', port),
  healthPort: variable('SALLYPORT_WAF_HEALTH_PORT', port),
  crsDir: variable('SALLYPORT_CRS_DIR', text.optional()),
  logFile: variable('SALLYPORT_WAF_LOG_FILE', text.optional()),
  testMode: variable('SALLYPORT_WAF_TEST_MODE', flag),
});

export interface WafConfig extends BaseConfig {
  /** Folder of a CRS; `none`: no rules but ours. Undefined: what is installed. */
  readonly crsDir: string | undefined;
  /** File that gets a line for every rule that hit; undefined: none. */
  readonly logFile: string | undefined;
  /** For runs of the CRS regression tests. */
  readonly testMode: boolean;
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
  const logFile = base.logFile ?? (base.testMode ? join(base.dataDir, 'waf.log') : undefined);
  return { ...base, logFile, listen };
}
