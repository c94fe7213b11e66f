import { setTimeout as pass } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { systemClock } from '@sallyport/contracts';
import { MemorySource, type Draw, type Drawn } from '@sallyport/limits';
import { describeLimitSource } from '../../../../libs/limits/src/source.suite';
import { connectValkey, type Logger } from '@sallyport/platform';
import { ChaosProxy, redisBinary, startTestRedis, type TestRedis } from '@sallyport/testkit';
import { ReplicaCount } from './replica-count';
import { ValkeySource } from './valkey-source';

const binary = redisBinary();
if (!binary)
  console.warn('skipped: limits in Redis or Valkey, because neither redis-server nor valkey-server is installed');

/** A busy machine must not turn the timing of production into a failure here. */
const PATIENT_MS = 2_000;
/** Twenty times what a question may take, and as long as a server may wait for a processor. */
const BUSY_MS = 400;
const tenPerMinute = { capacity: 600_000, perRequest: 60_000, perMillisecond: 10 };

/** So many requests in a window so long that nothing drains that would matter while a test runs. */
const slow = (limit: number, seconds: number) => ({
  capacity: limit * seconds * 1_000,
  perRequest: seconds * 1_000,
  perMillisecond: limit,
});

const portOf = ({ url }: TestRedis): number => Number(new URL(url).port);
const silent = { info: () => {}, warn: () => {} } as unknown as Logger;

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

  it('decides what is asked in one turn in one run of the script, and tells everybody their part', async () => {
    const redis = await connect();
    await redis.flushall();
    const source = patient(redis);
    const rate = slow(10, 86_400);
    const requests = ({ debts }: Drawn): number[] => debts.map((debt) => Math.round(debt / rate.perRequest));
    await draw(source, []);
    await draw(source, [{ key: 'warm', rate, cost: 1 }]);
    await redis.config('RESETSTAT');
    const drawn = await Promise.all([
      draw(source, [{ key: 'a', rate, cost: 6 }]),
      draw(source, [
        { key: 'b', rate, cost: 4 },
        { key: 'a', rate, cost: 6 },
      ]),
      draw(source, [
        { key: 'b', rate, cost: 10 },
        { key: 'a', rate, cost: 4 },
      ]),
      draw(source, [{ key: 'b', rate, cost: 1 }]),
    ]);
    expect(drawn.map((one) => [one!.taken, requests(one!)])).toEqual([
      [true, [6]],
      [false, [0, 6]],
      [true, [10, 10]],
      [false, [10]],
    ]);
    expect(await redis.info('commandstats')).toContain('cmdstat_evalsha:calls=1,');
  });

  it('makes of many decisions of one turn what the buckets of one process make of them one by one', async () => {
    const redis = await connect();
    await redis.flushall();
    const source = patient(redis);
    const rate = slow(100, 86_400 * 300);
    const memory = new MemorySource({ ...systemClock, monotonic: () => 0 });
    let seed = 7;
    const upTo = (most: number): number => (seed = (seed * 48_271) % 2_147_483_647) % (most + 1);
    const some = Array.from({ length: 400 }, () => ({
      tenant: `tenant-${upTo(2)}`,
      draws: Array.from({ length: 1 + upTo(2) }, () => ({ key: `key-${upTo(4)}`, rate, cost: upTo(5) })),
    }));
    const whole = (drawn: Drawn | undefined) => [
      drawn?.taken,
      drawn?.debts.map((debt) => Math.round(debt / rate.perRequest)),
    ];
    const here = some.map(({ tenant, draws }) => {
      let drawn: Drawn | undefined;
      memory.draw(tenant, draws, (outcome) => (drawn = outcome));
      return whole(drawn);
    });
    const there = await Promise.all(some.map(({ tenant, draws }) => draw(source, draws, tenant)));
    expect(there.map(whole)).toEqual(here);
    expect(new Set(here.map(([taken]) => taken)).size).toBe(2);
  });

  it('counts each of several decisions that were not answered in time as a miss', async () => {
    const changes: boolean[] = [];
    const source = patient(await connect(), 100, (up) => changes.push(up));
    const one = { key: 'silent', rate: tenPerMinute, cost: 1 };
    await server.pause();
    try {
      expect(await Promise.all(Array.from({ length: 3 }, () => draw(source, [one])))).toEqual(Array(3).fill(undefined));
      expect(source.up).toBe(false);
    } finally {
      server.resume();
    }
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
    await server.pause();
    try {
      for (let count = 0; count < 3; count++) expect(await draw(source, [one])).toBeUndefined();
      let atOnce = 0;
      for (let count = 0; count < 50; count++) source.draw('default', [one], (drawn) => drawn ?? atOnce++);
      // One in some time asks whether the server is back.
      expect(atOnce).toBeGreaterThanOrEqual(49);
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

  it.each([
    ['from the turn of the question on', 0],
    ['when the question has left', 1],
  ])('takes an answer in that lay unread while this process was busy %s, however late it is', async (_, turns) => {
    const source = patient(await connect(), 20);
    const one = { key: 'busy', rate: tenPerMinute, cost: 1 };
    await draw(source, [one]);
    for (let round = 0; round < 3; round++) {
      const answer = draw(source, [one]);
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      const until = performance.now() + BUSY_MS;
      // Nothing of this process runs meanwhile, and Redis answers.
      while (performance.now() < until);
      expect((await answer)?.taken).toBe(true);
    }
  });

  it('counts at the new primary after a failover that leaves the old one as its replica, and tells of two changes', async () => {
    const next = await startTestRedis(binary!);
    const places = [portOf(server)];
    const name = await ChaosProxy.start({ targets: places });
    const redis = connectValkey({
      url: `redis://127.0.0.1:${name.port}`,
      logger: silent,
      commandTimeoutMs: PATIENT_MS,
    });
    opened.push(redis);
    const changes: boolean[] = [];
    const source = patient(redis, PATIENT_MS, (up) => changes.push(up));
    const one = { key: 'failover', rate: slow(1_000, 86_400), cost: 1 };
    const drawUntil = async (isDone: (drawn: Drawn | undefined) => boolean, milliseconds: number): Promise<boolean> => {
      for (const end = Date.now() + milliseconds; Date.now() < end; await pass(5))
        if (isDone(await draw(source, [one]))) return true;
      return false;
    };
    const old = await connect();
    try {
      expect(await drawUntil((drawn) => drawn?.taken === true, 5_000)).toBe(true);
      changes.length = 0;
      await old.replicaof('127.0.0.1', portOf(next));
      // The name is that of the replica for a while: it answers, and counts nothing.
      expect(await drawUntil((drawn) => drawn?.taken === true, 2_500)).toBe(false);
      expect(source.up).toBe(false);
      expect(name.taken).toBeLessThanOrEqual(4);

      places[0] = portOf(next);
      expect(await drawUntil((drawn) => drawn?.taken === true, 10_000)).toBe(true);
      expect(changes).toEqual([false, true]);
      const counter = new Redis(next.url);
      opened.push(counter);
      expect(await counter.exists('sallyport:limits:{default}:failover')).toBe(1);
      expect(await counter.pttl('sallyport:limits:{-}:probe')).toBeLessThanOrEqual(1_010);
    } finally {
      await old.replicaof('NO', 'ONE');
      await name.close();
      await next.close();
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
