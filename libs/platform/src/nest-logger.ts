import type { LoggerService } from '@nestjs/common';
import type { Logger } from './logger';

/** Nest's own words in our log: what it warns of, and nothing of what it tells about its start. */
export function nestLogger(logger: Logger): LoggerService {
  return {
    log: () => {},
    debug: () => {},
    verbose: () => {},
    warn: (message: unknown) => logger.warn({ source: 'nest' }, String(message)),
    error: (message: unknown) =>
      logger.error({ source: 'nest', err: message instanceof Error ? message : undefined }, String(message)),
    fatal: (message: unknown) => logger.fatal({ source: 'nest' }, String(message)),
  };
}
