// Starts every service as its own process against servers you run: `npm run start:cluster [-- --json]`
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { build } from './build.mjs';
import { install } from './install.mjs';
import { Failure, exitCodeOf, onEnd, root, say, startApp, whenMain } from './process.mjs';

/** In the order they are ended: those that take requests first, the one that stores what the others still report last. */
const stages = [['ingress'], ['catalog', 'auth', 'rate-limit', 'waf', 'ai-router'], ['audit']];
const apps = stages.flat();

/** What a cluster cannot draw or embed by itself; the second of a pair is its form for secrets. */
const needed = [
  ['SALLYPORT_NATS_URL'],
  ['SALLYPORT_DATABASE_URL', 'SALLYPORT_DATABASE_URL_FILE'],
  ['SALLYPORT_REDIS_URL', 'SALLYPORT_REDIS_URL_FILE'],
  ['SALLYPORT_ADMIN_TOKEN', 'SALLYPORT_ADMIN_TOKEN_FILE'],
  ['SALLYPORT_PEPPER', 'SALLYPORT_PEPPER_FILE'],
];

const READY_MS = 60_000;
const POLL_MS = 200;
const END_MS = 40_000;

whenMain(import.meta, async (args) => {
  refuseMissing();
  await install();
  await build();
  const cluster = new Cluster();
  onEnd((signal) => cluster.end(signal, 0));
  cluster.start();
  await cluster.ready();
  announce(args.includes('--json'));
});

function refuseMissing() {
  const missing = needed.filter((names) => !names.some((name) => process.env[name]));
  if (missing.length === 0) return;
  const list = missing.map(([name, file]) => (file ? `${name} (or ${file})` : name)).join(', ');
  throw new Failure(`A cluster needs ${list}. npm start needs none of them.`, 64);
}

class Cluster {
  #children = new Map();
  #ending = false;

  start() {
    const width = Math.max(...apps.map((app) => app.length));
    // There is no balancer before a cluster on one machine whose probes would have to be waited for.
    const env = { SALLYPORT_INGRESS_BALANCER_SECONDS: '0', ...process.env };
    for (const app of apps) {
      const child = startApp(app, [], { stdio: ['ignore', 'pipe', 'pipe'], env });
      this.#children.set(app, child);
      for (const stream of [child.stdout, child.stderr]) {
        createInterface({ input: stream }).on('line', (line) => say(`${app.padEnd(width)} | ${line}`));
      }
      child.once('exit', (code, signal) => this.#exited(app, exitCodeOf(code, signal)));
    }
  }

  /** Waits until every service says it is ready, and tells which are. */
  async ready() {
    const begun = Date.now();
    const waiting = new Map(apps.map((app) => [app, 'does not answer']));
    while (waiting.size > 0 && !this.#ending) {
      for (const app of [...waiting.keys()]) {
        const reason = await whyNotReady(app);
        if (reason !== undefined) waiting.set(app, reason);
        else if (waiting.delete(app)) say(`${app} is ready (${apps.length - waiting.size} of ${apps.length})`);
      }
      if (waiting.size > 0 && Date.now() - begun > READY_MS) {
        say(
          [...waiting].map(([app, reason]) => `${app} is not ready after ${READY_MS / 1000} s: ${reason}`).join('\n'),
        );
        await this.end('SIGTERM', 69);
      }
      if (waiting.size > 0) await pause(POLL_MS);
    }
    // Whoever ends the cluster ends this process.
    if (this.#ending) await new Promise(() => {});
  }

  /** Ends stage after stage; asked again, everything ends at once. */
  async end(signal, exitCode) {
    if (this.#ending) return this.#signal(apps, signal);
    this.#ending = true;
    for (const stage of stages) {
      this.#signal(stage, signal);
      await Promise.race([this.#gone(stage), pause(END_MS)]);
    }
    this.#signal(apps, 'SIGKILL');
    process.exit(exitCode);
  }

  #exited(app, code) {
    this.#children.delete(app);
    if (this.#ending) return;
    say(`${app} ended with exit code ${code}; ending the others.`);
    void this.end('SIGTERM', code || 1);
  }

  #signal(names, signal) {
    for (const app of names) this.#children.get(app)?.kill(signal);
  }

  #gone(names) {
    const children = names.flatMap((app) => this.#children.get(app) ?? []);
    return Promise.all(children.map((child) => new Promise((resolve) => child.once('exit', resolve))));
  }
}

/** @returns undefined when the service is ready. */
async function whyNotReady(app) {
  try {
    const answer = await fetch(`${origin(app, 'HEALTH')}/readyz`, { signal: AbortSignal.timeout(2000) });
    if (answer.status === 200) return undefined;
    const { reasons } = await answer.json();
    return reasons?.join('; ') || `answers ${answer.status}`;
  } catch (error) {
    return `does not answer (${error.cause?.code ?? error.name})`;
  }
}

/** `http://host:port` of a listener, as its variable or the table of ports says. */
function origin(app, door) {
  const { defaultPort, environmentName } = createRequire(import.meta.url)(
    join(root, 'dist/libs/contracts/src/variables.js'),
  );
  const port = process.env[`SALLYPORT_${environmentName(app)}_${door}_PORT`] || defaultPort(app, door);
  const host = process.env.SALLYPORT_HOST || '127.0.0.1';
  return `http://${host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host}:${port}`;
}

function announce(asJson) {
  const file = process.env.SALLYPORT_INGRESS_LISTENERS_FILE;
  // A file of listeners takes the place of the one door, and may open several.
  const doors = { ingress: file ? null : origin('ingress', 'HTTP'), admin: origin('catalog', 'HTTP') };
  if (asJson) return console.log(JSON.stringify({ ready: true, ...doors, adminToken: null, apiKey: null }));
  console.log(
    `\nThe cluster is ready.\n\n  APIs    ${doors.ingress ?? `the listeners of ${file}`}\n  admin   ${doors.admin}   (token: SALLYPORT_ADMIN_TOKEN)\n\nCtrl-C ends it.`,
  );
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
