import { freePorts } from '@sallyport/testkit';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type defaultPort,
  environmentName,
  variables,
  type AppName,
  type DeclarativeInput,
} from '@sallyport/contracts';
import nodeEnvironment from '../../deploy/node-environment.json';
import nodeOptions from '../../deploy/node-options.json';
import { call, expectStatus, type Answer, type Call } from './calls';
import { Program, type Exit } from './program';
import { missingServers, startNats, startPostgres, startRedis, type RealServer } from './servers';
import { PATIENCE_MS, until } from './waiting';

/** How the product is put together. */
export type Mode = 'all-in-one' | 'all-in-one-remote' | 'cluster';

/** In the order they are ended: those that take requests first, the one that stores what the others still report last. */
export const services = ['ingress', 'catalog', 'auth', 'rate-limit', 'waf', 'ai-router', 'audit'] as const;
export type Service = (typeof services)[number];

/** Those that the ingress consults on the way of a request. */
export const decisionServices = ['auth', 'rate-limit', 'waf', 'ai-router'] as const;
export type DecisionService = (typeof decisionServices)[number];

export type Environment = Readonly<Record<string, string>>;

export interface ProductOptions {
  /** For every process. */
  readonly environment?: Environment;
  /** For one service of a cluster alone; in all-in-one there is one process that has it all. */
  readonly only?: { readonly [service in Service]?: Environment };
  /** The listeners of the data door. @param plain where the harness expects one without TLS */
  listeners?(plain: number): readonly object[];
}

export interface MintedKey {
  readonly kid: string;
  readonly key: string;
}

/** A record of the audit trail, as far as tests look into it. */
export interface AuditRecord {
  readonly uid: string;
  readonly actor?: { readonly app_name?: string; readonly user?: { readonly uid?: string } };
  readonly entity?: { readonly type: string; readonly name: string };
  readonly trace?: { readonly uid: string };
  readonly unmapped: { readonly sallyport: Readonly<Record<string, never>> };
}

/** A product that runs as processes of its own. */
export interface Product {
  readonly mode: Mode;
  readonly ingressUrl: string;
  readonly adminUrl: string;
  readonly adminToken: string;
  /** Folder of everything it writes; also of the streams of its bus. */
  readonly folder: string;
  /** Of a cluster. */
  readonly servers:
    { readonly nats: RealServer; readonly redis: RealServer; readonly postgres: RealServer } | undefined;
  /** Calls the admin door with the token. */
  admin(path: string, call?: Call): Promise<Answer>;
  /** Calls the data door, with a key where one is given. */
  get(path: string, key?: string, call?: Call): Promise<Answer>;
  /** Mints a key and waits until it opens the data door, for which one of its requests is spent. */
  apiKey(request: Readonly<Record<string, unknown>>): Promise<MintedKey>;
  /** Applies a document and waits until the data door runs it. @returns its revision */
  publish(document: Omit<DeclarativeInput, 'sallyport'>): Promise<string>;
  /** Waits until the data door runs this revision or a later one. */
  served(revision: string): Promise<void>;
  /** Waits until the waf has made ready what the routes of this revision or a later one need. */
  inspecting(revision: string): Promise<void>;
  /** Finds what the audit has on a request, once it is there. */
  recordOf(requestId: string, kind?: string): Promise<AuditRecord>;
  /** Waits until the ingress has a stream to these services, instead of deciding in their place. */
  consulting(services?: readonly DecisionService[]): Promise<void>;
  /** The sum over all series of a metric of one service. */
  metric(service: Service, name: string): Promise<number>;
  /** Everything its processes have said. */
  logs(): string;
  /** Ends a service of a cluster, or the one process of all-in-one. */
  kill(service: Service, signal?: NodeJS.Signals): Promise<Exit>;
  /** Lets a service stand still with its connections open, and go on: slow, and not down. */
  freeze(service: Service): void;
  thaw(service: Service): void;
  /** Starts again what was killed, and waits until it is ready. */
  start(service: Service): Promise<void>;
  /** Starts again what a failed test has left ended. */
  repair(): Promise<void>;
  /** Ends everything. @throws Error when a process does not end well or leaves something behind. */
  close(): Promise<void>;
}

const root = join(__dirname, '..', '..');
/** A start on a machine that does much else. */
const START_MS = 120_000;

/** The modes that this run looks at: `SALLYPORT_E2E_TARGET` narrows. */
export function wantedModes(...modes: Mode[]): Mode[] {
  const target = process.env['SALLYPORT_E2E_TARGET'];
  return modes.filter((mode) => !target || (target === 'cluster') === (mode === 'cluster'));
}

/** Describes something in each mode; what this machine has no servers for is skipped, by name and loudly. */
export function describeIn(modes: readonly Mode[], title: string, body: (mode: Mode) => void): void {
  for (const mode of wantedModes(...modes)) {
    if (mode !== 'cluster' || missingServers.length === 0) {
      describe(`${title} (${mode})`, () => body(mode));
      continue;
    }
    const reason = `${missingServers.join(' and ')} is not installed`;
    console.warn(`skipped: ${title} (cluster), because ${reason}`);
    describe.skip(`${title} (cluster; skipped: ${reason})`, () => body(mode));
  }
  // Jest fails a file without a test, and a narrowed run may leave none.
  if (wantedModes(...modes).length === 0) describe.skip(title, () => it('is not asked for', () => undefined));
}

let built: Promise<unknown> | undefined;

/** Brings dist/ up to date, once in each test file. */
export function build(): Promise<unknown> {
  built ??= (async () => {
    const tool = runTool('build.mjs');
    if ((await tool.end(undefined, START_MS)).code !== 0) throw new Error(`the build failed\n${tool.tail()}`);
  })();
  return built;
}

/** Runs one of the tools of the clone. */
export function runTool(name: string, args: readonly string[] = [], env: Environment = {}): Program {
  return new Program(name, process.execPath, [join(root, 'tools', name), ...args], {
    cwd: root,
    env: { ...plainEnvironment(), ...env },
  });
}

/** Runs an application from dist/, as its start script does. */
export function runApp(app: Service | 'all-in-one', args: readonly string[], env: Environment, cwd = root): Program {
  const main = join(root, 'dist', 'apps', app, 'src', 'main.js');
  const environment = { ...nodeEnvironment, ...env };
  return new Program(app, process.execPath, [...nodeOptions, main, ...args], { cwd, env: environment, channel: true });
}

/** What every program of ours gets; nothing of the run itself reaches the product. */
export function plainEnvironment(): Record<string, string> {
  return { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', LANG: 'C.UTF-8' };
}

/** A folder for one product with one for its temporary files, which is empty again when it has ended well. */
export function makeFolder(): { readonly folder: string; readonly temporary: string } {
  const folder = mkdtempSync(join(tmpdir(), 'sp e2e '));
  const temporary = join(folder, 't');
  mkdirSync(temporary);
  // The database server of root runs as another user, who has to pass through.
  chmodSync(folder, 0o711);
  chmodSync(temporary, 0o1777);
  return { folder, temporary };
}

/** For routes that are not about inspection: a slow machine misses its budget, and what happens then is tested by itself. */
export const patientWaf = { waf: { profile: 'structural', mode: 'block', on_failure: 'allow_flagged' } };

/** Variables that move every listener to a free port. */
export async function freePortVariables(): Promise<Record<string, string>> {
  const names = variables.map(({ name }) => name).filter((name) => name.endsWith('_PORT'));
  const ports = await freePorts(names.length);
  return Object.fromEntries(names.map((name, at) => [name, String(ports[at])]));
}

export async function startProduct(mode: Mode, options: ProductOptions = {}): Promise<Product> {
  await build();
  const ports = await freePortVariables();
  const product = mode === 'cluster' ? new Cluster(ports, options) : new AllInOne(mode, ports, options);
  try {
    await product.open();
    return product;
  } catch (error) {
    await product.close().catch(() => undefined);
    throw error;
  }
}

abstract class Running implements Product {
  abstract readonly mode: Mode;
  abstract readonly servers: Product['servers'];
  readonly ingressUrl: string;
  readonly adminUrl: string;
  adminToken = '';
  readonly folder: string;
  private readonly listenersFile: string | undefined;
  protected readonly temporary: string;
  protected readonly programs = new Map<string, Program>();
  private readonly ended: Program[] = [];

  constructor(
    protected readonly ports: Environment,
    protected readonly options: ProductOptions,
  ) {
    const { folder, temporary } = makeFolder();
    this.folder = folder;
    this.listenersFile = options.listeners && join(folder, 'listeners.yaml');
    if (this.listenersFile) {
      const plain = Number(ports['SALLYPORT_INGRESS_HTTP_PORT']);
      // JSON is YAML.
      writeFileSync(this.listenersFile, JSON.stringify(options.listeners!(plain)));
    }
    this.temporary = temporary;
    this.ingressUrl = `http://127.0.0.1:${ports['SALLYPORT_INGRESS_HTTP_PORT']}`;
    this.adminUrl = `http://127.0.0.1:${ports['SALLYPORT_CATALOG_HTTP_PORT']}`;
  }

  abstract open(): Promise<void>;
  abstract start(service: Service): Promise<void>;
  abstract repair(): Promise<void>;
  protected abstract nameOf(service: Service): string;
  protected abstract metricsUrl(service: Service): string;
  protected abstract closeServers(): Promise<void>;

  protected environment(): Environment {
    return {
      ...plainEnvironment(),
      TMPDIR: this.temporary,
      SALLYPORT_DATA_DIR: join(this.folder, 'data'),
      SALLYPORT_INGRESS_SHOW_CONFIG_VERSION: '1',
      // Whatever rules this machine has: the same run everywhere, unless a test is about them.
      SALLYPORT_CRS_DIR: 'none',
      ...(this.listenersFile !== undefined && { SALLYPORT_INGRESS_LISTENERS_FILE: this.listenersFile }),
      ...this.ports,
      ...this.options.environment,
    };
  }

  protected run(app: Service | 'all-in-one', args: readonly string[], env: Environment): Program {
    const before = this.programs.get(app);
    if (before) this.ended.push(before);
    const program = runApp(app, args, env);
    this.programs.set(app, program);
    return program;
  }

  admin(path: string, { headers, ...rest }: Call = {}): Promise<Answer> {
    const authorization = `Bearer ${this.adminToken}`;
    return call(this.adminUrl + path, { ...rest, headers: { authorization, ...headers } });
  }

  get(path: string, key?: string, { headers, ...rest }: Call = {}): Promise<Answer> {
    const credential = key === undefined ? undefined : { authorization: `Bearer ${key}` };
    return call(this.ingressUrl + path, { ...rest, headers: { ...credential, ...headers } });
  }

  async apiKey(request: Readonly<Record<string, unknown>>): Promise<MintedKey> {
    const body = { rate: { limit: 100_000, window: '60s' }, ...request };
    const minted = expectStatus(await this.admin('/api/auth/v1/keys', { body }), 201).json<MintedKey>();
    await this.eventually('a new key opens the data door', async () => {
      const { status } = await this.get('/v1/models', minted.key);
      return status === 200;
    });
    return minted;
  }

  async publish(document: Omit<DeclarativeInput, 'sallyport'>): Promise<string> {
    const answer = await this.admin('/api/v1/changesets', { body: { sallyport: 1, ...document } });
    const { revision } = expectStatus(answer, 200).json<{ revision: string }>();
    await this.served(revision);
    return revision;
  }

  async served(revision: string): Promise<void> {
    await this.reached('ingress', revision);
  }

  async inspecting(revision: string): Promise<void> {
    await this.reached('waf', revision);
  }

  private async reached(service: 'ingress' | 'waf', revision: string): Promise<void> {
    // Of several workers the metric names the revision that all of them have reached.
    const pattern = new RegExp(`^sallyport_config_version_info\\{[^}]*app="${service}"[^}]*\\} (\\d+)$`, 'm');
    await this.eventually(`${service} runs ${revision}`, async () => {
      const { text } = await call(this.metricsUrl(service));
      return Number(pattern.exec(text)?.[1] ?? -1) >= numberOf(revision);
    });
  }

  recordOf(requestId: string, kind = 'request.completed'): Promise<AuditRecord> {
    return this.eventually(`the ${kind} record of ${requestId} is in the audit`, async () => {
      const answer = await this.admin(`/api/audit/v1/events?request=${requestId}&what=${kind}`);
      return expectStatus(answer, 200).json<{ items: AuditRecord[] }>().items[0];
    });
  }

  async consulting(wanted: readonly DecisionService[] = decisionServices): Promise<void> {
    const url = this.metricsUrl('ingress');
    await this.eventually(`the ingress consults ${wanted.join(', ')}`, async () => {
      const { text } = await call(url);
      // Several workers add up: none of them may lack one.
      const lines = text.split('\n').filter((line) => line.startsWith('sallyport_dependency_state{'));
      const is = (service: string, state: string, value: RegExp): boolean =>
        lines.some(
          (line) => line.includes(`dependency="${service}"`) && line.includes(`state="${state}"`) && value.test(line),
        );
      return wanted.every((service) => is(service, 'up', / [1-9]\d*$/) && is(service, 'down', / 0$/));
    });
  }

  async metric(service: Service, name: string): Promise<number> {
    const { text } = await call(this.metricsUrl(service));
    const series = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))];
    return series.reduce((sum, [, value]) => sum + Number(value), 0);
  }

  logs(): string {
    return [...this.ended, ...this.programs.values()].map(({ stdout, stderr }) => stdout + stderr).join('\n');
  }

  async kill(service: Service, signal: NodeJS.Signals = 'SIGKILL'): Promise<Exit> {
    return this.programs.get(this.nameOf(service))!.end(signal);
  }

  freeze(service: Service): void {
    this.programs.get(this.nameOf(service))!.send('SIGSTOP');
  }

  thaw(service: Service): void {
    this.programs.get(this.nameOf(service))!.send('SIGCONT');
  }

  async close(): Promise<void> {
    const problems: string[] = [];
    for (const name of [...services, 'all-in-one']) {
      const program = this.programs.get(name);
      if (!program?.running) continue;
      const exit = await program.end('SIGTERM').catch((error: Error) => error.message);
      if (typeof exit === 'string') problems.push(exit);
      else if (exit.code !== 0) problems.push(`${name} ended with ${exit.code ?? exit.signal}\n${program.tail()}`);
    }
    await this.closeServers();
    const left = readdirSync(this.temporary);
    if (left.length > 0) problems.push(`left behind in the temporary folder: ${left.join(', ')}`);
    rmSync(this.folder, { recursive: true, force: true });
    if (problems.length > 0) throw new Error(problems.join('\n'));
  }

  private eventually<T>(what: string, probe: () => Promise<T | undefined | false>): Promise<T> {
    return until(what, probe, { within: 2 * PATIENCE_MS, seen: () => this.tails() });
  }

  protected tails(): string {
    return [...this.programs.values()].map((program) => program.tail()).join('\n');
  }
}

class AllInOne extends Running {
  readonly servers = undefined;

  constructor(
    readonly mode: Mode,
    ports: Environment,
    options: ProductOptions,
  ) {
    super(ports, options);
  }

  async open(): Promise<void> {
    await this.start();
  }

  async start(): Promise<void> {
    const program = this.run('all-in-one', ['--json'], this.wholeEnvironment());
    await program.until('all-in-one is ready', () => program.stdout.includes('\n'), START_MS);
    const { adminToken } = JSON.parse(program.stdout) as { adminToken: string | null };
    if (adminToken !== null) this.adminToken = adminToken;
    if (this.mode === 'all-in-one-remote') await this.consulting();
  }

  private wholeEnvironment(): Environment {
    const only = Object.assign({}, ...Object.values(this.options.only ?? {})) as Environment;
    const remote = this.mode === 'all-in-one-remote' ? '1' : '0';
    return { SALLYPORT_DEMO: 'off', SALLYPORT_ALL_IN_ONE_REMOTE: remote, ...this.environment(), ...only };
  }

  async repair(): Promise<void> {
    if (!this.programs.get('all-in-one')?.running) await this.start();
  }

  protected nameOf(): string {
    return 'all-in-one';
  }

  /** One page has the metrics of all of them. */
  protected metricsUrl(): string {
    return `http://127.0.0.1:${this.ports['SALLYPORT_INGRESS_HEALTH_PORT']}/metrics`;
  }

  protected async closeServers(): Promise<void> {}
}

class Cluster extends Running {
  readonly mode = 'cluster';
  servers: Product['servers'];
  private readonly opened: RealServer[] = [];
  private readonly pepper = randomBytes(32).toString('base64url');

  async open(): Promise<void> {
    const opened = async (server: Promise<RealServer>): Promise<RealServer> => {
      this.opened.push(await server);
      return server;
    };
    const store = join(this.folder, 'nats');
    const [postgres, nats, redis] = await Promise.all([
      opened(startPostgres()),
      opened(startNats(store)),
      opened(startRedis(this.folder)),
    ]);
    this.servers = { nats, redis, postgres };
    this.adminToken = `sp_admin_${randomBytes(24).toString('base64url')}`;
    for (const service of services) this.launch(service);
    await Promise.all(services.map((service) => this.ready(service)));
    await until('every service knows the admin token', () => this.isAdministered(), {
      within: START_MS,
      seen: () => this.tails(),
    });
    await this.consulting();
  }

  async start(service: Service): Promise<void> {
    this.launch(service);
    await this.ready(service);
  }

  async repair(): Promise<void> {
    for (const server of this.opened) {
      server.thaw?.();
      if (!server.running()) await server.start();
    }
    for (const service of services) this.thaw(service);
    for (const service of services) if (!this.programs.get(service)?.running) await this.start(service);
    await this.consulting();
  }

  private launch(service: Service): void {
    const { nats, redis, postgres } = this.servers!;
    this.run(service, [], {
      SALLYPORT_INGRESS_BALANCER_SECONDS: '0',
      ...this.environment(),
      ...this.peers(),
      SALLYPORT_NATS_URL: nats.url,
      SALLYPORT_REDIS_URL: redis.url,
      SALLYPORT_DATABASE_URL: postgres.url,
      SALLYPORT_ADMIN_TOKEN: this.adminToken,
      SALLYPORT_PEPPER: this.pepper,
      ...this.options.only?.[service],
    });
  }

  private ready(service: Service): Promise<unknown> {
    const program = this.programs.get(service)!;
    const url = `http://127.0.0.1:${this.portOf(service, 'HEALTH')}/readyz`;
    return program.until(
      `${service} is ready`,
      async () => (await call(url).catch(() => undefined))?.status === 200,
      START_MS,
    );
  }

  private async isAdministered(): Promise<boolean> {
    const paths = ['/api/v1/services', '/api/auth/v1/keys', '/api/audit/v1/events', '/api/ai/v1/models'];
    const answers = await Promise.all(paths.map((path) => this.admin(path)));
    return answers.every(({ status }) => status === 200);
  }

  /** Where the services find each other. */
  private peers(): Environment {
    const names = variables.map(({ name }) => name);
    const urls = services.flatMap((service) =>
      (['GRPC', 'ADMIN'] as const).map((door): [string, string] => [
        `SALLYPORT_${environmentName(service)}_${door}_URL`,
        `${door === 'GRPC' ? 'dns:///' : 'http://'}127.0.0.1:${this.portOf(service, door)}`,
      ]),
    );
    return Object.fromEntries(urls.filter(([name]) => names.includes(name)));
  }

  private portOf(service: AppName, door: Parameters<typeof defaultPort>[1]): string | undefined {
    return this.ports[`SALLYPORT_${environmentName(service)}_${door}_PORT`];
  }

  protected nameOf(service: Service): string {
    return service;
  }

  protected metricsUrl(service: Service): string {
    return `http://127.0.0.1:${this.portOf(service, 'HEALTH')}/metrics`;
  }

  protected async closeServers(): Promise<void> {
    for (const server of this.opened) await server.close();
  }
}

function numberOf(revision: string | undefined): number {
  return revision === undefined ? -1 : Number(revision.slice('c_'.length));
}
