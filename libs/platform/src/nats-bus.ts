import type { Bus, BusLogger } from './bus';

export interface NatsBusOptions {
  /** `nats://[user:password@]host:4222`, comma separated; `tls://` for TLS. Three servers or more: three replicas. */
  readonly url: string;
  /** Shown in the server's list of connections. */
  readonly name: string;
  readonly logger: BusLogger;
  /** How long to try at the start; default 30 s. */
  readonly connectLimitMs?: number;
}

/**
 * Connects to NATS with JetStream and makes the streams that are missing. From then on it reconnects for ever;
 * publishing fails at once while there is no connection, and consumers and watches go on where they were.
 *
 * Keeps to what server 2.9 knows. Acknowledged does not mean synced to its disk: spools and outboxes stand behind.
 *
 * @throws Unreachable when there is no connection within 30 s, and with each try the reason in the log.
 */
export async function connectNatsBus(options: NatsBusOptions): Promise<Bus> {
  // The client is loaded where there is a server: the all-in-one process has none.
  const { openNatsBus } = require('./nats-adapter') as typeof import('./nats-adapter');
  return openNatsBus(options);
}
