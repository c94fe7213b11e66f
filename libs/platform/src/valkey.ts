import type { Redis } from 'ioredis';
import type { Logger } from './logger';

export interface ValkeyOptions {
  /** `redis://` or `rediss://`, also written `valkey://` or `valkeys://`. */
  readonly url: string;
  readonly logger: Logger;
  /**
   * After this long a command has failed, whatever becomes of it. Default 1 s: whoever cannot wait so long keeps a
   * deadline of its own, since a timer here does not know whether the answer lies unread in the socket.
   */
  readonly commandTimeoutMs?: number;
}

const LONGEST_PAUSE_MS = 1_000;

/**
 * What only a replica answers. The name of the primary may belong to another server by now, and only a new connection asks
 * for it again. Not LOADING: that one will answer when it has loaded, and says so to a new connection as well.
 */
const IS_REPLICA = /\b(READONLY|MASTERDOWN)\b/;
const FIRST_HOLD_MS = 1_000;
const LONGEST_HOLD_MS = 10_000;
const FORGOTTEN_AFTER_MS = 60_000;

/**
 * Opens the connection to Redis or Valkey, and opens it again for ever. It is a cache of decisions: a command while there
 * is no connection fails at once instead of waiting in a queue, and none is repeated on the next connection. A server that
 * answers as a replica is hung up on, so that after a failover the name is looked up again.
 */
export function connectValkey({ url, logger, commandTimeoutMs = 1_000 }: ValkeyOptions): Redis {
  // Loaded by the one application that counts there.
  const ioredis = require('ioredis') as typeof import('ioredis');
  const mayHangUp = seldom();
  const redis = new ioredis.Redis(url.replace(/^valkey/, 'redis'), {
    connectionName: 'sallyport',
    commandTimeout: commandTimeoutMs,
    connectTimeout: 2_000,
    disconnectTimeout: 100,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    reconnectOnError: (error) => IS_REPLICA.test(error.message) && mayHangUp() && noteReplica(error),
    retryStrategy: (attempt) => Math.random() * Math.min(LONGEST_PAUSE_MS, 50 * 2 ** Math.min(attempt, 10)),
  });
  let connected: boolean | undefined;
  const note = (now: boolean, detail: string): void => {
    if (connected === now) return;
    connected = now;
    if (now) logger.info('connected to Redis or Valkey');
    else logger.warn({ detail }, 'not connected to Redis or Valkey; trying again');
  };
  const noteReplica = (error: Error): true => {
    note(false, error.message);
    return true;
  };
  redis.on('ready', () => note(true, ''));
  // Not `close`: that we hang up ourselves is no news.
  redis.on('reconnecting', () => note(false, 'the connection ended'));
  redis.on('error', (error: Error) => note(false, error.message));
  return redis;
}

/** Says yes at once and then after 1, 2, 4, 8 s and every 10 s: the next server may be a replica as well. */
function seldom(): () => boolean {
  let [last, hold] = [-Infinity, 0];
  return () => {
    const now = performance.now();
    if (now - last < hold) return false;
    hold = now - last > FORGOTTEN_AFTER_MS ? FIRST_HOLD_MS : Math.min(2 * hold, LONGEST_HOLD_MS);
    last = now;
    return true;
  };
}
