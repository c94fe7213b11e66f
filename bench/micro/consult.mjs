// What one consult costs, both ends together: the clients of the ingress here, each service in a process of its own.
// `node bench/micro/consult.mjs [--in-flight 1,8,32,64] [--seconds 2] [--only auth,waf] [--profile DIR] [--json]`
// Where there is a redis-server, `--only rate-limit-redis` counts limits there; its own processor time is in the figure.
import { fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from '../../tools/build.mjs';
import { Failure, whenMain } from '../../tools/process.mjs';
import { describeMachine, median, processorSeconds } from '../load/machine.mjs';
import { searched } from '../load/programs.mjs';

const SERVICES = ['auth', 'rate-limit', 'waf', 'ai-router'];
/** Asked only where it is asked for: it needs a server. */
const OVER_REDIS = 'rate-limit-redis';
const THREE = ['auth', 'rate-limit', 'waf'];
/** A busy machine must not turn into unanswered consults: what is measured is the cost of answers. */
const PATIENT_MS = 2_400;

whenMain(import.meta, async (args) => {
  await build();
  const result = await benchConsult(args);
  console.log(result.json ? JSON.stringify(result.figures) : page(result.figures));
});

/** Measures every service alone, then the three a plain request asks, at each number in flight. */
export async function benchConsult(args) {
  const { values } = parseArgs({
    args,
    options: {
      'in-flight': { type: 'string', default: '1,8,32,64' },
      seconds: { type: 'string', default: '2' },
      windows: { type: 'string', default: '3' },
      only: { type: 'string', default: [...SERVICES, 'three'].join(',') },
      profile: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  const only = values.only.split(',');
  const folder = mkdtempSync(join(tmpdir(), 'sp-'));
  const services = only.includes(OVER_REDIS) ? [...SERVICES, OVER_REDIS] : SERVICES;
  const ends = new Ends(folder, services, values.profile);
  try {
    await ends.open();
    const rows = [];
    for (const inFlight of values['in-flight'].split(',').map(Number)) {
      for (const what of only)
        rows.push(await measure(ends, what, inFlight, Number(values.seconds), Number(values.windows)));
    }
    const figures = { scenario: 'consult', machine: describeMachine(), transport: 'unix socket', rows };
    return { json: values.json, figures };
  } finally {
    await ends.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Both ends: the clients, and the processes they ask. */
class Ends {
  children = new Map();
  clients = {};

  constructor(folder, services, profile) {
    this.folder = folder;
    this.services = services;
    this.profile = profile;
    if (profile) mkdirSync(profile, { recursive: true });
  }

  async open() {
    const require = createRequire(new URL('../../dist/', import.meta.url));
    const load = (path) => require(`./${path}`);
    const { systemClock, refuse } = load('libs/contracts/src/index.js');
    const { createLogger, createMetrics } = load('libs/platform/src/index.js');
    const { mintApiKey } = load('libs/identity/src/index.js');
    this.key = mintApiKey('live', randomBytes);
    if (this.services.includes(OVER_REDIS)) this.startRedis();
    await Promise.all(this.services.map((service) => this.start(service)));
    const runtime = {
      clock: systemClock,
      logger: createLogger({ app: 'ingress', node: 'bench', level: 'silent' }),
      metrics: createMetrics('ingress'),
      wheel: load('apps/ingress/src/consult/decide-client.js').consultWheel(systemClock),
    };
    const consult = (name) => load(`apps/ingress/src/consult/${name}.js`);
    const of = (service) => ({ target: `unix:${this.socket(service)}`, runtime, budgetMs: PATIENT_MS });
    const patient = { baseMs: PATIENT_MS, perKibMs: 0, capMs: PATIENT_MS };
    this.clients = {
      auth: new (consult('remote-verifier').RemoteVerifier)(of('auth')),
      'rate-limit': new (consult('remote-limiter').RemoteLimiter)({ ...of('rate-limit'), node: 'bench' }),
      waf: new (consult('remote-inspector').RemoteInspector)({ ...of('waf'), budget: patient }),
      'ai-router': new (consult('remote-model-router').RemoteModelRouter)({ ...of('ai-router'), models: () => [] }),
    };
    if (this.redis)
      this.clients[OVER_REDIS] = new (consult('remote-limiter').RemoteLimiter)({ ...of(OVER_REDIS), node: 'bench' });
    this.questions = questions(this.key.text, refuse);
    for (const end = Date.now() + 20_000; Object.values(this.clients).some((client) => client.state() !== 'up');) {
      if (Date.now() > end) throw new Error('no stream within 20 s');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  startRedis() {
    const socket = join(this.folder, 'redis.sock');
    const options = ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', this.folder];
    this.redis = spawn('redis-server', options, { env: { PATH: searched }, stdio: 'ignore' });
    process.env.SALLYPORT_BENCH_REDIS = socket;
  }

  async start(service) {
    const profiled = this.profile
      ? ['--cpu-prof', `--cpu-prof-dir=${this.profile}`, `--cpu-prof-name=${service}.cpuprofile`]
      : [];
    const child = fork(new URL('./consult-service.mjs', import.meta.url), [service, this.socket(service)], {
      env: { ...process.env, SALLYPORT_BENCH_KEY: JSON.stringify(this.key) },
      execArgv: profiled,
    });
    this.children.set(service, child);
    await answerOf(child);
  }

  socket(service) {
    return join(this.folder, `${service}.sock`);
  }

  /** Processor time used so far in microseconds, of this end and of each service. */
  async used() {
    const used = new Map();
    for (const [service, child] of this.children) {
      child.send('usage');
      const { user, system } = await answerOf(child);
      used.set(service, user + system);
    }
    if (this.redis) used.set(OVER_REDIS, used.get(OVER_REDIS) + processorSeconds([this.redis.pid]) * 1e6);
    const { user, system } = process.cpuUsage();
    return used.set('ingress', user + system);
  }

  async close() {
    await Promise.all(Object.values(this.clients).map((client) => client.close()));
    await Promise.all(
      [...this.children.values()].map((child) => {
        const gone = new Promise((resolve) => child.once('exit', resolve));
        child.disconnect();
        return gone;
      }),
    );
    this.redis?.kill();
  }
}

function answerOf(child) {
  return new Promise((resolve, reject) => {
    const ended = (code) => reject(new Error(`a service ended with ${code}`));
    child.once('exit', ended);
    child.once('message', (message) => {
      child.removeListener('exit', ended);
      resolve(message);
    });
  });
}

/** One lane asks again as soon as it is answered; so many lanes run at once. */
async function measure(ends, what, inFlight, seconds, windows) {
  const ask = asking(ends, what);
  await drive(ask, inFlight, 0.5);
  const samples = [];
  for (let window = 0; window < windows; window++) {
    const before = await ends.used();
    const begun = performance.now();
    const { count, unanswered } = await drive(ask, inFlight, seconds);
    const wall = performance.now() - begun;
    const after = await ends.used();
    const spent = (end) => (after.get(end) - before.get(end)) / count;
    const services = what === 'three' ? THREE : [what];
    const theirs = services.reduce((sum, service) => sum + spent(service), 0);
    // What a silence costs is no figure of an answer.
    if (unanswered * 100 > count) throw new Failure(`${unanswered} of ${count} consults of ${what} were not answered`);
    samples.push({
      ingress: spent('ingress'),
      services: theirs,
      both: spent('ingress') + theirs,
      rate: (count / wall) * 1e3,
      unanswered,
    });
  }
  const of = (member) => Math.round(median(samples.map((sample) => sample[member])) * 100) / 100;
  return {
    consult: what,
    in_flight: inFlight,
    cpu_us: of('both'),
    ingress_us: of('ingress'),
    service_us: of('services'),
    per_second: Math.round(of('rate')),
    unanswered: samples.reduce((sum, { unanswered }) => sum + unanswered, 0),
  };
}

function asking({ clients, questions }, what) {
  const asks = {
    auth: (done) => clients.auth.verify(questions.presented, done),
    'rate-limit': (done) => clients['rate-limit'].spend('default', questions.charges, done),
    [OVER_REDIS]: (done) => clients[OVER_REDIS].spend('default', questions.charges, done),
    'ai-router': (done) => clients['ai-router'].plan(questions.plan, done),
    waf: (done) => {
      const inspection = clients.waf.open(questions.head, (outcome) => {
        done(outcome);
        inspection.close('forwarded');
      });
    },
  };
  if (what !== 'three') return asks[what];
  // As a request does it: who is calling and what it looks like are asked together, what is counted next.
  return (done) => {
    let waiting = 2;
    let silent = false;
    const next = (outcome) => {
      silent ||= typeof outcome === 'string';
      if (--waiting === 0) asks['rate-limit']((spent) => done(silent ? 'silent' : spent));
    };
    asks.waf(next);
    asks.auth(next);
  };
}

function drive(ask, inFlight, seconds) {
  return new Promise((resolve) => {
    const end = performance.now() + seconds * 1_000;
    let [count, unanswered, lanes] = [0, 0, inFlight];
    const lane = () => {
      ask((outcome) => {
        count++;
        if (typeof outcome === 'string') unanswered++;
        if (performance.now() < end) {
          // Not from within: a silence comes before the question has returned.
          if (typeof outcome === 'string') setImmediate(lane);
          else lane();
        } else if (--lanes === 0) resolve({ count, unanswered });
      });
    };
    for (let started = 0; started < inFlight; started++) lane();
  });
}

/** What a plain authenticated GET with a browser's fields makes the ingress ask. */
function questions(key) {
  const fields = Object.entries({
    host: 'api.example',
    'user-agent': 'bench/1.0 (micro benchmark of the consult)',
    accept: 'application/json',
    'accept-encoding': 'gzip, br',
    'accept-language': 'en-GB,en;q=0.8',
    authorization: `Bearer ${key}`,
    'x-request-id': 'b3f0c1b2d4e5f60718293a4b5c6d7e8f',
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  }).map(([name, value]) => ({ name, value }));
  const principal = {
    tenant: 'default',
    subject: 'bench',
    client: 'bench',
    consumer: 'bench',
    actors: [],
    scopes: new Set(),
    roles: [],
    credential: { kind: 'api-key', id: 'kid' },
    until: Date.now() + 3_600_000,
    models: ['*'],
    quotas: [],
  };
  const charge = (policy, name) => ({
    policy,
    key: `${name}:consumer=bench`,
    limit: 1_000_000,
    windowSeconds: 60,
    burst: 0,
    cost: 1,
  });
  return {
    presented: {
      kind: 'api-key',
      value: key,
      method: 'GET',
      url: 'http://api.example/orders/17',
      resource: '',
      trust: [],
      tenant: 'default',
      class: 'public',
      service: 'orders',
      clientAddress: '192.0.2.7',
    },
    charges: [charge('per-consumer', 'route:orders'), charge('key', 'key')],
    head: {
      head: {
        method: 'GET',
        scheme: 'http',
        authority: 'api.example',
        path: '/orders/17',
        query: 'expand=lines',
        hasQuery: true,
        rawTarget: '/orders/17?expand=lines',
        version: '1.1',
        fields,
        field: new Map(fields.map(({ name, value }) => [name, value])),
        clientAddress: '192.0.2.7',
        contentLength: undefined,
        hasBody: false,
        mediaType: undefined,
      },
      plan: 'structural:block',
      tenant: 'default',
      requestId: 'req_01JEXAMPLE0000000000000000',
    },
    plan: {
      requestId: 'req_01JEXAMPLE0000000000000000',
      tenant: 'default',
      principal,
      model: 'echo',
      stream: false,
      inputBytes: 120,
      maxOutputTokens: 0,
    },
  };
}

function page({ machine, rows }) {
  const lines = rows.map(
    ({ consult, in_flight, cpu_us, ingress_us, service_us, per_second, unanswered }) =>
      `| ${consult} | ${in_flight} | ${cpu_us} | ${ingress_us} | ${service_us} | ${per_second} | ${unanswered} |`,
  );
  return `${machine}\n\n| consult | in flight | cpu-µs | ingress | service | per second | unanswered |\n| --- | --- | --- | --- | --- | --- | --- |\n${lines.join('\n')}`;
}
