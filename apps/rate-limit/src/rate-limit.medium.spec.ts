import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { buckets, limitsV1, systemClock } from '@sallyport/contracts';
import type { Charge, Spending } from '@sallyport/limits';
import { createEmbeddedBus, createLogger, createMetrics, Unreachable, type Runtime } from '@sallyport/platform';
import { MemoryTrail, redisBinary, startTestRedis, type TestRedis } from '@sallyport/testkit';
import { Agent, request } from 'undici';
import { readRateLimitConfig, startRateLimit, type RateLimitConfig, type RunningRateLimit } from '.';

const TOKEN = 'an-admin-token-of-this-test';
const tenPerMinute: Charge = { policy: 'default', key: 'k', limit: 10, windowSeconds: 60, burst: 10, cost: 1 };

const binary = redisBinary();
if (!binary)
  console.warn('skipped: the rate-limit service with Redis, because no redis-server or valkey-server is installed');

let folder: string;
let runtime: Runtime;
let config: RateLimitConfig;
let service: RunningRateLimit | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sp-'));
  const bus = createEmbeddedBus(systemClock);
  const sha256 = createHash('sha256').update(TOKEN).digest('hex');
  await (await bus.kv(buckets.adminToken)).put('current', Buffer.from(JSON.stringify({ sha256 })));
  const logger = createLogger({ app: 'rate-limit', node: 'test', level: 'silent' });
  const base = readRateLimitConfig({});
  const metrics = createMetrics('rate-limit');
  runtime = {
    app: 'rate-limit',
    bus,
    logger,
    metrics,
    config: base,
    clock: systemClock,
    random: randomBytes,
    trail: new MemoryTrail(),
    clockFault: () => undefined,
  } as unknown as Runtime;
  const at = (name: string) => ({ path: join(folder, `${name}.sock`) });
  config = { ...base, listen: { grpc: at('grpc'), admin: at('admin'), health: at('health') } };
});
afterEach(async () => {
  await service?.close();
  service = undefined;
  await runtime.bus.drain();
  rmSync(folder, { recursive: true, force: true });
});

const spend = (charges: Charge[] = [tenPerMinute]): Promise<Spending> =>
  new Promise((resolve) => service!.limiter.spend('default', charges, resolve));

async function get(socket: string, path: string, bearer?: string) {
  const agent = new Agent({ connect: { socketPath: join(folder, `${socket}.sock`) } });
  const headers = bearer === undefined ? {} : { authorization: `Bearer ${bearer}` };
  const answer = await request(`http://localhost${path}`, { dispatcher: agent, headers });
  const text = await answer.body.text();
  await agent.close();
  return { status: answer.statusCode, text };
}

describe('the rate-limit service', () => {
  it('hands its engine to an ingress in the same process, without opening anything', async () => {
    service = await startRateLimit({ ...config, listen: { grpc: null, admin: null, health: null } }, runtime);
    expect((await spend()).allowed).toBe(true);
  });

  it('answers integrators who carry a credential, from the same buckets', async () => {
    service = await startRateLimit(config, runtime);
    const client = new limitsV1.LimitServiceClient(`unix:${join(folder, 'grpc.sock')}`, credentials.createInsecure());
    const ask = (charge: Charge, bearer = TOKEN) =>
      new Promise<limitsV1.SpendReply>((resolve, reject) => {
        const metadata = new Metadata();
        metadata.set('authorization', `Bearer ${bearer}`);
        client.spend({ tenant: 'default', charges: [charge] }, metadata, (error, reply) =>
          error ? reject(error) : resolve(reply),
        );
      });
    try {
      await spend([{ ...tenPerMinute, cost: 9 }]);
      expect(await ask(tenPerMinute)).toMatchObject({ allowed: true, standings: [{ remaining: 0 }] });
      expect(await ask(tenPerMinute)).toMatchObject({ allowed: false, standings: [{ remaining: 0 }] });
      await expect(ask(tenPerMinute, 'another')).rejects.toMatchObject({ code: status.UNAUTHENTICATED });
      const unsound = await ask({ ...tenPerMinute, limit: 0, burst: 0 }).catch((error: ServiceError) => error);
      expect(unsound).toMatchObject({ code: status.INVALID_ARGUMENT });
    } finally {
      client.close();
    }
  });

  it('tells an operator where it counts', async () => {
    service = await startRateLimit(config, runtime);
    await spend();
    expect((await get('admin', '/api/limits/v1/status')).status).toBe(401);
    const answer = await get('admin', '/api/limits/v1/status', TOKEN);
    expect(JSON.parse(answer.text)).toEqual({ source: 'memory', up: true, replicas: 1, live_nodes: 1, keys: 1 });
    expect((await get('health', '/readyz')).status).toBe(200);
  });

  it('leaves nothing behind when it ends', async () => {
    service = await startRateLimit(config, runtime);
    await service.close();
    service = undefined;
    expect(['grpc', 'admin', 'health'].filter((name) => existsSync(join(folder, `${name}.sock`)))).toEqual([]);
  });

  it('reads where to listen, and where to count, from the environment', () => {
    expect(readRateLimitConfig({ SALLYPORT_REDIS_URL: 'redis://127.0.0.1:6379' })).toMatchObject({
      redisUrl: 'redis://127.0.0.1:6379',
      listen: { grpc: { host: '127.0.0.1', port: 5103 }, admin: { port: 8103 }, health: { port: 9403 } },
    });
  });
});

const when = binary ? describe : describe.skip;
when(`the rate-limit service with Redis${binary ? '' : ' (no redis-server or valkey-server is installed)'}`, () => {
  let redis: TestRedis;
  beforeEach(async () => {
    redis = await startTestRedis(binary!);
    const closed = { grpc: null, admin: null, health: null };
    config = { ...config, listen: closed, redisUrl: redis.url };
  });
  afterEach(async () => {
    await service?.close();
    service = undefined;
    await redis.close();
  });

  /** The command timeout of production is short for a busy machine: asks again until the shared buckets answer. */
  async function reaches(value: 0 | 1): Promise<void> {
    const line = new RegExp(`^sallyport_limits_shared_source_up\\{[^}]*\\} ${value}$`, 'm');
    for (const end = Date.now() + 10_000; !line.test(await runtime.metrics.exposition());) {
      if (Date.now() > end) throw new Error(`the source did not become ${value} within 10 s`);
      await spend([{ ...tenPerMinute, key: 'probe', cost: 0 }]);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  it('takes its share from memory while Redis is dead, says so, and shares again after', async () => {
    service = await startRateLimit(config, runtime);
    await reaches(1);
    await redis.kill();
    await reaches(0);
    const answers = await Promise.all(Array.from({ length: 15 }, () => spend()));
    expect(answers.filter(({ allowed }) => allowed)).toHaveLength(10);

    const again = await startTestRedis(binary!, Number(new URL(redis.url).port));
    try {
      await reaches(1);
    } finally {
      await service.close();
      service = undefined;
      await again.close();
    }
    const records = (runtime.trail as MemoryTrail).bodies('control.reported');
    expect(records.at(-1)).toMatchObject({
      unmapped: { sallyport: { what: 'fallback', detail: { service: 'redis', mode: 'share' } } },
    });
  });

  it('divides the limit by the replicas that shared Redis when it died', async () => {
    service = await startRateLimit(config, runtime);
    const second = await startRateLimit(config, { ...runtime, metrics: createMetrics('rate-limit') });
    try {
      await reaches(1);
      // Each says once a second that it is there.
      await new Promise((resolve) => setTimeout(resolve, 1_200));
      await redis.kill();
      await reaches(0);
      const answers = await Promise.all(Array.from({ length: 15 }, () => spend()));
      expect(answers.filter(({ allowed }) => allowed)).toHaveLength(5);
    } finally {
      await second.close();
    }
  });
});

when(`a Redis that is asked for${binary ? '' : ' (no redis-server or valkey-server is installed)'}`, () => {
  it('must be there at the start', async () => {
    const redis = await startTestRedis(binary!);
    await redis.close();
    const starting = startRateLimit({ ...config, redisUrl: redis.url }, runtime, { startMs: 300 });
    await expect(starting).rejects.toThrow(Unreachable);
  });
});
