import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { environmentName, variables } from '@sallyport/contracts';
import { exitCodes } from '@sallyport/platform';
import { ChaosProxy, type ChaosRules } from '@sallyport/testkit';
import { call, type Answer, type Call } from '../e2e/calls';
import {
  decisionServices,
  freePortVariables,
  makeFolder,
  plainEnvironment,
  runApp,
  services,
  type DecisionService,
  type Environment,
  type Service,
} from '../e2e/product';
import type { Program } from '../e2e/program';
import { startNats, startPostgres, startRedis, type RealServer } from '../e2e/servers';
import { until } from '../e2e/waiting';

/** A start of everything on a machine that does much else. */
const START_MS = 300_000;

export type ServerName = 'nats' | 'redis' | 'postgres';

/** What stands behind chaos proxies: everything that a process of the product reaches over the network. */
export type Reached = Exclude<Service, 'ingress'> | ServerName | 'collector';

export interface StageOptions {
  /** For every process. */
  readonly environment?: Environment;
  readonly only?: { readonly [service in Service]?: Environment };
}

/** Two of each, as a cluster has that means to outlive one of them. */
const REPLICAS = 2;

/** The network before everything of one name. */
export class Network {
  constructor(private readonly proxies: readonly ChaosProxy[]) {}

  set(rules: Partial<ChaosRules>): void {
    for (const proxy of this.proxies) proxy.set(rules);
  }

  heal(): void {
    for (const proxy of this.proxies) proxy.heal();
  }

  get ports(): number[] {
    return this.proxies.map(({ port }) => port);
  }

  async close(): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => proxy.close()));
  }
}

/** One process of the product. */
export interface Node {
  readonly service: Service;
  /** `auth-1` */
  readonly name: string;
  readonly ports: Environment;
  program: Program;
  /** For this process alone, from its next start on. */
  environment: Environment;
}

/** The product as a cluster of processes, each with a folder, ports and a name of its own. */
export class Stage {
  readonly nodes: Node[] = [];
  readonly adminToken = `sp_admin_${randomBytes(24).toString('base64url')}`;
  private readonly pepper = randomBytes(32).toString('base64url');
  private readonly networks = new Map<Reached, Network>();
  private collector: HttpServer | undefined;
  private readonly servers = new Map<ServerName, RealServer>();
  private readonly ended: Program[] = [];
  /** Of everything it writes. */
  readonly folder: string;
  private readonly temporary: string;

  private constructor(readonly options: StageOptions) {
    const { folder, temporary } = makeFolder();
    this.folder = folder;
    this.temporary = temporary;
  }

  static async start(options: StageOptions = {}): Promise<Stage> {
    const stage = new Stage(options);
    try {
      await stage.open();
      return stage;
    } catch (error) {
      await stage.close().catch(() => undefined);
      throw error;
    }
  }

  /** Data doors, one of each ingress. */
  get doors(): string[] {
    return this.of('ingress').map((node) => `http://127.0.0.1:${portOf(node, 'HTTP')}`);
  }

  get adminUrl(): string {
    return `http://127.0.0.1:${portOf(this.of('catalog')[0]!, 'HTTP')}`;
  }

  get databaseUrl(): string {
    return this.servers.get('postgres')!.url;
  }

  of(service: Service): Node[] {
    return this.nodes.filter((node) => node.service === service);
  }

  network(name: Reached): Network {
    return this.networks.get(name)!;
  }

  server(name: ServerName): RealServer {
    return this.servers.get(name)!;
  }

  admin(path: string, { headers, ...rest }: Call = {}): Promise<Answer> {
    const authorization = `Bearer ${this.adminToken}`;
    return call(this.adminUrl + path, { ...rest, headers: { authorization, ...headers } });
  }

  /** Dies as by `kill -9`. */
  async kill(node: Node): Promise<void> {
    await node.program.end('SIGKILL');
  }

  /** Starts again what has ended, without a look at what becomes of it. */
  begin(node: Node, environment: Environment): void {
    node.environment = environment;
    this.launch(node);
  }

  /** Starts again what has ended, and waits until it is ready. @param environment its own, when it is to be another. */
  async restart(node: Node, environment = node.environment): Promise<void> {
    this.begin(node, environment);
    await this.ready(node);
  }

  /** Every ingress has a stream to these services again. */
  async consulting(wanted: readonly DecisionService[] = decisionServices): Promise<void> {
    await until(`every ingress consults ${wanted.join(', ')}`, () => this.areConsulted(wanted), {
      within: START_MS,
      seen: () => this.tails(),
    });
  }

  /** Brings back what a test has ended, stopped or disturbed. */
  async repair(): Promise<void> {
    for (const network of this.networks.values()) network.heal();
    for (const server of this.servers.values()) if (!server.running()) await server.start();
    for (const node of this.nodes) {
      if (node.program.running) node.program.send('SIGCONT');
      else await this.restart(node);
    }
    await this.consulting();
  }

  /** What a process says of itself. */
  async metrics(node: Node): Promise<Metrics> {
    return new Metrics((await call(`${this.healthUrl(node)}/metrics`)).text);
  }

  healthUrl(node: Node): string {
    return `http://127.0.0.1:${portOf(node, 'HEALTH')}`;
  }

  /** Everything that was said by those that ran and those that run. */
  logs(): string {
    return [...this.ended, ...this.nodes.map(({ program }) => program)]
      .map((one) => one.stdout + one.stderr)
      .join('\n');
  }

  /** Ends everything. @throws Error naming what did not end well. */
  async close(): Promise<void> {
    const problems: string[] = [];
    for (const network of this.networks.values()) network.heal();
    for (const service of services) {
      const ends = this.of(service).map(async ({ name, program }) => {
        if (!program?.running) return;
        program.send('SIGCONT');
        const exit = await program.end('SIGTERM').catch((error: Error) => error.message);
        if (typeof exit === 'string') problems.push(exit);
        else if (exit.code !== 0) problems.push(`${name} ended with ${exit.code ?? exit.signal}\n${program.tail()}`);
      });
      await Promise.all(ends);
    }
    for (const network of this.networks.values()) await network.close();
    this.collector?.closeAllConnections();
    this.collector?.close();
    for (const server of this.servers.values()) await server.close();
    rmSync(this.folder, { recursive: true, force: true });
    if (problems.length > 0) throw new Error(problems.join('\n'));
  }

  private async open(): Promise<void> {
    const [nats, redis, postgres] = await Promise.all([
      startNats(join(this.folder, 'nats')),
      startRedis(this.folder),
      startPostgres(),
    ]);
    for (const [name, server] of Object.entries({ nats, redis, postgres }))
      this.servers.set(name as ServerName, server);
    for (const service of services) {
      for (let index = 1; index <= REPLICAS; index++) {
        this.nodes.push({
          service,
          name: `${service}-${index}`,
          ports: await freePortVariables(),
          program: undefined!,
          environment: {},
        });
      }
    }
    await this.openNetworks();
    for (const node of this.nodes) this.launch(node);
    await Promise.all(this.nodes.map((node) => this.ready(node)));
    await until('every service knows the admin token', () => this.isAdministered(), {
      within: START_MS,
      seen: () => this.tails(),
    });
    await this.consulting();
  }

  private async openNetworks(): Promise<void> {
    const open = async (name: Reached, ...ports: number[]): Promise<void> => {
      const proxies = ports.map((port) => ChaosProxy.start({ targets: [port] }));
      this.networks.set(name, new Network(await Promise.all(proxies)));
    };
    for (const [name, { url }] of this.servers) await open(name, Number(new URL(url).port));
    this.collector = createServer((request, response) => {
      request.resume().once('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
    }).listen(0, '127.0.0.1');
    await once(this.collector, 'listening');
    await open('collector', (this.collector.address() as AddressInfo).port);
    for (const service of services) {
      if (service === 'ingress') continue;
      const ports = this.of(service).map((node) => Number(portOf(node, 'GRPC')));
      await open(service, ...ports);
    }
  }

  private launch(node: Node): void {
    const { service, name, ports } = node;
    const folder = join(this.folder, name);
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o711);
    if (node.program) this.ended.push(node.program);
    node.program = runApp(service, [], {
      ...plainEnvironment(),
      TMPDIR: this.temporary,
      SALLYPORT_DATA_DIR: folder,
      SALLYPORT_NODE_NAME: name,
      SALLYPORT_LOG_LEVEL: 'warn',
      SALLYPORT_INGRESS_SHOW_CONFIG_VERSION: '1',
      SALLYPORT_INGRESS_BALANCER_SECONDS: '0',
      ...ports,
      ...this.peers(),
      SALLYPORT_OTLP_URL: `http://127.0.0.1:${this.network('collector').ports[0]}`,
      SALLYPORT_NATS_URL: this.reach('nats'),
      SALLYPORT_REDIS_URL: this.reach('redis'),
      SALLYPORT_DATABASE_URL: this.reach('postgres'),
      SALLYPORT_ADMIN_TOKEN: this.adminToken,
      SALLYPORT_PEPPER: this.pepper,
      // One of each kind: a supervisor with two workers, and an ingress that is one process.
      ...(service === 'ingress' && { SALLYPORT_INGRESS_WORKERS: name === 'ingress-1' ? '2' : '0' }),
      ...this.options.environment,
      ...this.options.only?.[service],
      ...node.environment,
    });
  }

  private reach(server: ServerName): string {
    const url = new URL(this.servers.get(server)!.url);
    url.port = String(this.network(server).ports[0]);
    return url.toString();
  }

  private async ready(node: Node): Promise<void> {
    const answers = async (): Promise<boolean> =>
      (await call(`${this.healthUrl(node)}/readyz`).catch(() => undefined))?.status === 200;
    try {
      await node.program.until(`${node.name} is ready`, answers, START_MS);
    } catch (error) {
      // What could not reach its servers in time says so by this code, and is started again as orchestrators do.
      if (node.program.running || (await node.program.exited).code !== exitCodes.unavailable) throw error;
      this.launch(node);
      await node.program.until(`${node.name} is ready`, answers, START_MS);
    }
  }

  private async isAdministered(): Promise<boolean> {
    const paths = ['/api/v1/services', '/api/auth/v1/keys', '/api/audit/v1/events', '/api/ai/v1/models'];
    const answers = await Promise.all(paths.map((path) => this.admin(path)));
    return answers.every(({ status }) => status === 200);
  }

  private async areConsulted(wanted: readonly DecisionService[]): Promise<boolean> {
    const pages = await Promise.all(this.of('ingress').map((node) => this.metrics(node)));
    return pages.every((page) =>
      wanted.every((dependency) => page.sum('sallyport_dependency_state', { dependency, state: 'up' }) >= 1),
    );
  }

  /** Where the services find each other: every replica of those that ingresses consult, the first of the others. */
  private peers(): Environment {
    const names = variables.map(({ name }) => name);
    const urls = services.flatMap((service): [string, string][] => {
      const word = environmentName(service);
      const places = this.networks.get(service as Reached)?.ports.map((port) => `dns:///127.0.0.1:${port}`) ?? [];
      const isConsulted = (decisionServices as readonly Service[]).includes(service);
      return [
        [`SALLYPORT_${word}_GRPC_URL`, (isConsulted ? places : places.slice(0, 1)).join(',')],
        [`SALLYPORT_${word}_ADMIN_URL`, `http://127.0.0.1:${portOf(this.of(service)[0]!, 'ADMIN')}`],
      ];
    });
    return Object.fromEntries(urls.filter(([name]) => names.includes(name)));
  }

  private tails(): string {
    return this.nodes.map(({ program }) => program.tail()).join('\n');
  }
}

function portOf(
  { service, ports }: Pick<Node, 'service' | 'ports'>,
  door: 'HTTP' | 'GRPC' | 'ADMIN' | 'HEALTH',
): string {
  return ports[`SALLYPORT_${environmentName(service)}_${door}_PORT`]!;
}

/** A page of metrics, read as far as checkers need it. */
export class Metrics {
  constructor(private readonly page: string) {}

  /** Sum over all series of a name that have these labels; 0 where there is none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return this.page
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => wanted.every((label) => line.includes(label)))
      .reduce((sum, line) => sum + Number(/ ([-+.e\d]+)(?: \d+)?$/i.exec(line)?.[1] ?? 0), 0);
  }
}
