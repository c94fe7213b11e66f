import { runService } from '@sallyport/platform';
import { readRateLimitConfig, startRateLimit } from '.';

runService({
  app: 'rate-limit',
  readConfig: readRateLimitConfig,
  start: (config, runtime) => startRateLimit(config, runtime),
});
