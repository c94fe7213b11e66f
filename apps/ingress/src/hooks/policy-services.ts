import { systemTimers } from '@sallyport/ai';
import { buckets } from '@sallyport/contracts';
import { MemoryStore, type PolicyServices, type SharedStore } from '@sallyport/pipeline';
import type { Runtime } from '@sallyport/platform';
import { BusStore } from '../runtime/bus-store';

/** What policies may keep in this process beyond a request. */
const STORE_BYTES = 64 * 1024 * 1024;

/**
 * What the policies of this process work with.
 * @param sharedSecret where there are other gateways: seals what all of them keep on the bus; undefined: this one is alone
 */
export function policyServices(
  runtime: Pick<Runtime, 'bus' | 'clock' | 'random'>,
  sharedSecret: Uint8Array | undefined,
  more: Pick<PolicyServices, 'charge' | 'peers'>,
): PolicyServices {
  const { clock, random } = runtime;
  return { clock, random, timers: systemTimers, store: storeOf(runtime, sharedSecret), ...more };
}

function storeOf({ bus, clock, random }: Pick<Runtime, 'bus' | 'clock' | 'random'>, secret?: Uint8Array): SharedStore {
  if (!secret) return new MemoryStore(clock, STORE_BYTES);
  return new BusStore({ open: () => bus.kv(buckets.policyStore), secret, clock, random, timers: systemTimers });
}
