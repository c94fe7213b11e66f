// Sallyport as it is measured: all in one process, or as the processes of a cluster.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { freePorts } from '../../tools/free-ports.mjs';
import { nodeEnvironment, nodeOptions, root } from '../../tools/process.mjs';
import { processorSeconds, processTree, residentBytes } from './machine.mjs';
import { answering, end, firstLine, missing, scratch, searched } from './programs.mjs';

const require = createRequire(import.meta.url);

/** What a scenario publishes unless it says otherwise: one route with a limit, inspection off. */
export function ordersService(upstreamPort, more = {}) {
  return {
    name: 'orders',
    version: 'v1',
    upstream: { targets: [{ url: `http://127.0.0.1:${upstreamPort}` }], allowPrivate: true },
    policies: [{ 'rate-limit': { limit: 1_000_000_000, window: '60s' } }, { waf: { mode: 'off' } }],
    ...more,
  };
}

/**
 * Starts an all-in-one and publishes a document.
 * @param document what is applied once it runs
 * @param limits of its listener, where they differ from the defaults
 */
export async function startAllInOne(document, name = 'Sallyport all-in-one', more = {}, limits = undefined) {
  const place = scratch();
  const environment = await withPorts({
    ...nodeEnvironment,
    SALLYPORT_DATA_DIR: place.folder,
    SALLYPORT_DEMO: 'off',
    SALLYPORT_TRACE_RATIO: '0.01',
    BENCH_COLLECTED: join(place.folder, 'collected.json'),
    ...more,
  });
  if (limits) {
    const file = join(place.folder, 'listeners.yaml');
    const port = Number(environment.SALLYPORT_INGRESS_HTTP_PORT);
    writeFileSync(file, JSON.stringify([{ name: 'bench', host: '127.0.0.1', port, limits }]));
    environment.SALLYPORT_INGRESS_LISTENERS_FILE = file;
  }
  const child = spawn(
    process.execPath,
    [...nodeArguments(), '--require', COLLECT, join(root, 'dist/apps/all-in-one/src/main.js'), '--json'],
    {
      env: environment,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const ready = JSON.parse(await firstLine(child));
  const admin = adminOf(ready.admin, ready.adminToken);
  const key = await prepare(admin, document);
  const health = `http://127.0.0.1:${environment.SALLYPORT_INGRESS_HEALTH_PORT}/metrics`;
  return {
    name,
    host: '127.0.0.1',
    port: Number(new URL(ready.ingress).port),
    fields: { authorization: `Bearer ${key}` },
    admin,
    pids: () => [child.pid],
    resident: () => residentBytes([child.pid]),
    collected: () => collected(child.pid, environment.BENCH_COLLECTED),
    async processorSeconds() {
      // Taking records in is a line of its own: here it is a thread, and the database beside it.
      const audit = await auditThreadSeconds(health);
      const aside = processorSeconds(processTree(child.pid).slice(1));
      return { own: processorSeconds([child.pid]) - audit, aside: aside + audit };
    },
    async end() {
      await end(child);
      place.remove();
    },
  };
}

/** Those of every start, unless the run asks for others; processes that are forked take them over. */
export function nodeArguments() {
  return process.env.SALLYPORT_BENCH_NODE_OPTIONS?.split(' ').filter(Boolean) ?? nodeOptions;
}

const COLLECT = join(root, 'bench/load/collect.cjs');
const COLLECT_SECONDS = 30;

/** Has a process collect its garbage. @returns what `process.memoryUsage` then says there, in bytes */
async function collected(pid, file) {
  rmSync(file, { force: true });
  process.kill(pid, 'SIGUSR2');
  for (let waited = 0; waited < COLLECT_SECONDS; waited += 0.1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8'));
  }
  throw new Error(`process ${pid} has not collected its garbage within ${COLLECT_SECONDS} s`);
}

async function auditThreadSeconds(url) {
  const page = await (await fetch(url)).text();
  const line = /^sallyport_audit_cpu_seconds_total\{[^}]*\} (\S+)$/m.exec(page);
  return line ? Number(line[1]) : 0;
}

const SERVICES = ['audit', 'auth', 'rate-limit', 'waf', 'ai-router', 'catalog', 'ingress'];

/** What keeps a cluster from being measured here, or undefined. */
export function clusterLacks() {
  const absent = missing('nats-server', 'redis-server');
  return absent.length > 0 ? `${absent.join(' and ')} absent` : undefined;
}

/** Starts every service as processes over a real bus, Redis and Postgres, and publishes a document. */
export async function startCluster(document, name = 'Sallyport cluster', more = {}) {
  const place = scratch();
  const servers = await startServers(place.folder);
  const token = randomBytes(24).toString('hex');
  const environment = await withPorts({
    ...nodeEnvironment,
    ...servers.variables,
    SALLYPORT_DATA_DIR: join(place.folder, 'data'),
    SALLYPORT_ADMIN_TOKEN: token,
    SALLYPORT_PEPPER: randomBytes(32).toString('hex'),
    SALLYPORT_INGRESS_BALANCER_SECONDS: '0',
    SALLYPORT_TRACE_RATIO: '0.01',
    SALLYPORT_LOG_LEVEL: 'warn',
    ...more,
  });
  for (const app of SERVICES.filter((one) => one !== 'ingress')) {
    const variable = variableOf(app);
    environment[`SALLYPORT_${variable}_GRPC_URL`] =
      `dns:///127.0.0.1:${environment[`SALLYPORT_${variable}_GRPC_PORT`]}`;
    const adminPort = environment[`SALLYPORT_${variable}_ADMIN_PORT`];
    if (adminPort !== undefined) environment[`SALLYPORT_${variable}_ADMIN_URL`] = `http://127.0.0.1:${adminPort}`;
  }
  const children = new Map(
    SERVICES.map((app) => [
      app,
      spawn(process.execPath, [...nodeArguments(), join(root, `dist/apps/${app}/src/main.js`)], {
        env: environment,
        stdio: 'inherit',
      }),
    ]),
  );
  const endAll = async () => {
    for (const app of [...SERVICES].reverse()) await end(children.get(app));
    await servers.end();
    place.remove();
  };
  const admin = adminOf(`http://127.0.0.1:${environment.SALLYPORT_CATALOG_HTTP_PORT}`, token);
  const ready = async () => {
    for (const app of SERVICES)
      await answering(`http://127.0.0.1:${environment[`SALLYPORT_${variableOf(app)}_HEALTH_PORT`]}/readyz`);
    return prepare(admin, document);
  };
  const key = await ready().catch(async (error) => {
    await endAll();
    throw error;
  });
  const treeOf = (app) => processTree(children.get(app).pid);
  const pids = () => SERVICES.filter((app) => app !== 'audit').flatMap(treeOf);
  return {
    name,
    host: '127.0.0.1',
    port: Number(environment.SALLYPORT_INGRESS_HTTP_PORT),
    fields: { authorization: `Bearer ${key}` },
    admin,
    pids,
    /** Workers of the ingress; the process that started them answers nobody. */
    answering: () => Math.max(1, treeOf('ingress').length - 1),
    resident: () => residentBytes(treeOf('ingress')),
    processorSeconds: async () => ({
      own: processorSeconds(pids()),
      // Audit ingestion, and the servers everything stands on.
      aside: processorSeconds([...treeOf('audit'), ...servers.pids()]),
    }),
    end: endAll,
  };
}

function variableOf(app) {
  return app.toUpperCase().replace('-', '_');
}

async function startServers(folder) {
  const { startEmbeddedPostgres } = require('../../dist/libs/platform/src/index.js');
  const quiet = { info: () => undefined, warn: () => undefined, error: console.error };
  const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), logger: quiet });
  const [natsPort, redisPort] = await freePorts(2);
  const started = { env: { PATH: searched }, stdio: 'ignore' };
  const nats = spawn('nats-server', ['-a', '127.0.0.1', '-p', natsPort, '-js', '-sd', join(folder, 'nats')], started);
  const redis = spawn(
    'redis-server',
    ['--bind', '127.0.0.1', '--port', redisPort, '--save', '', '--dir', folder],
    started,
  );
  return {
    variables: {
      SALLYPORT_NATS_URL: `nats://127.0.0.1:${natsPort}`,
      SALLYPORT_REDIS_URL: `redis://127.0.0.1:${redisPort}`,
      SALLYPORT_DATABASE_URL: postgres.url,
    },
    pids: () => [nats.pid, redis.pid, ...processTree(postgres.pid())],
    async end() {
      await end(nats);
      await end(redis);
      await postgres.close();
    },
  };
}

/** The admin door. */
function adminOf(url, token) {
  return {
    async post(path, body) {
      const response = await fetch(`${url}${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`POST ${path} answered ${response.status}: ${await response.text()}`);
      return response.json();
    },
  };
}

/** Publishes, and mints the key that is sent with every request. @returns the key. */
async function prepare(admin, document) {
  await admin.post('/api/v1/changesets', { sallyport: 1, ...document });
  const minted = await admin.post('/api/auth/v1/keys', { name: 'bench', rate: { limit: 1_000_000, window: '1s' } });
  return minted.key;
}

async function withPorts(more) {
  const { variables } = require('../../dist/libs/contracts/src/index.js');
  const names = variables.map(({ name }) => name).filter((name) => name.endsWith('_PORT'));
  const ports = await freePorts(names.length);
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    ...Object.fromEntries(names.map((name, at) => [name, ports[at]])),
    ...more,
  };
}
