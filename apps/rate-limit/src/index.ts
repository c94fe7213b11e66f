export { readRateLimitConfig, type RateLimitConfig } from './config';
export { startRateLimit, type RunningRateLimit } from './rate-limit';
