import { refuse, systemClock, type Snapshot, type SnapshotRoute, type SnapshotUpstream } from '@sallyport/contracts';
import { compileModels, LocalRouter } from '@sallyport/ai';
import type { Presented, VerifierOutcome } from '@sallyport/identity';
import { LocalLimiter, MemorySource } from '@sallyport/limits';
import { publishSnapshot } from '@sallyport/platform';
import { AddressList, listenerLimits } from '@sallyport/proxy';
import { freePorts, somePrincipal, someRoute, testRuntime, type TestRuntime } from '@sallyport/testkit';
import { Engine } from '@sallyport/waf';
import type { z } from 'zod';
import type { IngressConfig } from '../../apps/ingress/src/config';
import { startIngress } from '../../apps/ingress/src/ingress';
import type { ListenerSettings } from '../../apps/ingress/src/listeners/listeners-file';

/** A door of the gateway under test, by name. */
export interface Door {
  readonly limits?: z.input<typeof listenerLimits>;
  readonly trustedProxies?: readonly string[];
  readonly proxyProtocol?: boolean;
}

export interface GatewayUnderTest {
  readonly runtime: TestRuntime;
  /** Port of each door. */
  readonly ports: Readonly<Record<string, number>>;
  /** Puts routes in force that all lead to one upstream. */
  publish(routes: readonly SnapshotRoute[], upstream: string, more?: Partial<SnapshotUpstream>): Promise<void>;
  close(): Promise<void>;
}

/** A route that anyone may call, below one path. */
export function openRoute(pathPrefix: string, more: Partial<SnapshotRoute> = {}): SnapshotRoute {
  const name = pathPrefix === '/' ? 'all' : pathPrefix.slice(1).replaceAll('/', '-');
  return someRoute({
    id: `wire/v1/${name}`,
    match: { host: null, pathPrefix, methods: [] },
    upstream: 'origin',
    auth: { anonymous: true, kinds: ['api-key', 'jwt'], trust: [], scopes: [] },
    ...more,
  });
}

/** The engines are in this process; nobody is asked. */
const NOBODY = 'unix:/nobody';

const verifier = {
  verify(presented: Presented, done: (outcome: VerifierOutcome) => void): void {
    done(presented.value === 'good' ? somePrincipal() : refuse('AUTH_TOKEN_INVALID', {}, { reason: 'not this one' }));
  },
};

/** Starts the real ingress in this process, with its engines beside it and as many doors as there are names. */
export async function startGateway(doors: Readonly<Record<string, Door>>): Promise<GatewayUnderTest> {
  const runtime = testRuntime('ingress');
  const names = Object.keys(doors);
  const found = await freePorts(names.length);
  const ports = Object.fromEntries(names.map((name, at) => [name, found[at]!]));
  const router = new LocalRouter({ leases: { lease: () => undefined } });
  router.use(compileModels({ revision: 'c_1', models: [], accounts: [] }));
  const config: IngressConfig = {
    ...runtime.config,
    listen: { http: { host: '127.0.0.1', port: found[0]! }, admin: null, health: null },
    listeners: names.map((name) => doorSettings(name, ports[name]!, doors[name]!)),
    workers: 1,
    drainSeconds: 0,
    balancerSeconds: 0,
    showConfigVersion: false,
    pepper: '00'.repeat(32),
    consult: { auth: NOBODY, rateLimit: NOBODY, waf: NOBODY, aiRouter: NOBODY },
    catalogUrl: '',
  };
  const limiter = new LocalLimiter(new MemorySource(systemClock));
  const ingress = await startIngress(config, runtime, {
    engines: { verifier, limiter, inspector: new Engine(), router },
  });
  let revision = 0;
  return {
    runtime,
    ports,
    async publish(routes, upstream, more = {}) {
      const snapshot = snapshotOf(`c_${++revision}`, routes, upstream, more);
      await publishSnapshot(runtime.bus, snapshot);
      for (let waited = 0; ingress.revision() !== snapshot.revision; waited += 5) {
        if (waited > 5_000) throw new Error('the configuration was not taken within 5 s');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async close() {
      await ingress.close();
      await runtime.close();
    },
  };
}

function doorSettings(name: string, port: number, { limits = {}, trustedProxies, proxyProtocol }: Door) {
  return {
    name,
    address: { host: '127.0.0.1', port },
    tls: undefined,
    http2: false,
    trustedProxies: trustedProxies && new AddressList(trustedProxies),
    proxyProtocol: proxyProtocol ?? false,
    limits: listenerLimits.parse(limits),
  } satisfies ListenerSettings;
}

function snapshotOf(
  revision: string,
  routes: readonly SnapshotRoute[],
  url: string,
  more: Partial<SnapshotUpstream>,
): Snapshot {
  return {
    schema: 1,
    revision,
    createdAt: new Date().toISOString(),
    routes: [...routes],
    upstreams: [
      {
        id: 'origin',
        tenant: 'default',
        name: 'origin',
        targets: [{ url, weight: 1 }],
        timeouts: { connectMs: 1_000, firstByteMs: 2_000, idleMs: 2_000 },
        allowPrivate: true,
        ...more,
      } as SnapshotUpstream,
    ],
    consumers: [],
    models: [],
    accounts: [],
    trust: [],
  };
}
