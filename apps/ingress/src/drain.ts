import type { IngressConfig } from './config';
import type { Exchange } from './exchange';
import type { HttpListener } from './listeners/http';

const LOOK_EVERY_MS = 50;

/**
 * Ends the data door without breaking what is under way: goes on accepting until balancers have noticed, then lets open
 * exchanges finish, and tells those that do not finish in time.
 */
export async function drainExchanges(
  open: ReadonlySet<Exchange>,
  listener: HttpListener,
  { balancerSeconds, drainSeconds }: Pick<IngressConfig, 'balancerSeconds' | 'drainSeconds'>,
  cutShort: (exchange: Exchange) => void,
): Promise<void> {
  if (balancerSeconds > 0) await pause(balancerSeconds * 1000);
  listener.stopAccepting();
  for (let left = drainSeconds * 1000; left > 0 && open.size > 0; left -= LOOK_EVERY_MS) await pause(LOOK_EVERY_MS);
  for (const exchange of open) cutShort(exchange);
  for (let left = 1000; left > 0 && open.size > 0; left -= LOOK_EVERY_MS) await pause(LOOK_EVERY_MS);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
