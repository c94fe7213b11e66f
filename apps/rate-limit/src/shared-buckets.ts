import { uuidv7 } from '@sallyport/contracts';
import { LocalLimiter, MemorySource, ShareLimiter, type Limiter, type StandIn } from '@sallyport/limits';
import {
  connectValkey,
  FallbackWindow,
  tellFallback,
  Unreachable,
  type Closable,
  type Runtime,
} from '@sallyport/platform';
import { ReplicaCount } from './store/replica-count';
import { ValkeySource } from './store/valkey-source';

/** The limiter of this replica, and what an operator may know of where it counts. */
export interface Buckets extends Closable {
  readonly limiter: Limiter;
  readonly source: 'memory' | 'valkey';
  readonly up: boolean;
  readonly replicas: number;
  /** Buckets in the memory of this process. */
  readonly keys: number;
}

/** One replica counts in its own memory. */
export function memoryBuckets({ clock }: Pick<Runtime, 'clock'>): Buckets {
  const memory = new MemorySource(clock);
  return {
    limiter: new LocalLimiter(memory),
    source: 'memory',
    up: true,
    replicas: 1,
    get keys() {
      return memory.size;
    },
    close: async () => {},
  };
}

/**
 * Several replicas count together in Redis or Valkey. While that does not answer in time, each takes its share of every
 * limit from memory, never more, and that time is in its log, its metrics and the audit trail.
 * @throws Unreachable when Redis cannot be reached at start: a set URL means the real thing.
 */
export async function sharedBuckets(url: string, runtime: Runtime, startMs: number): Promise<Buckets> {
  const { clock, logger, metrics, random } = runtime;
  const redis = connectValkey({ url, logger });
  const replicas = new ReplicaCount(redis, uuidv7(clock.now(), random));
  const memory = new MemorySource(clock);
  const onChange = (up: boolean, reason: string): void => {
    if (up) logger.info({ reason }, 'limits are shared');
    else logger.debug({ reason }, 'Redis or Valkey does not answer in time');
  };
  const shared = new ValkeySource(redis, { clock, onChange });
  const window = new FallbackWindow('redis', {
    clock,
    seconds: metrics.counter(
      'sallyport_limits_fallback_seconds_total',
      'Time in which limits were not counted in Redis or Valkey.',
      ['service', 'mode'],
    ),
    isUp: () => shared.up,
    ...tellFallback(runtime, {
      began: 'limits are not shared: this replica takes its share from memory',
      ended: 'limits are counted in one place again',
    }),
  });
  const close = async (): Promise<void> => {
    window.close();
    shared.close();
    await replicas.close();
    redis.disconnect();
  };
  const missing = await untilReady(redis, startMs);
  if (missing !== undefined) {
    await close();
    throw new Unreachable('the Redis or Valkey that SALLYPORT_REDIS_URL names', missing, startMs);
  }
  await replicas.refresh();
  metrics
    .gauge('sallyport_limits_shared_source_up', '1 while limits are counted in Redis or Valkey.')
    .observe(() => (shared.up ? 1 : 0));
  const ownShare = new ShareLimiter(memory, () => replicas.count);
  return {
    limiter: new LocalLimiter(shared, () => 1, watched(ownShare, window)),
    source: 'valkey',
    get up() {
      return shared.up;
    },
    get replicas() {
      return replicas.count;
    },
    get keys() {
      return memory.size;
    },
    close,
  };
}

/** A share whose use is watched. */
function watched(share: ShareLimiter, window: FallbackWindow): StandIn {
  return {
    spend(tenant, charges, done) {
      window.stoodIn('share');
      share.spend(tenant, charges, done);
    },
    follow(tenant, charges, spending) {
      window.answered();
      share.follow(tenant, charges, spending);
    },
  };
}

/** @returns why there is no connection after that time; undefined as soon as there is one. */
function untilReady(redis: ReturnType<typeof connectValkey>, milliseconds: number): Promise<string | undefined> {
  if (redis.status === 'ready') return Promise.resolve(undefined);
  return new Promise((resolve) => {
    let reason = 'no connection';
    const timer = setTimeout(() => end(reason), milliseconds);
    const failed = (error: Error): void => void (reason = error.message);
    const ready = (): void => end(undefined);
    const end = (outcome: string | undefined): void => {
      clearTimeout(timer);
      redis.removeListener('ready', ready).removeListener('error', failed);
      resolve(outcome);
    };
    redis.on('ready', ready).on('error', failed);
  });
}
