import { z } from 'zod';
import { defineConfig, flag, integer, port, text, variable, type BaseConfig } from '@sallyport/platform';

const onOff = z.enum(['on', 'off'], { error: 'expected on or off' }).transform((value) => value === 'on');

const ONE_WORKER = 'expected 1: an all-in-one is one process; a cluster has several workers';
const oneWorker = integer.pipe(z.literal(1, { error: ONE_WORKER })).default(1);

const read = defineConfig('all-in-one', {
  remote: variable('SALLYPORT_ALL_IN_ONE_REMOTE', flag),
  workers: variable('SALLYPORT_INGRESS_WORKERS', oneWorker),
  demo: variable('SALLYPORT_DEMO', onOff),
  demoPort: variable('SALLYPORT_DEMO_PORT', port),
  pepper: variable('SALLYPORT_PEPPER', text.optional()),
});

export interface AllInOneConfig extends BaseConfig {
  /** Join the services by gRPC over unix sockets, as a cluster does, instead of directly. */
  readonly remote: boolean;
  /** Start the demo API, and publish it on the first start. */
  readonly demo: boolean;
  readonly demoPort: number;
  /** Undefined: drawn into the data folder. */
  readonly pepper: string | undefined;
}

/**
 * Reads the environment.
 * @throws ConfigError naming the variable that is wrong.
 */
export function readAllInOneConfig(environment: NodeJS.ProcessEnv): AllInOneConfig {
  return read(environment);
}
