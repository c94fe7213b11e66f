import { type Pepper, readPepper } from '@sallyport/identity';
import { defineConfig, port, text, variable, type Address, type BaseConfig } from '@sallyport/platform';
import { z } from 'zod';
import { adminTokenProblem } from './admin-token';

/** Keys are stored under this version until a pepper can be replaced. */
export const PEPPER_VERSION = 1;

const PEPPER = 'expected 32 bytes or more in hex or base64url';

const pepper = z.string({ error: PEPPER }).transform((value, context): Pepper => {
  try {
    return readPepper(PEPPER_VERSION, value);
  } catch {
    context.addIssue({ code: 'custom', message: PEPPER });
    return z.NEVER;
  }
});

const adminToken = text.superRefine((value, context) => {
  const problem = adminTokenProblem(value);
  if (problem) context.addIssue({ code: 'custom', message: problem });
});

const read = defineConfig('auth', {
  adminPort: variable('SALLYPORT_AUTH_ADMIN_PORT', port),
  grpcPort: variable('SALLYPORT_AUTH_GRPC_PORT', port),
  healthPort: variable('SALLYPORT_AUTH_HEALTH_PORT', port),
  pepper: variable('SALLYPORT_PEPPER', pepper),
  adminToken: variable('SALLYPORT_ADMIN_TOKEN', adminToken.optional()),
});

export interface AuthConfig extends BaseConfig {
  readonly listen: { readonly grpc: Address | null; readonly admin: Address | null; readonly health: Address | null };
  readonly pepper: Pepper;
  /** Presets the admin token; undefined: the stored one holds. */
  readonly adminToken: string | undefined;
}

/**
 * Reads the environment.
 * @throws ConfigError naming the variable that is missing or wrong.
 */
export function readAuthConfig(environment: NodeJS.ProcessEnv): AuthConfig {
  const { adminPort, grpcPort, healthPort, ...rest } = read(environment);
  const { host } = rest;
  return {
    ...rest,
    listen: { grpc: { host, port: grpcPort }, admin: { host, port: adminPort }, health: { host, port: healthPort } },
  };
}
