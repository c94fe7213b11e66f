import type { AppName, Clock, RandomBytes } from '@sallyport/contracts';
import type { Trail } from '@sallyport/trail';
import type { Bus } from './bus';
import type { BaseConfig } from './config';
import type { Logger } from './logger';
import type { Metrics } from './metrics';
import type { Tracer } from './tracing';

/** What every application is handed to run with. */
export interface Runtime {
  readonly app: AppName;
  readonly config: BaseConfig;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  readonly bus: Bus;
  readonly trail: Trail;
}
