import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buckets, snapshot, snapshotHead, systemClock, type Snapshot } from '@sallyport/contracts';
import {
  createEmbeddedBus,
  createLogger,
  createMetrics,
  createTracer,
  type Bus,
  type Runtime,
} from '@sallyport/platform';
import type { AuditEvent, Trail } from '@sallyport/trail';
import { Client } from 'pg';
import { Pool } from 'undici';
import { readCatalogConfig, type CatalogConfig } from './config';
import { startCatalog, type RunningCatalog } from './start';

/** The admin token of catalogs in tests. */
export const TOKEN = 'admin-token-of-a-test-00000000';

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  // The body of an answer is whatever the test expects it to be.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

export interface Asking {
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** A catalog on a unix socket with a real database and the embedded bus, and what it told the audit trail. */
export class CatalogUnderTest {
  readonly events: AuditEvent[] = [];
  /** Lines of its log, warnings and worse. */
  readonly logged: string[] = [];
  /** Milliseconds the clock of the catalog is ahead. */
  ahead = 0;
  running: RunningCatalog | undefined;
  bus: Bus;
  private directory = '';
  private pool: Pool | undefined;

  constructor(private readonly databaseUrl: string) {
    this.bus = createEmbeddedBus(systemClock);
  }

  /** @param change of the config, such as where an area is. */
  async start(change: (config: CatalogConfig) => CatalogConfig = (config) => config): Promise<void> {
    this.directory = await mkdtemp(join(tmpdir(), 'sp-'));
    const http = { path: join(this.directory, 'door') };
    const areas = {
      auth: 'unix:/nowhere',
      audit: 'unix:/nowhere',
      ai: 'unix:/nowhere',
      limits: 'unix:/nowhere',
      waf: 'unix:/nowhere',
      ingress: 'unix:/nowhere',
    };
    const read = readCatalogConfig({ SALLYPORT_DATA_DIR: this.directory });
    const config = change({ ...read, areas, listen: { http, grpc: null, admin: null, health: null } });
    const admin = await this.bus.kv(buckets.adminToken);
    const sha256 = createHash('sha256').update(TOKEN).digest('hex');
    await admin.put('current', Buffer.from(JSON.stringify({ sha256 })));
    this.running = await startCatalog(config, this.runtime(config), { url: this.databaseUrl });
    this.pool = new Pool('http://localhost', { connect: { socketPath: http.path } });
  }

  /** Forgets everything but the configuration on the bus, which an empty one then replaces. */
  async empty(): Promise<void> {
    const client = new Client({ connectionString: this.databaseUrl });
    await client.connect();
    const tables =
      'service, upstream, policy, consumer, virtual_model, provider_account, trust_entry, change, snapshot, outbox';
    await client.query(`TRUNCATE ${tables.replaceAll(/(\w+)/g, 'catalog.$1')} CASCADE`);
    await client.end();
    this.events.length = 0;
    this.logged.length = 0;
    this.ahead = 0;
    await this.running!.publishNow();
  }

  async stop(): Promise<void> {
    await this.pool?.close();
    await this.running?.close();
    this.pool = undefined;
    this.running = undefined;
    await rm(this.directory, { recursive: true, force: true });
  }

  async ask(method: string, path: string, { body, headers }: Asking = {}): Promise<Answer> {
    const answer = await this.pool!.request({
      method,
      path,
      headers: {
        authorization: `Bearer ${TOKEN}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.body.text();
    return {
      status: answer.statusCode,
      headers: answer.headers,
      body: text === '' ? undefined : (JSON.parse(text) as unknown),
    };
  }

  /** Reads the configuration as a node does. */
  async served(): Promise<Snapshot | undefined> {
    const bucket = await this.bus.kv(buckets.snapshots);
    const entry = await bucket.get('head');
    if (!entry) return undefined;
    const head = snapshotHead.parse(JSON.parse(Buffer.from(entry.value).toString()));
    const chunks = await Promise.all(head.chunks.map(async (key) => Buffer.from((await bucket.get(key))!.value)));
    const document = Buffer.concat(chunks);
    if (createHash('sha256').update(document).digest('hex') !== head.sha256) throw new Error('the document is torn');
    return snapshot.parse(JSON.parse(document.toString()));
  }

  /** Waits, for a bounded time, until something is so. */
  async until(claim: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + 5_000;
    while (!(await claim())) {
      if (Date.now() > deadline) throw new Error('it did not become so within 5 s');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  private runtime(config: CatalogConfig): Runtime {
    const logger = createLogger({
      app: 'catalog',
      node: 'test',
      level: 'warn',
      destination: { write: (line) => void this.logged.push(line) },
    });
    const metrics = createMetrics('catalog');
    return {
      app: 'catalog',
      version: '0.0.0',
      config,
      clock: { now: () => Date.now() + this.ahead, monotonic: () => performance.now() },
      random: randomBytes,
      logger,
      metrics,
      tracer: createTracer({
        app: 'catalog',
        node: 'test',
        version: '0.0.0',
        ratio: 0,
        dropped: metrics.counter('dropped', 'Dropped.'),
      }),
      bus: this.bus,
      trail: this.trail(),
      clockFault: () => undefined,
    };
  }

  private trail(): Trail {
    return {
      append: (event) => {
        if (!this.events.some(({ uid }) => uid === event.uid)) this.events.push(event);
        return { uid: event.uid, seq: this.events.length, written: Promise.resolve(), durable: Promise.resolve() };
      },
      room: () => true,
      has: (uid) => this.events.some((event) => event.uid === uid),
      close: async () => undefined,
    };
  }
}
