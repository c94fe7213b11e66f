import type { AppName } from '@sallyport/contracts';
import { ConfigError, type BaseConfig } from './config';
import { runMain, type Life, type Running } from './lifecycle';
import { opening } from './opened';
import { openRuntime, type Runtime, type RuntimeOptions } from './runtime';

/** How one service becomes a process of its own. */
export interface ServiceMain<C extends BaseConfig> {
  readonly app: AppName;
  readonly readConfig: (environment: NodeJS.ProcessEnv) => C;
  /** Says so before anything is opened when no database is named. */
  readonly needsDatabase?: boolean;
  /** It can do without the bus for a while: see {@link RuntimeOptions}. */
  readonly startsFromDisk?: boolean;
  readonly start: (config: C, runtime: Runtime, life: Life) => Promise<Running>;
}

/** Runs a service as this process: reads its config, opens its runtime, starts it, and ends both in order. */
export function runService<C extends BaseConfig>(service: ServiceMain<C>): void {
  const { app, readConfig, needsDatabase, startsFromDisk = false, start } = service;
  runMain(app, async (life) => {
    const config = readConfig(process.env);
    if (needsDatabase) databaseOf(config);
    return openService(config, (runtime) => start(config, runtime, life), { startsFromDisk });
  });
}

/** Opens the runtime of a service and starts it; ending what comes back ends both. */
export async function openService(
  config: BaseConfig,
  start: (runtime: Runtime) => Promise<Running>,
  options: Pick<RuntimeOptions, 'startsFromDisk'> = {},
): Promise<Running> {
  return opening(async (opened) => {
    const runtime = opened.push(await openRuntime(config, options));
    const { endsWithinMs } = opened.push(await start(runtime));
    return endsWithinMs === undefined ? {} : { endsWithinMs };
  });
}

/**
 * The database of a service that cannot do without one.
 * @throws ConfigError where none is named: only an all-in-one embeds one.
 */
export function databaseOf({ databaseUrl }: BaseConfig): { readonly url: string } {
  if (databaseUrl === undefined)
    throw new ConfigError('SALLYPORT_DATABASE_URL', 'is not set: expected the URL of Postgres');
  return { url: databaseUrl };
}
