import type { EndReason } from '@sallyport/platform';
import type { IngressConfig } from './config';
import type { Exchange } from './exchange';
import type { OpenExchanges } from './open-exchanges';
import type { HttpListener } from './listeners/http';

const LOOK_EVERY_MS = 50;
/** How long the last bytes of answers that were cut short may take to leave. */
const LAST_BYTES_MS = 1_000;
/**
 * How long kept connections stay open that nobody has used since the signal: a request may be on its way on each of them, or
 * on one that was accepted a moment ago. Whoever uses one is told that it is the last answer on it.
 */
const LAST_CALL_MS = 1_000;
/** After a defect of ours: long enough that callers in the middle of a connection learn that it is the last answer on it. */
const AFTER_FAULT_MS = 1_000;

export interface Drained {
  /** Exchanges under way. */
  readonly open: OpenExchanges;
  readonly listeners: readonly Pick<HttpListener, 'announceEnd' | 'stopAccepting' | 'closeIdle' | 'sockets'>[];
  readonly config: Pick<IngressConfig, 'balancerSeconds' | 'drainSeconds'>;
  /** Undefined where the ingress is one part of a process. */
  readonly reason: EndReason | undefined;
  /** Ends an exchange that has had its time. */
  readonly cutShort: (exchange: Exchange) => void;
}

/**
 * Ends the data door without breaking what is under way. From the first moment every answer says that it is the last on its
 * connection; connections are accepted until balancers have noticed; then those that are kept may be used once more, open
 * exchanges finish, and those that do not finish in time are told. Times run from the signal.
 */
export async function drainExchanges({ open, listeners, config, reason, cutShort }: Drained): Promise<void> {
  const begun = performance.now();
  const left = (ms: number) => begun + ms - performance.now();
  for (const listener of listeners) listener.announceEnd();
  await pause(left(graceMs(config, reason)));
  // The kernel resets what it has accepted and we have not: right after a look at the listening socket that is nothing.
  await new Promise(setImmediate);
  for (const listener of listeners) listener.stopAccepting();
  for (const exchange of open) exchange.goAway?.();
  if (reason === 'SIGTERM') await until(() => listeners.every(({ sockets }) => sockets === 0), LAST_CALL_MS);
  for (const listener of listeners) listener.closeIdle();
  await emptied(open, left(config.drainSeconds * 1000));
  for (const exchange of open) cutShort(exchange);
  await emptied(open, LAST_BYTES_MS);
}

/** Who pressed Ctrl-C has no balancer, and a process without its supervisor has no listener that would take more. */
function graceMs({ balancerSeconds }: Drained['config'], reason: EndReason | undefined): number {
  if (reason === 'SIGINT' || reason === 'orphaned') return 0;
  if (reason === 'fault') return Math.min(AFTER_FAULT_MS, balancerSeconds * 1000);
  return balancerSeconds * 1000;
}

function emptied(open: OpenExchanges, withinMs: number): Promise<void> {
  return until(() => open.size === 0, withinMs);
}

async function until(done: () => boolean, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  while (!done() && performance.now() < end) await pause(Math.min(LOOK_EVERY_MS, end - performance.now()));
}

function pause(ms: number): Promise<void> {
  return ms > 0 ? new Promise((resolve) => setTimeout(resolve, ms)) : Promise.resolve();
}
