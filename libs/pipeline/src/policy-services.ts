import { systemClock } from '@sallyport/contracts';
import { systemTimers } from '@sallyport/ai';
import type { PolicyServices } from './policy';

/**
 * For routes that are compiled to be looked at, or whose policies keep nothing: no store, no peers, never busy.
 * Whoever serves traffic hands in services of its own.
 */
export const servicesWithoutMemory: PolicyServices = {
  clock: systemClock,
  random: (bytes) => Buffer.alloc(bytes),
  timers: systemTimers,
  store: {
    get: (_key, done) => done('unavailable'),
    set: (_key, _value, _ttlMs, done) => done?.(false),
    claim: (_key, _value, _ttlMs, done) => done('unavailable'),
    replace: (_key, _before, _value, _ttlMs, done) => done('unavailable'),
    remove: (_key, _before, done) => done?.('unavailable'),
  },
  peers: () => 1,
  charge: (_tenant, _charges, done) => done({ allowed: true, standings: [] }),
};
