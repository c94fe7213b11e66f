export * from './limiter';
export { LocalLimiter, type StandIn } from './local-limiter';
export { MemorySource } from './memory-source';
export { ShareLimiter } from './share-limiter';
export { rateLimitField, rateLimitPolicyField, retryAfterMs } from './rate-limit-fields';
export { NEVER_MS, type Rate } from './gcra';
export type { Draw, Drawn, LimitSource } from './source';
