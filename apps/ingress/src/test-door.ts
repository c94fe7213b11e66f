import { refuse, systemClock, type Snapshot, type SnapshotRoute, type SnapshotUpstream } from '@sallyport/contracts';
import { compileModels, LocalRouter } from '@sallyport/ai';
import type { Presented, VerifierOutcome } from '@sallyport/identity';
import { LocalLimiter, MemorySource } from '@sallyport/limits';
import { publishSnapshot } from '@sallyport/platform';
import { defaultListenerLimits } from '@sallyport/proxy';
import { freePort, somePrincipal, testRuntime, type TestRuntime } from '@sallyport/testkit';
import { Engine } from '@sallyport/waf';
import type { IngressConfig } from './config';
import { startIngress, type RunningIngress } from './ingress';
import type { ListenerSettings } from './listeners/listeners-file';

/** The one credential that is accepted. */
export const GOOD_KEY = 'Bearer good';

/** An ingress with its engines in this process, for the tests of what passes through it. */
export interface TestDoor {
  readonly runtime: TestRuntime;
  readonly ingress: RunningIngress;
  readonly port: number;
  /** Puts routes in force whose upstream `orders` is this one. */
  publish(routes: readonly SnapshotRoute[], upstream: Partial<SnapshotUpstream> & { url: string }): Promise<void>;
  /** What the audit has on the requests that have ended. */
  records(): Record<string, unknown>[];
  close(): Promise<void>;
}

export async function openTestDoor(
  listener: Partial<ListenerSettings> = {},
  more: Partial<IngressConfig> = {},
): Promise<TestDoor> {
  const runtime = testRuntime('ingress');
  const port = await freePort();
  const router = new LocalRouter({ leases: { lease: () => undefined } });
  router.use(compileModels({ revision: 'c_1', models: [], accounts: [] }));
  const config: IngressConfig = {
    ...runtime.config,
    listen: { http: { host: '127.0.0.1', port }, admin: null, health: null },
    listeners: [
      {
        name: 'test',
        address: { host: '127.0.0.1', port },
        tls: undefined,
        http2: true,
        trustedProxies: undefined,
        limits: defaultListenerLimits,
        ...listener,
      },
    ],
    workers: 1,
    drainSeconds: 1,
    balancerSeconds: 0,
    showConfigVersion: false,
    pepper: '00'.repeat(32),
    consult: { auth: '', rateLimit: '', waf: '', aiRouter: '' },
    catalogUrl: '',
    ...more,
  };
  const verifier = {
    verify: (presented: Presented, done: (outcome: VerifierOutcome) => void) =>
      done(presented.value === 'good' ? somePrincipal() : refuse('AUTH_TOKEN_INVALID')),
  };
  const limiter = new LocalLimiter(new MemorySource(systemClock));
  const ingress = await startIngress(config, runtime, {
    engines: { verifier, limiter, inspector: new Engine(), router },
  });
  let revision = 0;
  return {
    runtime,
    ingress,
    port,
    async publish(routes, { url, ...upstream }) {
      const snapshot: Snapshot = {
        schema: 1,
        revision: `c_${++revision}`,
        createdAt: new Date().toISOString(),
        routes: [...routes],
        upstreams: [
          {
            id: 'orders',
            tenant: 'default',
            name: 'orders',
            targets: [{ url, weight: 1 }],
            timeouts: { connectMs: 1000, firstByteMs: 5000, idleMs: 5000 },
            allowPrivate: true,
            ...upstream,
          },
        ],
        consumers: [],
        models: [],
        accounts: [],
        trust: [],
      };
      await publishSnapshot(runtime.bus, snapshot);
      await until(() => ingress.revision() === snapshot.revision);
    },
    records: () =>
      runtime.trail.bodies('request.completed').map((body) => ({
        ...(body['unmapped'] as { sallyport: Record<string, unknown> }).sallyport,
        status: body['status_code'],
        bytes_in: (body['http_request'] as { length: number }).length,
        bytes_out: (body['http_response'] as { length: number } | undefined)?.length ?? 0,
      })),
    async close() {
      await ingress.close();
      await runtime.close();
    },
  };
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; !(await condition()); waited += 5) {
    if (waited > 5_000) throw new Error('not within 5 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
