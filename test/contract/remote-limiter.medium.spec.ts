import { limitsV1, type Clock } from '@sallyport/contracts';
import { LocalLimiter, MemorySource, type Limiter } from '@sallyport/limits';
import { describeLimiter } from '../../libs/limits/src/limiter.suite';
import { DecideModule } from '../../apps/rate-limit/src/decide/decide.module';
import { LIMIT_SERVICE } from '../../apps/rate-limit/src/decide/limits.controller';
import { LiveNodes } from '../../apps/rate-limit/src/decide/live-nodes';
import { LiveCount } from '../../apps/ingress/src/consult/live-count';
import { RemoteLimiter } from '../../apps/ingress/src/consult/remote-limiter';
import { answered, connected, consultRuntime, PATIENT_MS, serve } from './over-grpc';

class SteppedClock implements Clock {
  private time = 0;
  now = (): number => this.time;
  monotonic = (): number => this.time;
  advance = async (milliseconds: number): Promise<void> => {
    this.time += milliseconds;
  };
}

const services = { [LIMIT_SERVICE]: limitsV1.LimitServiceService };

describeLimiter('over a Decide stream', async () => {
  const clock = new SteppedClock();
  const engine = new LocalLimiter(new MemorySource(clock));
  const server = await serve(DecideModule.over(engine, new LiveNodes()), services);
  const remote = new RemoteLimiter({
    target: server.target,
    node: 'ingress-1',
    runtime: consultRuntime(),
    budgetMs: PATIENT_MS,
  });
  await connected(remote);
  const limiter: Limiter = {
    spend: (tenant, charges, done) => remote.spend(tenant, charges, (outcome) => done(answered(outcome))),
  };
  return {
    limiter,
    advance: clock.advance,
    close: async () => {
      await remote.close();
      await server.close();
    },
  };
});

describe('live ingresses', () => {
  it('are counted by name and told to everybody at once, so that each knows its share before it needs it', async () => {
    const nodes = new LiveNodes();
    const engine = new LocalLimiter(new MemorySource(new SteppedClock()));
    const server = await serve(DecideModule.over(engine, nodes), services);
    const connect = (node: string) => {
      const live = new LiveCount(undefined);
      const remote = new RemoteLimiter({ target: server.target, node, live, runtime: consultRuntime() });
      return { live, state: () => remote.state(), close: () => remote.close() };
    };
    const becomes = async ({ live }: { live: LiveCount }, count: number): Promise<void> => {
      for (const end = Date.now() + 5_000; live.count !== count;) {
        if (Date.now() > end) throw new Error(`${live.count} live nodes instead of ${count}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    const first = connect('ingress-1');
    const second = connect('ingress-2');
    const twin = connect('ingress-2');
    try {
      await Promise.all([becomes(first, 2), becomes(second, 2)]);
      await connected(twin);
      expect(nodes.count).toBe(2);
      await twin.close();
      await second.close();
      await becomes(first, 1);
    } finally {
      await Promise.all([first.close(), second.close(), twin.close()]);
      await server.close();
    }
  });

  it('take their last known share with them when the service dies', async () => {
    const nodes = new LiveNodes();
    const seat = nodes.join(() => {});
    seat.name('ingress-2');
    const server = await serve(
      DecideModule.over(new LocalLimiter(new MemorySource(new SteppedClock())), nodes),
      services,
    );
    const live = new LiveCount(undefined);
    const remote = new RemoteLimiter({ target: server.target, node: 'ingress-1', live, runtime: consultRuntime() });
    try {
      for (const end = Date.now() + 5_000; live.count !== 2 && Date.now() < end;)
        await new Promise((resolve) => setTimeout(resolve, 5));
    } finally {
      await server.close();
    }
    expect(live.count).toBe(2);
    await remote.close();
  });
});

describe('several replicas of the rate-limit service', () => {
  const charge = (key: string, limit: number) => ({ policy: key, key, limit, windowSeconds: 60, burst: 0, cost: 1 });
  const spend = (remote: RemoteLimiter, charges: ReturnType<typeof charge>[]) =>
    new Promise<{ allowed: boolean; standings: readonly { remaining: number }[] }>((resolve) =>
      remote.spend('default', charges, (outcome) => resolve(answered(outcome))),
    );

  async function replicas(count: number, shared: boolean) {
    const clock = new SteppedClock();
    const one = new MemorySource(clock);
    const servers = await Promise.all(
      Array.from({ length: count }, () => {
        const engine = new LocalLimiter(shared ? one : new MemorySource(clock));
        return serve(DecideModule.over(engine, new LiveNodes(), shared), services);
      }),
    );
    const resolve = async () => servers.map(({ target }) => target);
    const connect = () => {
      const runtime = { ...consultRuntime(), resolve };
      return new RemoteLimiter({ target: 'dns:///limits:1', node: 'n', runtime, budgetMs: PATIENT_MS });
    };
    const ingresses = [connect(), connect()];
    // Every stream has to stand: a key whose replica is not reached is decided elsewhere.
    const reached = async (): Promise<void> => {
      for (const end = Date.now() + 10_000; ;) {
        const tries = ingresses.flatMap((remote) =>
          Array.from(
            { length: 20 },
            (_, index) => new Promise<unknown>((done) => remote.spend('warm', [charge(`k${index}`, 1_000_000)], done)),
          ),
        );
        if ((await Promise.all(tries)).every((outcome) => typeof outcome !== 'string')) return;
        if (Date.now() > end) throw new Error('not every replica was reached within 10 s');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    await reached();
    const close = async (): Promise<void> => {
      await Promise.all(ingresses.map((remote) => remote.close()));
      await Promise.all(servers.map((server) => server.close()));
    };
    return { ingresses, servers, close };
  }

  it.each([false, true])('count one limit once, whichever ingress asks (buckets in one place: %s)', async (shared) => {
    const { ingresses, close } = await replicas(3, shared);
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      const outcomes = [];
      for (let count = 0; count < 10; count++) outcomes.push(await spend(ingresses[count % 2]!, [charge(key, 6)]));
      expect(outcomes.filter(({ allowed }) => allowed)).toHaveLength(6);
    }
    await close();
  });

  it('pass a request only when all of its charges do, wherever they live, in the order of the charges', async () => {
    const { ingresses, close } = await replicas(3, false);
    const wide = Array.from({ length: 12 }, (_, index) => charge(`w${index}`, 100 + index));
    const first = await spend(ingresses[0]!, wide);
    expect(first.allowed).toBe(true);
    expect(first.standings.map(({ remaining }) => remaining)).toEqual(wide.map(({ limit }) => limit - 1));
    const narrow = charge('narrow', 1);
    expect((await spend(ingresses[1]!, [...wide, narrow])).allowed).toBe(true);
    expect((await spend(ingresses[0]!, [narrow, ...wide])).allowed).toBe(false);
    await close();
  });

  it('leave the keys of one that is away to the stand-in, and decide the others', async () => {
    const { ingresses, servers, close } = await replicas(2, false);
    await servers[0]!.close();
    const ask = (key: string) => new Promise<unknown>((done) => ingresses[0]!.spend('default', [charge(key, 5)], done));
    const outcomes = await Promise.all(Array.from({ length: 40 }, (_, index) => ask(`k${index}`)));
    const silent = outcomes.filter((outcome) => outcome === 'down');
    expect(silent.length).toBeGreaterThan(0);
    expect(silent.length).toBeLessThan(40);
    await close();
  });
});
