import { setTimeout as pass } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { systemClock } from '@sallyport/contracts';
import type { Draw, Drawn } from '@sallyport/limits';
import { describeLimitSource } from '../../../../libs/limits/src/source.suite';
import { redisBinary, startTestRedis, type TestRedis } from '@sallyport/testkit';
import { ReplicaCount } from './replica-count';
import { ValkeySource } from './valkey-source';

const binary = redisBinary();
if (!binary)
  console.warn('skipped: limits in Redis or Valkey, because neither redis-server nor valkey-server is installed');

/** A busy machine must not turn the timing of production into a failure here. */
const PATIENT_MS = 2_000;
const tenPerMinute = { capacity: 600_000, perRequest: 60_000, perMillisecond: 10 };

const when = binary ? describe : describe.skip;
when(`limits in Redis or Valkey${binary ? '' : ' (neither redis-server nor valkey-server is installed)'}`, () => {
  let server: TestRedis;
  const opened: Redis[] = [];
  const sources: ValkeySource[] = [];

  const connect = async (commandTimeout = PATIENT_MS): Promise<Redis> => {
    const redis = new Redis(server.url, { enableOfflineQueue: false, commandTimeout, retryStrategy: () => 20 });
    redis.on('error', () => {});
    opened.push(redis);
    if (redis.status !== 'ready') await new Promise<void>((resolve) => redis.once('ready', () => resolve()));
    return redis;
  };
  const patient = (redis: Redis, budgetMs = PATIENT_MS, onChange: (up: boolean, reason: string) => void = () => {}) => {
    const source = new ValkeySource(redis, { clock: systemClock, chance: () => 0, onChange, budgetMs });
    sources.push(source);
    return source;
  };
  const draw = (source: ValkeySource, draws: Draw[], tenant = 'default'): Promise<Drawn | undefined> =>
    new Promise((resolve) => source.draw(tenant, draws, resolve));

  beforeAll(async () => {
    server = await startTestRedis(binary!);
  });
  afterEach(() => {
    sources.splice(0).forEach((source) => source.close());
    opened.splice(0).forEach((redis) => redis.disconnect());
  });
  afterAll(() => server.close());

  describeLimitSource('Redis or Valkey', async () => {
    const redis = await connect();
    await redis.flushall();
    return { source: patient(redis), advance: pass, close: async () => {} };
  });

  it('admits a limit once, however many replicas and connections draw on it at the same time', async () => {
    const sources = await Promise.all([1, 2, 3].map(async () => patient(await connect())));
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        draw(sources[index % 3]!, [{ key: 'shared', rate: tenPerMinute, cost: 1 }]),
      ),
    );
    expect(results.filter((drawn) => drawn!.taken)).toHaveLength(10);
  });

  it('leaves no key without an end of its life, and none that outlives its debt by more than a moment', async () => {
    const redis = await connect();
    await redis.flushall();
    const source = patient(redis);
    await draw(source, [{ key: 'a', rate: tenPerMinute, cost: 4 }]);
    await draw(source, [{ key: 'b', rate: tenPerMinute, cost: 1 }]);
    const count = new ReplicaCount(redis, 'replica-1');
    await count.refresh();
    await count.close();
    const keys = await redis.keys('*');
    expect(keys.sort()).toEqual(['sallyport:limits:{default}:a', 'sallyport:limits:{default}:b']);
    expect(await redis.pttl(keys[0]!)).toBeGreaterThan(20_000);
    expect(await redis.pttl(keys[0]!)).toBeLessThanOrEqual(25_000);
  });

  it('counts the replicas that said so lately', async () => {
    const redis = await connect();
    await redis.flushall();
    const first = new ReplicaCount(redis, 'replica-1');
    const second = new ReplicaCount(await connect(), 'replica-2');
    await first.refresh();
    await second.refresh();
    await first.refresh();
    expect([first.count, second.count]).toEqual([2, 2]);
    await second.close();
    await first.refresh();
    expect(first.count).toBe(1);
    expect(await redis.pttl('sallyport:limits:replicas')).toBeGreaterThan(0);
    await first.close();
  });

  it('says that it cannot decide while the server stands still, asks it rarely, and comes back', async () => {
    const changes: boolean[] = [];
    const source = patient(await connect(), 400, (up) => changes.push(up));
    const one = { key: 'slow', rate: tenPerMinute, cost: 1 };
    expect((await draw(source, [one]))!.taken).toBe(true);
    server.pause();
    try {
      for (let count = 0; count < 3; count++) expect(await draw(source, [one])).toBeUndefined();
      const started = performance.now();
      expect(await Promise.all(Array.from({ length: 50 }, () => draw(source, [one])))).toEqual(
        Array(50).fill(undefined),
      );
      expect(performance.now() - started).toBeLessThan(400);
    } finally {
      server.resume();
    }
    let drawn: Drawn | undefined;
    for (const end = Date.now() + 5_000; !drawn && Date.now() < end;) {
      drawn = await draw(source, [one]);
      if (!drawn) await pass(20);
    }
    expect(drawn?.taken).toBe(true);
    expect(changes).toEqual([true, false, true]);
    expect(source.up).toBe(true);
  });

  it('takes an answer in that lay unread while this process was busy, however late it is', async () => {
    const source = patient(await connect(), 20);
    const one = { key: 'busy', rate: tenPerMinute, cost: 1 };
    await draw(source, [one]);
    for (let round = 0; round < 3; round++) {
      const answer = draw(source, [one]);
      const until = performance.now() + 80;
      // Nothing of this process runs meanwhile, and Redis answers.
      while (performance.now() < until);
      expect((await answer)?.taken).toBe(true);
    }
  });

  it('says so at once while there is no connection', async () => {
    const changes: [boolean, string][] = [];
    const redis = await connect();
    const source = patient(redis, PATIENT_MS, (...change) => changes.push(change));
    const ended = new Promise((resolve) => redis.once('end', resolve));
    redis.disconnect();
    await ended;
    expect(await draw(source, [{ key: 'a', rate: tenPerMinute, cost: 1 }])).toBeUndefined();
    expect(source.up).toBe(false);
    expect(changes[0]![0]).toBe(false);
  });
});
