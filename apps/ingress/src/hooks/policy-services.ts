import { systemTimers } from '@sallyport/ai';
import { MemoryStore, type PolicyServices } from '@sallyport/pipeline';
import type { Runtime } from '@sallyport/platform';

/** What policies may keep in this process beyond a request. */
const STORE_BYTES = 64 * 1024 * 1024;

/** What the policies of this process work with. */
export function policyServices(
  { clock, random }: Pick<Runtime, 'clock' | 'random'>,
  more: Pick<PolicyServices, 'charge' | 'load' | 'peers'>,
): PolicyServices {
  return {
    clock,
    random,
    timers: systemTimers,
    store: new MemoryStore(clock, STORE_BYTES),
    ...more,
  };
}
