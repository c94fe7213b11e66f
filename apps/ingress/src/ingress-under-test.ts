import {
  createServer,
  request as httpRequest,
  type Agent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { refuse, systemClock, type Snapshot, type SnapshotRoute, type SnapshotUpstream } from '@sallyport/contracts';
import { compileModels, LocalRouter } from '@sallyport/ai';
import type { Verifier } from '@sallyport/identity';
import { LocalLimiter, MemorySource } from '@sallyport/limits';
import { publishSnapshot } from '@sallyport/platform';
import { defaultListenerLimits } from '@sallyport/proxy';
import { freePorts, somePrincipal, testRuntime, type TestRuntime } from '@sallyport/testkit';
import { Engine, type Inspector } from '@sallyport/waf';
import type { IngressConfig } from './config';
import { startIngress, type IngressPlace, type RunningIngress } from './ingress';
import type { ListenerSettings } from './listeners/listeners-file';

/** The one credential that is accepted where a test does not say otherwise. */
export const GOOD_KEY = 'Bearer good';

/** What a credential is worth is not the business of these tests. */
const onlyTheGoodOne: Verifier = {
  verify: ({ value }, done) =>
    done(value === 'good' ? somePrincipal() : refuse('AUTH_TOKEN_INVALID', {}, { reason: 'not the good one' })),
};

/** Each bearer value is a consumer of that name. */
export const everyKeyIsAConsumer: Verifier = {
  verify: ({ value }, done) => done(somePrincipal({ consumer: value, subject: value })),
};

/** What a test wants otherwise. */
export interface Setup {
  /** By name; each gets a port of its own. Without any: the one plain door of an ingress without a file of listeners. */
  readonly doors?: Readonly<Record<string, Partial<Omit<ListenerSettings, 'name' | 'address'>>>>;
  readonly config?: Partial<IngressConfig>;
  readonly verifier?: Verifier;
  readonly inspector?: Inspector;
  readonly signals?: IngressPlace['signals'];
}

export interface Asking {
  readonly method?: string;
  readonly fields?: Record<string, string>;
  readonly body?: string | undefined;
  /** A connection of its own without one. */
  readonly agent?: Agent;
}

export interface Answer {
  readonly status: number;
  readonly fields: IncomingHttpHeaders & Record<string, string | string[] | undefined>;
  readonly body: string;
  readonly bytes: Buffer;
}

/** The real ingress with its engines in this process, for the tests of what passes through it. */
export class IngressUnderTest {
  private published = 0;

  private constructor(
    readonly runtime: TestRuntime,
    readonly running: RunningIngress,
    /** By the names of the doors. */
    readonly ports: Readonly<Record<string, number>>,
  ) {}

  static async start({
    doors,
    config,
    verifier = onlyTheGoodOne,
    inspector = new Engine(),
    signals,
  }: Setup = {}): Promise<IngressUnderTest> {
    const runtime = testRuntime('ingress');
    const names = Object.keys(doors ?? { plain: {} });
    const found = await freePorts(names.length);
    const ports = Object.fromEntries(names.map((name, at) => [name, found[at]!]));
    const router = new LocalRouter({ leases: { lease: () => undefined } });
    router.use(compileModels({ revision: 'c_0', models: [], accounts: [] }));
    const running = await startIngress(
      {
        ...runtime.config,
        listen: { http: { host: '127.0.0.1', port: found[0]! }, admin: null, health: null },
        listeners: doors && names.map((name) => listenerOf(name, ports[name]!, doors[name]!)),
        workers: 1,
        drainSeconds: 1,
        balancerSeconds: 0,
        showConfigVersion: false,
        testMode: false,
        pepper: '00'.repeat(32),
        consult: { auth: '', rateLimit: '', waf: '', aiRouter: '' },
        catalogUrl: '',
        ...config,
      },
      runtime,
      {
        engines: {
          verifier,
          limiter: new LocalLimiter(new MemorySource(systemClock)),
          inspector,
          router,
        },
        ...(signals && { signals }),
      },
    );
    return new IngressUnderTest(runtime, running, ports);
  }

  /** Of the first door. */
  get port(): number {
    return Object.values(this.ports)[0]!;
  }

  /** The last one that was published. */
  get revision(): string {
    return `c_${this.published}`;
  }

  /** Puts routes in force, and nothing else than them. */
  async publish(routes: readonly SnapshotRoute[], ...upstreams: readonly SnapshotUpstream[]): Promise<void> {
    const snapshot = someSnapshot(`c_${++this.published}`, routes, upstreams);
    await publishSnapshot(this.runtime.bus, snapshot);
    await this.inForce(snapshot.revision);
  }

  /** @param ms longest wait. */
  async inForce(revision: string, ms?: number): Promise<void> {
    await until(() => this.running.revision() === revision, ms);
  }

  /** Calls it at its first door. */
  async ask(path: string, { method = 'GET', fields = {}, body, agent }: Asking = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const place = { host: '127.0.0.1', port: this.port, path };
      const request = httpRequest({ ...place, method, headers: fields, agent: agent ?? false }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          resolve({ status: response.statusCode!, fields: response.headers, body: bytes.toString(), bytes });
        });
      });
      request.on('error', reject);
      request.end(body);
    });
  }

  /** What the audit has on the requests that have ended. */
  records(): Record<string, unknown>[] {
    return this.runtime.trail.bodies('request.completed').map((body) => ({
      ...(body['unmapped'] as { sallyport: Record<string, unknown> }).sallyport,
      status: body['status_code'],
      bytes_in: (body['http_request'] as { length: number }).length,
      bytes_out: (body['http_response'] as { length: number } | undefined)?.length ?? 0,
    }));
  }

  async close(): Promise<void> {
    await this.running.close();
    await this.runtime.close();
  }
}

function listenerOf(name: string, port: number, settings: Partial<ListenerSettings>): ListenerSettings {
  const nothing = { tls: undefined, http2: false, trustedProxies: undefined, limits: defaultListenerLimits };
  return { ...nothing, ...settings, name, address: { host: '127.0.0.1', port } };
}

/** The upstream `orders` as the catalog would publish it; say only what the test is about. */
export function someUpstream(url: string, more: Partial<SnapshotUpstream> = {}): SnapshotUpstream {
  const { id = 'orders' } = more;
  return {
    id,
    tenant: 'default',
    name: id,
    targets: [{ url, weight: 1 }],
    timeouts: { connectMs: 1_000, firstByteMs: 5_000, idleMs: 5_000 },
    allowPrivate: true,
    ...more,
  };
}

/** A configuration of routes and their upstreams alone. */
export function someSnapshot(
  revision: string,
  routes: readonly SnapshotRoute[],
  upstreams: readonly SnapshotUpstream[],
): Snapshot {
  return {
    schema: 1,
    revision,
    createdAt: '2026-01-01T00:00:00Z',
    routes: [...routes],
    upstreams: [...upstreams],
    consumers: [],
    models: [],
    accounts: [],
    trust: [],
  };
}

/** One request as an upstream saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly fields: IncomingHttpHeaders;
  /** Empty until all of it is there. */
  body: string;
  /** Whether its answer was left before its end. */
  aborted: boolean;
}

/** Answers a request that is complete. */
export type Respond = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** An HTTP/1.1 upstream that remembers what it is asked, from the head on, and answers as the test says. */
export class RecordingUpstream {
  seen: SeenRequest[] = [];
  respond: Respond = (_, response) => void response.end('ok');
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => this.serve(request, response));
  }

  static async listen(): Promise<RecordingUpstream> {
    const upstream = new RecordingUpstream();
    await new Promise<void>((resolve) => upstream.server.listen(0, '127.0.0.1', resolve));
    return upstream;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Cuts every connection it has. */
  cut(): void {
    this.server.closeAllConnections();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const entry = { method: request.method!, url: request.url!, fields: request.headers, body: '', aborted: false };
    this.seen.push(entry);
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => undefined);
    response.on('close', () => (entry.aborted = !response.writableFinished));
    request.on('end', () => {
      entry.body = Buffer.concat(chunks).toString();
      this.respond(request, response, entry.body);
    });
  }
}

/** Waits until something is so, for a bounded time. */
export async function until(condition: () => boolean | Promise<boolean>, ms = 5_000): Promise<void> {
  for (const end = performance.now() + ms; !(await condition());) {
    if (performance.now() > end) throw new Error(`not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
