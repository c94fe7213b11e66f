import { readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import type { Snapshot } from '@sallyport/contracts';
import { connectNatsBus, createLogger, publishSnapshot, type Bus } from '@sallyport/platform';
import { someRoute } from '@sallyport/testkit';
import { Agent, request } from 'undici';
import { call } from './calls';
import { build, freePortVariables, makeFolder, plainEnvironment, runApp } from './product';
import type { Program } from './program';
import { missingServers, startNats, type RealServer } from './servers';
import { PATIENCE_MS, until } from './waiting';

/** Four starts of three processes each, on a machine that does much else. */
jest.setTimeout(4 * PATIENCE_MS);

const DRAIN_SECONDS = 2;

/** An ingress with workers and nothing around it but the bus: its stand-ins decide. */
const describeWithNats = missingServers.includes('nats-server') ? describe.skip : describe;

describeWithNats('the workers of an ingress (needs nats-server)', () => {
  let nats: RealServer;
  let bus: Bus;
  let upstream: Server;
  let slow: ServerResponse[];
  let folder: string;
  let environment: Record<string, string>;
  let ingress: Program;
  let url: string;
  let health: string;

  beforeAll(async () => {
    await build();
    folder = makeFolder().folder;
    nats = await startNats(join(folder, 'nats'));
    bus = await connectNatsBus({ url: nats.url, name: 'test', logger: silent });
    upstream = createServer((incoming, response) => {
      if (incoming.url === '/open/slow') return void slow.push(response);
      if (incoming.url === '/open/events') {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('data: one\n\n');
        return;
      }
      response.end('ok');
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    await publishSnapshot(bus, configuration((upstream.address() as AddressInfo).port));
  });
  afterAll(async () => {
    if ((ingress as Program | undefined)?.running) await ingress.end('SIGTERM');
    await bus?.drain();
    await nats?.close();
    upstream?.closeAllConnections();
    upstream?.close();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  /** Each test that ends it leaves the next one to start it again. */
  beforeEach(async () => {
    slow = [];
    if ((ingress as Program | undefined)?.running) return;
    const ports = await freePortVariables();
    environment = {
      ...plainEnvironment(),
      ...ports,
      SALLYPORT_DATA_DIR: join(folder, 'data'),
      SALLYPORT_NATS_URL: nats.url,
      SALLYPORT_PEPPER: randomBytes(32).toString('base64url'),
      SALLYPORT_INGRESS_WORKERS: '2',
      SALLYPORT_INGRESS_DRAIN_SECONDS: String(DRAIN_SECONDS),
      SALLYPORT_INGRESS_BALANCER_SECONDS: '0',
    };
    url = `http://127.0.0.1:${ports['SALLYPORT_INGRESS_HTTP_PORT']}`;
    health = `http://127.0.0.1:${ports['SALLYPORT_INGRESS_HEALTH_PORT']}`;
    ingress = runApp('ingress', [], environment);
    await ingress.until('two workers serve', async () => (await workers()) === 2, 2 * PATIENCE_MS);
  });

  /** Over all its series. */
  const metric = async (name: string): Promise<number> => {
    const { text } = await call(`${health}/metrics`);
    const series = [...text.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\S+)$`, 'gm'))];
    return series.reduce((sum, [, value]) => sum + Number(value), 0);
  };
  const workers = () => metric('sallyport_ingress_workers');
  const pids = () => childrenOf(ingress.pid);

  /** Waits until a process stands in reserve beside the two workers, the youngest of the three. */
  const reserve = async (): Promise<number> => {
    await until('there is a reserve', () => pids().length === 3);
    return pids()[2]!;
  };

  it('share the port, and show one readiness and one page of metrics', async () => {
    const agents = Array.from({ length: 16 }, () => new Agent({ connections: 1 }));
    for (const dispatcher of agents) {
      for (let nth = 0; nth < 3; nth++) {
        const { statusCode, body } = await request(`${url}/open`, { dispatcher });
        expect([statusCode, await body.text()]).toEqual([200, 'ok']);
      }
    }
    await Promise.all(agents.map((agent) => agent.close()));
    await reserve();
    expect((await call(`${health}/readyz`)).status).toBe(200);
    await until('all are counted', async () => (await metric('sallyport_ingress_requests_total')) === 48);
    const page = (await call(`${health}/metrics`)).text;
    expect(page.match(/^sallyport_config_version_info\{.*\} 1$/gm)).toHaveLength(1);
  });

  it('say once, and with the code of a taken port, that a port is taken', async () => {
    const other = runApp('ingress', [], {
      ...environment,
      SALLYPORT_INGRESS_HEALTH_PORT: (await freePortVariables())['SALLYPORT_INGRESS_HEALTH_PORT']!,
    });
    expect((await other.exited).code).toBe(69);
    expect(other.stderr.match(/another process listens there/g)).toHaveLength(1);
  });

  it('lose a worker to kill -9: what comes later is served, and another takes its place', async () => {
    await call(`${health}/metrics`);
    const next = await reserve();
    const [victim] = pids();
    process.kill(victim!, 'SIGKILL');
    await until('the death is noticed', async () => (await metric('sallyport_ingress_worker_deaths_total')) === 1);
    const killedAt = performance.now();
    for (let nth = 0; nth < 20; nth++) expect((await call(`${url}/open`)).status).toBe(200);
    await until('there are two again', async () => (await workers()) === 2, { within: 2 * PATIENCE_MS });
    process.stderr.write(`a worker was replaced within ${Math.round(performance.now() - killedAt)} ms\n`);
    expect(pids()).not.toContain(victim);
    // It was not started just then: the one in reserve took the place, and another is in reserve now.
    expect(pids()).toContain(next);
    expect(await reserve()).not.toBe(next);
  });

  it('close the port when there is one and it is dead, until the one in reserve has its place', async () => {
    const ports = await freePortVariables();
    const one = runApp('ingress', [], { ...environment, ...ports, SALLYPORT_INGRESS_WORKERS: '1' });
    const children = () => childrenOf(one.pid);
    await one.until('a process is in reserve', () => children().length === 2, 2 * PATIENCE_MS);
    const [victim, next] = children();
    process.kill(victim!, 'SIGKILL');
    const killedAt = performance.now();
    const open = () => call(`http://127.0.0.1:${ports['SALLYPORT_INGRESS_HTTP_PORT']}/open`).catch(() => undefined);
    await until('somebody answers again', async () => (await open())?.status === 200, { every: 5 });
    process.stderr.write(`the only worker was replaced within ${Math.round(performance.now() - killedAt)} ms\n`);
    expect(children()).toContain(next);
    expect(children()).not.toContain(victim);
    expect((await one.end('SIGTERM')).code).toBe(0);
  });

  it('are replaced while the bus is away, from what is on disk, and follow it when it is back', async () => {
    await reserve();
    const deaths = await metric('sallyport_ingress_worker_deaths_total');
    await nats.stop();
    for (const victim of pids().slice(0, 2)) process.kill(victim, 'SIGKILL');
    const haveDied = async () => (await metric('sallyport_ingress_worker_deaths_total')) === deaths + 2;
    await until('both deaths are noticed', haveDied);
    await until('there are two again', async () => (await workers()) === 2, { within: 2 * PATIENCE_MS });
    expect((await call(`${url}/open`)).status).toBe(200);
    await nats.start();
    const next = { ...configuration((upstream.address() as AddressInfo).port), revision: 'c_2' };
    await until('the next configuration is published', () => publishSnapshot(bus, next).then(() => true));
    const page = async () => (await call(`${health}/metrics`)).text;
    const follows = async () => /^sallyport_config_version_info\{.*\} 2$/m.test(await page());
    await until('both run it', follows, { within: 2 * PATIENCE_MS });
  });

  it('may be none: one process answers by itself, its death is an outage, and nothing is left of it', async () => {
    const ports = await freePortVariables();
    const alone = runApp('ingress', [], { ...environment, ...ports, SALLYPORT_INGRESS_WORKERS: '0' });
    const open = () => call(`http://127.0.0.1:${ports['SALLYPORT_INGRESS_HTTP_PORT']}/open`);
    await alone.until('it answers', async () => (await open().catch(() => undefined))?.status === 200, PATIENCE_MS);
    expect(childrenOf(alone.pid)).toEqual([]);
    await alone.end('SIGKILL');
    await expect(open()).rejects.toThrow();
  });

  it('end at SIGTERM when what is under way has ended, and are not ready from the first moment', async () => {
    const answers = Array.from({ length: 6 }, () => call(`${url}/open/slow`));
    await until('all of them are under way', () => slow.length === 6);
    ingress.send('SIGTERM');
    await until('it is not ready any more', async () => (await call(`${health}/readyz`)).status === 503, { every: 5 });
    for (const response of slow) response.end('late');
    for (const answer of await Promise.all(answers)) expect(answer).toMatchObject({ status: 200, text: 'late' });
    expect(await ingress.end()).toEqual({ code: 0, signal: null });
  });

  it('tell a stream that does not end in time why it ends', async () => {
    const { body } = await request(`${url}/open/events`);
    const text = body.text();
    await until('the stream is under way', async () => (await metric('sallyport_ingress_inflight')) >= 1);
    const begun = performance.now();
    ingress.send('SIGTERM');
    expect(await text).toMatch(/^data: one\n\n\n\nevent: error\ndata: \{.*"code":"INGRESS_OVERLOADED".*\}\n\n$/);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(DRAIN_SECONDS * 1000 - 100);
    expect((await ingress.end()).code).toBe(0);
  });

  it('leave nothing behind when their supervisor is killed', async () => {
    await reserve();
    const left = pids();
    await ingress.end('SIGKILL');
    await until('no worker is left', () => left.every((pid) => !isAlive(pid)));
  });

  it('end at once at the second signal', async () => {
    const answer = call(`${url}/open/slow`).catch(() => 'cut');
    await until('it is under way', () => slow.length === 1);
    const left = pids();
    ingress.send('SIGTERM');
    await until('the end has begun', async () => (await call(`${health}/readyz`)).status === 503, { every: 5 });
    expect(await ingress.end('SIGTERM')).toEqual({ code: 143, signal: null });
    expect(await answer).toBe('cut');
    await until('no worker is left', () => left.every((pid) => !isAlive(pid)));
  });
});

it('an all-in-one refuses to be several workers', async () => {
  await build();
  const program = runApp('all-in-one', [], { ...plainEnvironment(), SALLYPORT_INGRESS_WORKERS: '2' });
  expect((await program.exited).code).toBe(64);
  expect(program.stderr).toContain('SALLYPORT_INGRESS_WORKERS is "2": expected 1');
});

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const silent = createLogger({ app: 'test', node: 'test', level: 'fatal' });

/** One route that is open to everybody. */
function configuration(port: number): Snapshot {
  const open = { anonymous: true, kinds: ['api-key' as const], trust: [], scopes: [] };
  return {
    schema: 1,
    revision: 'c_1',
    createdAt: '2026-01-01T00:00:00Z',
    routes: [
      someRoute({
        id: 'open/v1/all',
        service: 'open',
        class: 'internal',
        match: { host: null, pathPrefix: '/open', methods: [] },
        upstream: 'open',
        auth: open,
      }),
    ],
    upstreams: [someUpstream(port)],
    consumers: [],
    models: [],
    accounts: [],
    trust: [],
  };
}

function someUpstream(port: number): Snapshot['upstreams'][number] {
  return {
    id: 'open',
    tenant: 'default',
    name: 'open',
    targets: [{ url: `http://127.0.0.1:${port}`, weight: 1 }],
    timeouts: { connectMs: 2_000, firstByteMs: 15_000, idleMs: 30_000 },
    allowPrivate: true,
  } as unknown as Snapshot['upstreams'][number];
}
