import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock, type RoutePriority, type Snapshot } from '@sallyport/contracts';
import { compileModels, LocalRouter } from '@sallyport/ai';
import { LocalLimiter, MemorySource } from '@sallyport/limits';
import { publishSnapshot } from '@sallyport/platform';
import { freePort, somePrincipal, someRoute, testRuntime, type TestRuntime } from '@sallyport/testkit';
import { Engine } from '@sallyport/waf';
import type { IngressConfig } from '../config';
import { startIngress, type RunningIngress } from '../ingress';
import type { Signals } from './pressure';

const quiet: Signals = { loopDelayMs: 1, heap: 0.2, sockets: 0 };
/** Enough under way for a busy process to turn requests away. */
const UNDER_WAY = 40;

describe('an ingress under pressure', () => {
  let runtime: TestRuntime;
  let ingress: RunningIngress;
  let upstream: Server;
  let held: ServerResponse[] = [];
  let signals = quiet;
  let consulted = 0;

  beforeAll(async () => {
    upstream = createServer((incoming, response) => {
      if (incoming.url?.endsWith('/hold')) held.push(response);
      else response.end('ok');
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    runtime = testRuntime('ingress');
    const config = {
      ...runtime.config,
      listen: { http: { host: '127.0.0.1', port: await freePort() }, admin: null, health: null },
      workers: 1,
      drainSeconds: 1,
      balancerSeconds: 0,
      showConfigVersion: false,
      pepper: '00'.repeat(32),
    } as unknown as IngressConfig;
    const router = new LocalRouter({ leases: { lease: () => undefined } });
    router.use(compileModels({ revision: 'c_0', models: [], accounts: [] }));
    const verifier = {
      verify: (_: unknown, done: (outcome: ReturnType<typeof somePrincipal>) => void) => {
        consulted++;
        done(somePrincipal());
      },
    };
    const limiter = new LocalLimiter(new MemorySource(systemClock));
    const engines = { verifier, limiter, inspector: new Engine(), router };
    ingress = await startIngress(config, runtime, { engines, signals: () => signals });
    await publishSnapshot(runtime.bus, configuration((upstream.address() as AddressInfo).port));
    await until(() => ingress.revision() === 'c_1');
  });
  afterAll(async () => {
    for (const response of held) response.end();
    await ingress.close();
    await runtime.close();
    await new Promise((resolve) => upstream.close(resolve));
  });
  afterEach(async () => {
    signals = quiet;
    for (const response of held.splice(0)) response.end('late');
    await until(async () => (await metric('sallyport_ingress_inflight')) === 0);
    await until(async () => (await call('low')).status === 200);
  });

  const call = (route: RoutePriority, path = ''): Promise<Called> => get(`${ingress.address}/${route}${path}`);
  const metric = async (name: string): Promise<number> =>
    Number(new RegExp(`^${name}\\{.*\\} (\\S+)$`, 'm').exec(await runtime.metrics.exposition())?.[1] ?? NaN);
  const fill = async (): Promise<void> => {
    held = [];
    for (let at = 0; at < UNDER_WAY; at++) void call('normal', '/hold');
    await until(() => held.length === UNDER_WAY);
  };

  it('turns low priority away at once, without asking anybody, and says when to come again', async () => {
    await fill();
    signals = { ...quiet, loopDelayMs: 60 };
    await until(async () => (await call('low')).status === 503);
    const before = consulted;
    const refused = await call('low');
    expect(refused.status).toBe(503);
    expect(JSON.parse(refused.body)).toMatchObject({ code: 'INGRESS_OVERLOADED' });
    expect(Number(refused.fields['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(Number(refused.fields['retry-after'])).toBeLessThanOrEqual(2);
    expect(consulted).toBe(before);
    expect([(await call('normal')).status, (await call('high')).status]).toEqual([200, 200]);
  });

  it('serves only high priority when its loop is very late', async () => {
    await fill();
    signals = { ...quiet, loopDelayMs: 250 };
    await until(async () => (await call('normal')).status === 503);
    expect([(await call('low')).status, (await call('normal')).status]).toEqual([503, 503]);
    expect((await call('high')).status).toBe(200);
  });

  it('turns nobody away for a late loop while hardly anything is under way', async () => {
    signals = { ...quiet, loopDelayMs: 250 };
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect((await call('low')).status).toBe(200);
  });

  it('ends connections with their answers when its heap fills up', async () => {
    expect((await call('normal')).fields['connection']).toBe('keep-alive');
    signals = { ...quiet, heap: 0.85 };
    await until(async () => (await call('normal')).fields['connection'] === 'close');
    expect(await call('normal')).toMatchObject({ status: 200, body: 'ok' });
    signals = { ...quiet, heap: 0.92 };
    await until(async () => (await call('high')).status === 503);
  });
});

interface Called {
  readonly status: number;
  readonly fields: IncomingHttpHeaders;
  readonly body: string;
}

function get(url: string): Promise<Called> {
  return new Promise((resolve, reject) => {
    const fields = { authorization: 'Bearer any', connection: 'keep-alive' };
    const request = httpRequest(url, { headers: fields, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('error', reject);
      response.on('end', () => {
        resolve({ status: response.statusCode!, fields: response.headers, body });
        request.destroy();
      });
    });
    request.on('error', reject);
    request.end();
  });
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error('not within 20 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A route of each priority. */
function configuration(port: number): Snapshot {
  const upstream = {
    id: 'any',
    tenant: 'default',
    name: 'any',
    targets: [{ url: `http://127.0.0.1:${port}`, weight: 1 }],
    timeouts: { connectMs: 5_000, firstByteMs: 60_000, idleMs: 60_000 },
    allowPrivate: true,
  } as unknown as Snapshot['upstreams'][number];
  const route = (priority: RoutePriority) =>
    someRoute({
      id: `${priority}/v1/all`,
      class: 'internal',
      match: { host: null, pathPrefix: `/${priority}`, methods: [] },
      upstream: 'any',
      // Normal is what a route has that says nothing.
      ...(priority !== 'normal' && { priority }),
    });
  return {
    schema: 1,
    revision: 'c_1',
    createdAt: '2026-01-01T00:00:00Z',
    routes: [route('low'), route('normal'), route('high')],
    upstreams: [upstream],
    consumers: [],
    models: [],
    accounts: [],
    trust: [],
  };
}
