import { limitsV1, type Clock } from '@sallyport/contracts';
import { LocalLimiter, MemorySource, type Limiter } from '@sallyport/limits';
import { describeLimiter } from '../../libs/limits/src/limiter.suite';
import { DecideModule } from '../../apps/rate-limit/src/decide/decide.module';
import { LIMIT_SERVICE } from '../../apps/rate-limit/src/decide/limits.controller';
import { LiveNodes } from '../../apps/rate-limit/src/decide/live-nodes';
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
    const connect = (node: string) => new RemoteLimiter({ target: server.target, node, runtime: consultRuntime() });
    const becomes = async (remote: RemoteLimiter, count: number): Promise<void> => {
      for (const end = Date.now() + 5_000; remote.liveNodes !== count;) {
        if (Date.now() > end) throw new Error(`${remote.liveNodes} live nodes instead of ${count}`);
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
    const remote = new RemoteLimiter({ target: server.target, node: 'ingress-1', runtime: consultRuntime() });
    try {
      for (const end = Date.now() + 5_000; remote.liveNodes !== 2 && Date.now() < end;)
        await new Promise((resolve) => setTimeout(resolve, 5));
    } finally {
      await server.close();
    }
    expect(remote.liveNodes).toBe(2);
    await remote.close();
  });
});
