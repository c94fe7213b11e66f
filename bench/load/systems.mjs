// The systems that are measured, each as processes of its own: nginx as a bare proxy, the all-in-one, the cluster.
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../tools/free-ports.mjs';
import { root } from '../../tools/process.mjs';
import { processTree } from './machine.mjs';

const require = createRequire(import.meta.url);
const START_MS = 60_000;
const searched = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;

/** Names of the programs this machine lacks for a system. */
export function missing(...programs) {
  return programs.filter((program) => spawnSync('which', [program], { env: { PATH: searched } }).status !== 0);
}

/** A folder that is gone when the run is over. */
export function scratch() {
  const folder = mkdtempSync(join(tmpdir(), 'sp-bench-'));
  chmodSync(folder, 0o711);
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export async function startUpstream() {
  const child = spawn(process.execPath, [join(root, 'bench/load/upstream.mjs')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const port = await firstLine(child);
  return { port: Number(port), end: () => end(child) };
}

/** One worker, keep-alive on both sides, no log: what a proxy costs that does nothing but pass on. */
export async function startNginx(upstreamPort) {
  const { folder, remove } = scratch();
  const [port] = await freePorts(1);
  mkdirSync(join(folder, 'logs'));
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log ${folder}/error.log;
     events { worker_connections 1024; }
     http { access_log off; keepalive_requests 1000000;
       client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
       upstream api { server 127.0.0.1:${upstreamPort}; keepalive 128; keepalive_requests 1000000; }
       server { listen 127.0.0.1:${port}; location / { proxy_pass http://api; proxy_http_version 1.1; proxy_set_header Connection ""; } } }`,
  );
  const child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], {
    env: { PATH: searched },
    stdio: 'ignore',
  });
  await answering(`http://127.0.0.1:${port}/orders`);
  return {
    name: 'nginx, bare proxy',
    url: `http://127.0.0.1:${port}/orders`,
    fields: {},
    pids: () => processTree(child.pid),
    aside: () => [],
    end: async () => {
      await end(child);
      remove();
    },
  };
}

export async function startAllInOne(upstreamPort) {
  const place = scratch();
  const environment = await withPorts({
    SALLYPORT_DATA_DIR: place.folder,
    SALLYPORT_DEMO: 'off',
    SALLYPORT_TRACE_RATIO: '0.01',
  });
  const child = spawn(process.execPath, [join(root, 'dist/apps/all-in-one/src/main.js'), '--json'], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ready = JSON.parse(await firstLine(child));
  const key = await prepare(ready.admin, ready.adminToken, upstreamPort);
  return {
    name: 'Sallyport all-in-one',
    url: `${ready.ingress}/orders`,
    fields: { authorization: `Bearer ${key}` },
    // The database stores records; what it costs is a line of its own.
    pids: () => [child.pid],
    aside: () => processTree(child.pid).slice(1),
    end: async () => {
      await end(child);
      place.remove();
    },
  };
}

export async function startCluster(upstreamPort) {
  const place = scratch();
  const servers = await startServers(place.folder);
  const token = randomBytes(24).toString('hex');
  const environment = await withPorts({
    ...servers.variables,
    SALLYPORT_DATA_DIR: join(place.folder, 'data'),
    SALLYPORT_ADMIN_TOKEN: token,
    SALLYPORT_PEPPER: randomBytes(32).toString('hex'),
    SALLYPORT_INGRESS_BALANCER_SECONDS: '0',
    SALLYPORT_TRACE_RATIO: '0.01',
    SALLYPORT_LOG_LEVEL: 'warn',
  });
  for (const [app, door] of [
    ['AUTH', 'GRPC'],
    ['RATE_LIMIT', 'GRPC'],
    ['WAF', 'GRPC'],
    ['AI_ROUTER', 'GRPC'],
    ['AUDIT', 'GRPC'],
    ['CATALOG', 'GRPC'],
    ['AUTH', 'ADMIN'],
    ['RATE_LIMIT', 'ADMIN'],
    ['WAF', 'ADMIN'],
    ['AI_ROUTER', 'ADMIN'],
    ['AUDIT', 'ADMIN'],
  ]) {
    const scheme = door === 'GRPC' ? 'dns:///' : 'http://';
    environment[`SALLYPORT_${app}_${door}_URL`] = `${scheme}127.0.0.1:${environment[`SALLYPORT_${app}_${door}_PORT`]}`;
  }
  const apps = ['audit', 'auth', 'rate-limit', 'waf', 'ai-router', 'catalog', 'ingress'];
  const children = new Map(
    apps.map((app) => [
      app,
      spawn(process.execPath, [join(root, `dist/apps/${app}/src/main.js`)], { env: environment, stdio: 'inherit' }),
    ]),
  );
  for (const app of apps) {
    await answering(
      `http://127.0.0.1:${environment[`SALLYPORT_${app.toUpperCase().replace('-', '_')}_HEALTH_PORT`]}/readyz`,
    );
  }
  const admin = `http://127.0.0.1:${environment.SALLYPORT_CATALOG_HTTP_PORT}`;
  const key = await prepare(admin, token, upstreamPort);
  const pidOf = (app) => children.get(app).pid;
  return {
    name: 'Sallyport cluster',
    url: `http://127.0.0.1:${environment.SALLYPORT_INGRESS_HTTP_PORT}/orders`,
    fields: { authorization: `Bearer ${key}` },
    pids: () => apps.filter((app) => app !== 'audit').map(pidOf),
    // Audit ingestion, and the servers everything stands on.
    aside: () => [pidOf('audit'), ...servers.pids()],
    end: async () => {
      for (const app of apps.reverse()) await end(children.get(app));
      await servers.end();
      place.remove();
    },
  };
}

async function startServers(folder) {
  const { startEmbeddedPostgres } = require('../../dist/libs/platform/src/index.js');
  const quiet = { info: () => undefined, warn: () => undefined, error: console.error };
  const postgres = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), logger: quiet });
  const [natsPort, redisPort] = await freePorts(2);
  const nats = spawn('nats-server', ['-a', '127.0.0.1', '-p', natsPort, '-js', '-sd', join(folder, 'nats')], {
    env: { PATH: searched },
    stdio: 'ignore',
  });
  const redis = spawn('redis-server', ['--bind', '127.0.0.1', '--port', redisPort, '--save', '', '--dir', folder], {
    env: { PATH: searched },
    stdio: 'ignore',
  });
  return {
    variables: {
      SALLYPORT_NATS_URL: `nats://127.0.0.1:${natsPort}`,
      SALLYPORT_REDIS_URL: `redis://127.0.0.1:${redisPort}`,
      SALLYPORT_DATABASE_URL: postgres.url,
    },
    pids: () => [nats.pid, redis.pid, ...processTree(postgres.pid())],
    end: async () => {
      await end(nats);
      await end(redis);
      await postgres.close();
    },
  };
}

/** Publishes the route that is measured: key, rate limit of the route and of the key, inspection of the head, audit. */
async function prepare(admin, token, upstreamPort) {
  const post = async (path, body) => {
    const response = await fetch(`${admin}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`POST ${path} answered ${response.status}: ${await response.text()}`);
    return response.json();
  };
  await post('/api/v1/changesets', {
    sallyport: 1,
    services: [
      {
        name: 'orders',
        version: 'v1',
        upstream: { targets: [{ url: `http://127.0.0.1:${upstreamPort}` }], allowPrivate: true },
        policies: [{ 'rate-limit': { limit: 1_000_000_000, window: '60s' } }],
      },
    ],
  });
  const minted = await post('/api/auth/v1/keys', { name: 'bench', rate: { limit: 1_000_000, window: '1s' } });
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

async function answering(url) {
  for (const end = Date.now() + START_MS; ;) {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok) return;
    if (Date.now() > end) throw new Error(`${url} does not answer`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function firstLine(child) {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
    child.once('exit', (code) => reject(new Error(`ended with ${code} before it was ready`)));
  });
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, 40_000))]);
  child.kill('SIGKILL');
}
