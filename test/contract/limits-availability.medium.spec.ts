import { limitsV1, type Clock } from '@sallyport/contracts';
import { LocalLimiter, MemorySource, ShareLimiter, type Limiter } from '@sallyport/limits';
import { FallbackWindow } from '@sallyport/platform';
import { DecideModule } from '../../apps/rate-limit/src/decide/decide.module';
import { LIMIT_SERVICE } from '../../apps/rate-limit/src/decide/limits.controller';
import { LiveNodes } from '../../apps/rate-limit/src/decide/live-nodes';
import { LiveCount } from '../../apps/ingress/src/consult/live-count';
import { RemoteLimiter } from '../../apps/ingress/src/consult/remote-limiter';
import { limiterWithFallback } from '../../apps/ingress/src/consult/with-fallback';
import { consultRuntime, PATIENT_MS, serve } from './over-grpc';

const services = { [LIMIT_SERVICE]: limitsV1.LimitServiceService };
const LIMIT = 100;
const charge = { policy: 'p', key: 'k', limit: LIMIT, windowSeconds: 1, burst: 0, cost: 1 };

class SteppedClock implements Clock {
  time = 0;
  now = (): number => this.time;
  monotonic = (): number => this.time;
}

/** Two ingresses over one service; the time of the buckets is the test's, everything else is real. */
async function cluster() {
  const clock = new SteppedClock();
  const start = (again?: string) =>
    serve(DecideModule.over(new LocalLimiter(new MemorySource(clock)), new LiveNodes()), services, again);
  let server = await start();
  const ingresses = ['ingress-1', 'ingress-2'].map((node) => {
    const live = new LiveCount(undefined);
    const remote = new RemoteLimiter({
      target: server.target,
      node,
      live,
      runtime: consultRuntime(),
      budgetMs: PATIENT_MS,
    });
    const share = new ShareLimiter(new MemorySource(clock), () => live.count);
    const nothing = (): void => {};
    const seconds = { add: nothing, series: () => ({ add: nothing }) };
    const window = new FallbackWindow('rate-limit', {
      clock,
      seconds,
      isUp: () => remote.state() === 'up',
      began: nothing,
      ended: nothing,
    });
    return { live, remote, window, limiter: limiterWithFallback(remote, share, window) };
  });
  const until = async (what: string, condition: () => boolean): Promise<void> => {
    for (const end = Date.now() + 15_000; !condition();) {
      if (Date.now() > end) throw new Error(`${what}: not within 15 s`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  await until('both know of both', () => ingresses.every(({ live }) => live.count === 2));
  return {
    clock,
    ingresses,
    kill: async () => {
      await server.close();
      await until('both have noticed', () => ingresses.every(({ remote }) => remote.state() === 'down'));
    },
    recover: async () => {
      server = await start(server.target);
      await until('both ask again', () => ingresses.every(({ remote }) => remote.state() === 'up'));
    },
    close: async () => {
      for (const { remote, window } of ingresses) {
        window.close();
        await remote.close();
      }
      await server.close().catch(() => undefined);
    },
  };
}

const spend = (limiter: Limiter): Promise<boolean> =>
  new Promise((resolve) => limiter.spend('default', [charge], ({ allowed }) => resolve(allowed)));

describe('rel-T11: rate-limit is down, a limit of 100 a second, two ingresses, 400 requests a second', () => {
  it('admits no more than the limit while it is away, and no more after', async () => {
    const { clock, ingresses, kill, recover, close } = await cluster();
    /** Admitted in each second, with a request every 2.5 ms in turn at either ingress. */
    const drive = async (seconds: number): Promise<number[]> => {
      const admitted: number[] = [];
      for (let second = 0; second < seconds; second++) {
        let count = 0;
        for (let request = 0; request < 400; request++) {
          clock.time += 2.5;
          if (await spend(ingresses[request % 2]!.limiter)) count++;
        }
        admitted.push(count);
      }
      return admitted;
    };
    try {
      // The first second starts with a whole burst; from then on what is admitted is the rate.
      await drive(2);
      const before = await drive(1);
      await kill();
      const during = await drive(3);
      await recover();
      // The new process starts with empty buckets: within two seconds the limit is the limit again.
      const after = (await drive(4)).slice(2);
      for (const count of [...before, ...during, ...after]) {
        expect(count).toBeLessThanOrEqual(1.1 * LIMIT);
        expect(count).toBeGreaterThanOrEqual(0.8 * LIMIT);
      }
    } finally {
      await close();
    }
  });
});
