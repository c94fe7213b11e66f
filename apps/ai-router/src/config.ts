import { defineConfig, port, variable, type Address, type BaseConfig } from '@sallyport/platform';

const read = defineConfig('ai-router', {
  adminPort: variable('SALLYPORT_AI_ROUTER_ADMIN_PORT', port),
  grpcPort: variable('SALLYPORT_AI_ROUTER_GRPC_PORT', port),
  healthPort: variable('SALLYPORT_AI_ROUTER_HEALTH_PORT', port),
});

export interface AiRouterConfig extends BaseConfig {
  /** Null: not opened. */
  readonly listen: { readonly grpc: Address | null; readonly admin: Address | null; readonly health: Address | null };
  /** Looks a variable up that an account refers to; asked again whenever credentials are read anew. */
  readonly environment: (name: string) => string | undefined;
}

/**
 * Reads the environment.
 * @throws ConfigError naming the variable that is wrong.
 */
export function readAiRouterConfig(environment: NodeJS.ProcessEnv): AiRouterConfig {
  const { adminPort, grpcPort, healthPort, ...rest } = read(environment);
  const { host } = rest;
  return {
    ...rest,
    listen: { grpc: { host, port: grpcPort }, admin: { host, port: adminPort }, health: { host, port: healthPort } },
    environment: (name) => environment[name],
  };
}
