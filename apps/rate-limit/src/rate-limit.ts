import { limitsV1 } from '@sallyport/contracts';
import type { Limiter } from '@sallyport/limits';
import {
  type Closable,
  createAdminApp,
  createRpcServer,
  type Opened,
  opening,
  type Runtime,
  readiness,
  startHealth,
  watchAdminToken,
} from '@sallyport/platform';
import { AdminModule } from './admin/admin.module';
import type { LimitsStatus } from './admin/status.controller';
import type { RateLimitConfig } from './config';
import { DecideModule } from './decide/decide.module';
import { LIMIT_SERVICE } from './decide/limits.controller';
import { LiveNodes } from './decide/live-nodes';
import { memoryBuckets, sharedBuckets, type Buckets } from './shared-buckets';

export interface RunningRateLimit extends Closable {
  /** The engine, for an ingress in the same process. */
  readonly limiter: Limiter;
}

/**
 * Starts the rate-limit service on the listeners its config opens.
 * @param patience how long a Redis that was asked for may take to appear; 30 s unless said.
 * @throws ListenError, or Unreachable when the Redis the config names does not answer.
 */
export async function startRateLimit(
  config: RateLimitConfig,
  runtime: Runtime,
  patience = { startMs: 30_000 },
): Promise<RunningRateLimit> {
  return opening(async (opened) => {
    const buckets = config.redisUrl
      ? await sharedBuckets(config.redisUrl, runtime, patience.startMs)
      : memoryBuckets(runtime);
    opened.push(buckets);
    const nodes = new LiveNodes();
    await openAdmin(config, runtime, statusOf(buckets, nodes), opened);
    await openRpc(config, runtime, buckets, nodes, opened);
    if (config.listen.health) {
      const ready = () => readiness(runtime, { draining: opened.ending });
      opened.push(await startHealth({ address: config.listen.health, metrics: runtime.metrics, ready }));
    }
    return { limiter: buckets.limiter };
  });
}

async function openAdmin(
  config: RateLimitConfig,
  runtime: Runtime,
  status: () => LimitsStatus,
  opened: Opened,
): Promise<void> {
  const address = config.listen.admin;
  if (!address) return;
  const adminToken = await watchAdminToken(runtime.bus);
  opened.push(adminToken);
  const module = AdminModule.over(status);
  opened.push(
    await createAdminApp({ module, area: 'limits', address, runtime, adminToken, title: 'Sallyport limits' }),
  );
}

async function openRpc(
  config: RateLimitConfig,
  runtime: Runtime,
  { limiter, source }: Buckets,
  nodes: LiveNodes,
  opened: Opened,
): Promise<void> {
  const address = config.listen.grpc;
  if (!address) return;
  const services = { [LIMIT_SERVICE]: limitsV1.LimitServiceService };
  const module = DecideModule.over(limiter, nodes, source === 'valkey');
  opened.push(await createRpcServer({ module, services, address, runtime }));
}

function statusOf(buckets: Buckets, nodes: LiveNodes): () => LimitsStatus {
  return () => {
    const { source, up, replicas, keys } = buckets;
    return { source, up, replicas, live_nodes: nodes.count, keys };
  };
}
