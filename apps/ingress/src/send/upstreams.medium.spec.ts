import {
  Agent,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { snapshotUpstream, systemClock, type Snapshot, type SnapshotRoute } from '@sallyport/contracts';
import { compileModels, LocalRouter } from '@sallyport/ai';
import type { Presented, VerifierOutcome } from '@sallyport/identity';
import { LocalLimiter, MemorySource } from '@sallyport/limits';
import { publishSnapshot } from '@sallyport/platform';
import { freePort, somePrincipal, someRoute, testRuntime, type TestRuntime } from '@sallyport/testkit';
import { Engine } from '@sallyport/waf';
import type { IngressConfig } from '../config';
import { startIngress, type RunningIngress } from '../ingress';

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** Every bearer value is a consumer of its own. */
const verifier = {
  verify(presented: Presented, done: (outcome: VerifierOutcome) => void): void {
    done(somePrincipal({ consumer: presented.value, subject: presented.value }));
  },
};

const router = new LocalRouter({ leases: { lease: () => undefined } });
router.use(compileModels({ revision: 'c_1', models: [], accounts: [] }));

let runtime: TestRuntime;
let ingress: RunningIngress;
let url: string;
let revision = 0;
const servers: Server[] = [];
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

/** One of our own upstreams, counting what it is asked. */
class Upstream {
  readonly seen: { method: string; url: string; fields: IncomingMessage['headers']; body: string }[] = [];
  readonly server: Server;
  aborted = 0;
  answer: Handler = (_, response) => response.end('ok');

  constructor() {
    this.server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('error', () => undefined);
      response.on('close', () => (this.aborted += response.writableFinished ? 0 : 1));
      request.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        this.seen.push({ method: request.method!, url: request.url!, fields: request.headers, body });
        this.answer(request, response, body);
      });
    });
    servers.push(this.server);
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }
}

const upstreams = async (count: number) => Promise.all(Array.from({ length: count }, () => new Upstream().listen()));

beforeAll(async () => {
  runtime = testRuntime('ingress');
  const config: IngressConfig = {
    ...runtime.config,
    listen: { http: { host: '127.0.0.1', port: await freePort() }, admin: null, health: null },
    workers: 1,
    drainSeconds: 1,
    balancerSeconds: 0,
    showConfigVersion: false,
    pepper: '00'.repeat(32),
    consult: { auth: '', rateLimit: '', waf: '', aiRouter: '' },
    catalogUrl: '',
  };
  const limiter = new LocalLimiter(new MemorySource(systemClock));
  ingress = await startIngress(config, runtime, { engines: { verifier, limiter, inspector: new Engine(), router } });
  url = ingress.address;
});

afterEach(async () => {
  for (const server of servers) server.closeAllConnections();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

afterAll(async () => {
  agent.destroy();
  await ingress.close();
  await runtime.close();
});

interface Declared {
  readonly id?: string;
  readonly targets: readonly Upstream[];
  readonly [setting: string]: unknown;
}

async function publish(declared: readonly Declared[], route: Partial<SnapshotRoute> = {}): Promise<void> {
  const snapshot: Snapshot = {
    schema: 1,
    revision: `c_${++revision}`,
    createdAt: new Date().toISOString(),
    routes: [someRoute({ auth: { anonymous: true, kinds: ['api-key', 'jwt'], trust: [], scopes: [] }, ...route })],
    upstreams: declared.map(({ id = 'orders', targets, ...more }) =>
      snapshotUpstream.parse({
        id,
        tenant: 'default',
        name: id,
        targets: targets.map((target) => ({ url: target.url })),
        timeouts: { connectMs: 1_000, firstByteMs: 5_000, idleMs: 5_000 },
        allowPrivate: true,
        ...more,
      }),
    ),
    consumers: [],
    models: [],
    accounts: [],
    trust: [],
  };
  await publishSnapshot(runtime.bus, snapshot);
  await until(() => ingress.revision() === snapshot.revision);
}

interface Called {
  readonly status: number;
  readonly body: string;
  readonly ms: number;
  readonly fields: IncomingMessage['headers'];
}

function call(path = '/orders', fields: Record<string, string> = {}, method = 'GET', body?: string): Promise<Called> {
  const since = performance.now();
  return new Promise((resolve, reject) => {
    const request = httpRequest(`${url}${path}`, { method, headers: fields, agent }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          body: Buffer.concat(chunks).toString(),
          ms: performance.now() - since,
          fields: response.headers,
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function until(condition: () => boolean | Promise<boolean>, ms = 5_000): Promise<void> {
  const end = performance.now() + ms;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Calls at a steady pace, without waiting for answers. */
async function load(perSecond: number, ms: number): Promise<Called[]> {
  const calls: Promise<Called>[] = [];
  const every = 1000 / perSecond;
  const begin = performance.now();
  for (let at = 0; at < ms; at += every) {
    const wait = begin + at - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    calls.push(call());
  }
  return Promise.all(calls);
}

const percentile = (list: readonly number[], share: number) =>
  [...list].sort((left, right) => left - right)[Math.ceil(list.length * share) - 1]!;

const p99 = (calls: readonly Called[]) =>
  percentile(
    calls.map(({ ms }) => ms),
    0.99,
  );

describe('a failing target', () => {
  it('is not noticed by a caller who may be tried again: body and all go to another one', async () => {
    const [bad, good] = (await upstreams(2)) as [Upstream, Upstream];
    bad.answer = (request) => request.socket.destroy();
    good.answer = (_, response, body) => response.end(`echo:${body}`);
    await publish([{ targets: [bad, good], retry: {} }]);
    const key = { 'idempotency-key': 'k1', 'content-type': 'text/plain' };
    for (let n = 0; n < 2; n++) {
      expect(await call('/orders', key, 'POST', 'hello')).toMatchObject({ status: 200, body: 'echo:hello' });
    }
    expect(bad.seen).toHaveLength(1);
    expect(good.seen.map(({ body }) => body)).toEqual(['hello', 'hello']);
  });

  it('is the end of a request that must not be made twice', async () => {
    const [bad, good] = (await upstreams(2)) as [Upstream, Upstream];
    bad.answer = (request) => request.socket.destroy();
    await publish([{ targets: [bad, good], retry: {} }]);
    const statuses = [await call('/orders', {}, 'POST', 'a'), await call('/orders', {}, 'POST', 'b')].map(
      ({ status }) => status,
    );
    expect(statuses.sort()).toEqual([200, 502]);
    expect([bad.seen.length, good.seen.length]).toEqual([1, 1]);
  });

  it('is not called a second time for a body that was not held', async () => {
    const [bad] = (await upstreams(1)) as [Upstream];
    bad.answer = (request) => request.socket.destroy();
    await publish([{ targets: [bad], retry: {} }]);
    const body = 'x'.repeat(100_000);
    expect((await call('/orders', {}, 'PUT', body)).status).toBe(502);
    expect(bad.seen).toHaveLength(1);
  });

  it('stays known to be failing when the configuration changes around it', async () => {
    const [bad] = (await upstreams(1)) as [Upstream];
    bad.answer = (_, response) => void response.writeHead(503).end();
    await publish([{ targets: [bad], breaker: {} }]);
    for (let n = 0; n < 5; n++) await call();
    const held = await call();
    expect(held.status).toBe(503);
    expect(JSON.parse(held.body)).toMatchObject({ code: 'UPSTREAM_UNHEALTHY' });
    expect(Number(held.fields['retry-after'])).toBeGreaterThanOrEqual(1);
    await publish([{ targets: [bad], breaker: { probeMs: 60_000 }, retry: {} }]);
    expect((await call()).status).toBe(503);
    expect(bad.seen).toHaveLength(5);
    const metrics = await runtime.metrics.exposition();
    expect(metrics).toMatch(/sallyport_upstream_failures_total\{[^}]*upstream="orders"[^}]*\} 5/);
    expect(metrics).toMatch(/sallyport_upstream_changes_total\{[^}]*change="opened"[^}]*\} 1/);
  });
});

describe('balancing by hash', () => {
  it('gives one consumer one target, and another address or key its own', async () => {
    const targets = await upstreams(3);
    await publish([{ targets, balance: { by: 'hash', hash: { on: 'consumer' } } }]);
    for (let consumer = 0; consumer < 12; consumer++) {
      for (let n = 0; n < 3; n++) await call('/orders', { authorization: `Bearer consumer-${consumer}` });
    }
    const consumersOf = ({ seen }: Upstream) => new Set(seen.map(({ fields }) => fields['x-sallyport-consumer']));
    expect(targets.reduce((sum, target) => sum + consumersOf(target).size, 0)).toBe(12);
    expect(targets.filter(({ seen }) => seen.length > 0).length).toBeGreaterThan(1);
  });
});

describe('a canary', () => {
  async function withCanary(more: object): Promise<{ main: Upstream; canary: Upstream }> {
    const [main, canary] = (await upstreams(2)) as [Upstream, Upstream];
    const declared = [{ targets: [main] }, { id: 'next', targets: [canary], breaker: {} }];
    await publish(declared, { canary: { upstream: 'next', percent: 0, sticky: true, ...more } });
    return { main, canary };
  }

  it('answers its share of the consumers, each of them always or never', async () => {
    const { main, canary } = await withCanary({ percent: 30 });
    for (let round = 0; round < 2; round++)
      for (let n = 0; n < 60; n++) await call('/orders', { authorization: `Bearer consumer-${n}` });
    expect(canary.seen.length + main.seen.length).toBe(120);
    const consumersOf = ({ seen }: Upstream) => new Set(seen.map(({ fields }) => fields['x-sallyport-consumer']));
    expect(consumersOf(main).size + consumersOf(canary).size).toBe(60);
    expect(canary.seen.length).toBeGreaterThan(120 * 0.1);
    expect(canary.seen.length).toBeLessThan(120 * 0.5);
  });

  it('answers whoever asks for it by name', async () => {
    const { main, canary } = await withCanary({ header: { name: 'x-canary', value: 'yes' } });
    await call('/orders', { 'x-canary': 'yes' });
    await call('/orders', { 'x-canary': 'no' });
    await call();
    expect([canary.seen.length, main.seen.length]).toEqual([1, 2]);
  });

  it('fails nobody when it cannot be called', async () => {
    const { main, canary } = await withCanary({ percent: 100 });
    canary.answer = (_, response) => void response.writeHead(503).end();
    const statuses: number[] = [];
    for (let n = 0; n < 10; n++) statuses.push((await call()).status);
    expect(statuses.filter((status) => status === 503)).toHaveLength(5);
    expect(main.seen).toHaveLength(5);
  });
});

describe('a mirror', () => {
  async function withMirror(percent = 100): Promise<{ main: Upstream; copy: Upstream }> {
    const [main, copy] = (await upstreams(2)) as [Upstream, Upstream];
    await publish([{ targets: [main] }, { id: 'copy', targets: [copy] }], { mirror: { upstream: 'copy', percent } });
    return { main, copy };
  }

  it('gets a marked copy with the body, and its answer is for nobody', async () => {
    const { main, copy } = await withMirror();
    copy.answer = (_, response) => void response.writeHead(500).end('nobody reads this');
    const fields = { authorization: 'Bearer billing', 'content-type': 'text/plain' };
    expect(await call('/orders?a=b', fields, 'POST', 'hello')).toMatchObject({ status: 200, body: 'ok' });
    await until(() => copy.seen.length === 1);
    expect(copy.seen[0]).toMatchObject({ method: 'POST', url: '/orders?a=b', body: 'hello' });
    expect(copy.seen[0]!.fields).toMatchObject({ 'x-sallyport-mirror': '1', 'x-sallyport-consumer': 'billing' });
    expect(copy.seen[0]!.fields.authorization).toBeUndefined();
    expect(main.seen[0]!.fields['x-sallyport-mirror']).toBeUndefined();
  });

  it('is never waited for, gets no more than its share of places, and no large body', async () => {
    const { copy } = await withMirror();
    copy.answer = () => undefined;
    const calls = await Promise.all(Array.from({ length: 80 }, () => call()));
    expect(calls.every(({ status }) => status === 200)).toBe(true);
    await until(async () => /mirrored_total\{[^}]*dropped_busy[^}]*\} 16/.test(await runtime.metrics.exposition()));
    copy.server.closeAllConnections();
    await until(async () => {
      const before = copy.seen.length;
      await call();
      await new Promise((resolve) => setTimeout(resolve, 20));
      return copy.seen.length > before;
    });
    copy.answer = (_, response) => response.end();
    expect((await call('/orders', {}, 'POST', 'x'.repeat(70_000))).status).toBe(200);
    expect(await runtime.metrics.exposition()).toMatch(/mirrored_total\{[^}]*dropped_body[^}]*\} 1/);
  });
});

describe('an upstream in trouble', () => {
  it('rel-T20: answers 500 only: retries stay below a fifth, breakers open, half of the targets are ejected at most', async () => {
    const targets = await upstreams(3);
    for (const target of targets) target.answer = (_, response) => void response.writeHead(500).end();
    const on = ['connect', 'broke', '500', '502', '503', '504'];
    await publish([{ targets, retry: { on }, breaker: {}, health: { ejection: {} } }]);
    const calls = await load(50, 4_000);
    const sent = targets.reduce((sum, { seen }) => sum + seen.length, 0);
    const answered = calls.filter(({ body }) => !body.includes('UPSTREAM_UNHEALTHY')).length;
    expect(sent - answered).toBeLessThanOrEqual(Math.max(3, calls.length * 0.2));
    const metrics = await runtime.metrics.exposition();
    const count = (name: string) =>
      [...metrics.matchAll(new RegExp(`${name}\\{[^}]*upstream="orders"[^}]*\\} (\\d+)`, 'g'))].reduce(
        (sum, [, value]) => sum + Number(value),
        0,
      );
    expect(count('sallyport_upstream_serving')).toBe(0);
    expect(count('sallyport_upstream_ejections_total')).toBeLessThanOrEqual(1);
    // Open: what still goes out are probes, one each five seconds and target.
    const before = targets.reduce((sum, { seen }) => sum + seen.length, 0);
    await load(50, 1_000);
    expect(targets.reduce((sum, { seen }) => sum + seen.length, 0) - before).toBeLessThanOrEqual(3);
  });

  it('rel-T21: one of three is slow: it is taken out, and the others are as quick as before', async () => {
    const targets = await upstreams(3);
    const quick: Handler = (_, response) => void setTimeout(() => response.end('ok'), 25);
    for (const target of targets) target.answer = quick;
    const health = { ejection: { latencyForMs: 2_000 } };
    await publish([{ targets, health }]);
    const before = p99(await load(40, 1_500));
    targets[2]!.answer = (_, response) => void setTimeout(() => response.end('late'), 700);
    await load(40, 5_000);
    const seen = targets[2]!.seen.length;
    const after = await load(40, 1_500);
    expect(targets[2]!.seen.length).toBe(seen);
    expect(p99(after)).toBeLessThan(Math.max(before * 1.2, 200));
  });

  it('rel-T22: hedged: the slow call is made twice at most and left, a call that does something is made once', async () => {
    const targets = await upstreams(2);
    for (const target of targets) target.answer = (_, response) => response.end('ok');
    await publish([{ targets, hedge: { afterMs: 30 } }]);
    for (let n = 0; n < 60; n++) await call();
    targets[0]!.answer = () => undefined;
    // One of these two begins at the target that has gone quiet.
    const hedged = await Promise.all([call(), call()]);
    expect(hedged.map(({ status }) => status)).toEqual([200, 200]);
    await until(() => targets[0]!.aborted === 1, 1_000);
    targets[0]!.answer = (_, response) => void setTimeout(() => response.end('late'), 100);
    await Promise.all([call('/orders', {}, 'POST', 'a'), call('/orders', {}, 'POST', 'b')]);
    const posts = targets.map(({ seen }) => seen.filter(({ method }) => method === 'POST').length);
    expect(posts).toEqual([1, 1]);
    const sent = targets.reduce((sum, { seen }) => sum + seen.length, 0);
    expect(sent).toBeLessThanOrEqual(64 * 1.05);
  });
});
