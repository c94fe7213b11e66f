import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, Metadata, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import {
  aiV1,
  auditV1,
  buckets,
  commonV1,
  durables,
  formatUsd,
  principalToWire,
  refusalFromWire,
  subjects,
  systemClock,
  uuidv7,
  type Principal,
  type Snapshot,
} from '@sallyport/contracts';
import { writeSettlement, type Lease, type ModelRouter, type Planned, type PlanQuestion } from '@sallyport/ai';
import { describeModelRouter, routerSuiteConfiguration, routerSuiteSecret } from '../../../libs/ai/src/router.suite';
import {
  ack,
  createEmbeddedBus,
  createLogger,
  openRuntime,
  publishSnapshot,
  type Bus,
  type Runtime,
  type Subscription,
} from '@sallyport/platform';
import { testDatabase, type TestDatabase } from '@sallyport/testkit';
import { openSpool, startShipper } from '@sallyport/trail';
import { Client } from 'pg';
import { Client as HttpClient } from 'undici';
import { readAiRouterConfig, startAiRouter, type AiRouterConfig, type RunningAiRouter } from '.';

const TOKEN = 'an-admin-token-of-this-test';
const random = (count: number) => randomBytes(count);

const snapshot = (): Snapshot => ({
  schema: 1,
  createdAt: new Date().toISOString(),
  routes: [],
  upstreams: [],
  consumers: [],
  trust: [],
  ...routerSuiteConfiguration,
});

interface Listed {
  readonly name: string;
  readonly requestId: string;
  readonly targets: readonly { readonly credential: string }[];
}

/** Members of the answers that tests look at one by one. */
interface Answered {
  readonly revision: string;
  readonly items: readonly Listed[];
  readonly attempts: readonly { readonly n: number }[];
  readonly next: string | null;
}

/** A running service with everything around it, and everything it says written down. */
class Bench {
  readonly logged: string[] = [];
  readonly published: Buffer[] = [];
  service!: RunningAiRouter;
  config!: AiRouterConfig;
  runtime!: Runtime & { close(): Promise<void> };
  private readonly folder = mkdtempSync(join(tmpdir(), 'sp-'));
  readonly bus: Bus = createEmbeddedBus(systemClock);
  readonly rpc = join(this.folder, 'rpc.sock');
  readonly admin = join(this.folder, 'admin.sock');

  async start(
    database: TestDatabase,
    environment: Record<string, string> = { SUITE_KEY: routerSuiteSecret },
  ): Promise<void> {
    const publish = this.bus.publish.bind(this.bus);
    this.bus.publish = (subject, data, options) => {
      this.published.push(Buffer.from(data));
      return publish(subject, data, options);
    };
    const hash = createHash('sha256').update(TOKEN).digest('hex');
    await (await this.bus.kv(buckets.adminToken)).put('current', Buffer.from(JSON.stringify({ sha256: hash })));
    await publishSnapshot(this.bus, snapshot());
    const read = readAiRouterConfig({ SALLYPORT_DATA_DIR: this.folder, SALLYPORT_LOG_LEVEL: 'fatal', ...environment });
    this.config = { ...read, listen: { grpc: { path: this.rpc }, admin: { path: this.admin }, health: null } };
    const opened = await openRuntime(this.config, { bus: this.bus });
    const destination = { write: (line: string) => void this.logged.push(line) };
    const logger = createLogger({ app: 'ai-router', node: 'test', level: 'trace', destination });
    this.runtime = { ...opened, logger, close: () => opened.close() };
    this.service = await startAiRouter(this.config, this.runtime, database);
    await until(async () => (await this.get('models')).body.revision === 'c_7');
  }

  async get(path: string, token = TOKEN): Promise<{ status: number; body: Answered }> {
    return this.request('GET', path, undefined, token);
  }

  async request(
    method: 'GET' | 'POST',
    path: string,
    body?: object,
    token = TOKEN,
  ): Promise<{ status: number; body: Answered }> {
    const client = new HttpClient('http://localhost', { socketPath: this.admin });
    try {
      const answer = await client.request({
        method,
        path: `/api/ai/v1/${path}`,
        headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
        body: body ? JSON.stringify(body) : undefined,
      });
      return { status: answer.statusCode, body: (await answer.body.json()) as Answered };
    } finally {
      await client.close();
    }
  }

  async close(): Promise<void> {
    await this.service.close();
    await this.runtime.close();
    await this.bus.drain();
    rmSync(this.folder, { recursive: true });
  }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 10_000; !(await holds());) {
    if (Date.now() > end) throw new Error('it did not come to pass within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The least a process has to do to use the stream. */
class StreamRouter implements ModelRouter {
  readonly leases: aiV1.CredentialLease[] = [];
  private readonly client: aiV1.RoutingServiceClient;
  private readonly stream: ClientDuplexStream<aiV1.DecideBatch, aiV1.DecideBatchReply>;
  private readonly waiting = new Map<number, (answer: aiV1.Answer) => void>();
  private asked = 0;

  constructor(
    path: string,
    private readonly local: ModelRouter,
  ) {
    this.client = new aiV1.RoutingServiceClient(`unix:${path}`, credentials.createInsecure());
    this.stream = this.client.decide();
    this.stream.on('data', ({ answers, leases }: aiV1.DecideBatchReply) => {
      this.leases.push(...leases);
      for (const answer of answers) this.waiting.get(answer.id)?.(answer);
    });
    this.stream.on('error', () => undefined);
  }

  plan(question: PlanQuestion, done: (outcome: Planned | ReturnType<typeof refusalFromWire>) => void): void {
    const id = ++this.asked;
    this.waiting.set(id, ({ body }) => {
      this.waiting.delete(id);
      if (body?.$case === 'plan') done({ plan: body.value, lease: (name) => this.lease(name) });
      else if (body?.$case === 'refused') done(refusalFromWire(body.value));
    });
    const value = aiV1.PlanRequest.fromPartial({ ...question, principal: principalToWire(question.principal) });
    this.stream.write({ asks: [{ id, body: { $case: 'plan', value } }] });
  }

  settle(value: aiV1.Settlement): void {
    this.stream.write({ asks: [{ id: 0, body: { $case: 'settle', value } }] });
  }

  models(tenant: string, principal: Principal) {
    return this.local.models(tenant, principal);
  }

  async close(): Promise<void> {
    this.stream.end();
    await new Promise((resolve) => this.stream.once('end', resolve));
    this.client.close();
  }

  private lease(id: string): Lease | undefined {
    const lease = this.leases.findLast((candidate) => candidate.id === id);
    return lease && { id, kind: 'bearer', secret: lease.secret.toString(), expiresAt: Number(lease.expiresAtMs) };
  }
}

let database: TestDatabase;
let sql: Client;
beforeAll(async () => {
  database = await testDatabase();
  sql = new Client({ connectionString: database.url });
  await sql.connect();
});
afterAll(async () => {
  await sql.end();
  await database.close();
});

describeModelRouter('the service, over its Decide stream', async () => {
  const bench = new Bench();
  await bench.start(database);
  const router = new StreamRouter(bench.rpc, bench.service.router);
  return {
    router,
    close: async () => {
      await router.close();
      await bench.close();
    },
  };
});

describeModelRouter('the service, in the same process', async () => {
  const bench = new Bench();
  await bench.start(database);
  return { router: bench.service.router, close: () => bench.close() };
});

describe('the ai-router', () => {
  let bench: Bench;
  let chain: string;
  let count = 0;
  beforeAll(async () => {
    bench = new Bench();
    await bench.start(database);
  });
  afterAll(() => bench.close());
  beforeEach(async () => {
    chain = `test.ingress-1.${++count}`;
    await sql.query('TRUNCATE ai_router.ai_receipt');
  });

  const principal: Principal = {
    tenant: 'default',
    subject: 's',
    client: 'c',
    consumer: 'shop',
    actors: [],
    scopes: new Set(),
    roles: [],
    credential: { kind: 'api-key', id: 'kid' },
    until: 4e12,
    models: ['*'],
    quotas: [],
  };
  const question = (model: string): PlanQuestion => ({
    requestId: 'req_1',
    tenant: 'default',
    principal,
    model,
    stream: false,
    inputBytes: 1,
    maxOutputTokens: 0,
  });

  function settlement(more: Partial<aiV1.Settlement> = {}, at = Date.now()): aiV1.Settlement {
    return {
      requestId: 'req_1',
      n: 1,
      outcome: aiV1.Outcome.OUTCOME_OK,
      status: 200,
      usage: commonV1.Usage.fromPartial({ input: 1_003n, cacheRead: 20n, output: 77n, reasoning: 3n }),
      source: aiV1.UsageSource.USAGE_SOURCE_REPORTED,
      costPicoUsd: 123_456_789_012_345_678n,
      priceVersion: 'p_1',
      headMs: 1,
      firstContentMs: 2,
      totalMs: 3,
      unpriced: false,
      virtualModel: 'gpt-4o',
      provider: 'vendor',
      model: 'vendor-small',
      tenant: 'default',
      consumer: 'shop',
      credential: 'kid',
      eventId: uuidv7(at, random),
      ...more,
    };
  }

  async function ship(firstSeq: number, bodies: readonly Uint8Array[], bus = bench.bus): Promise<void> {
    const batch = auditV1.Batch.encode({ chain, firstSeq: BigInt(firstSeq), bodies: bodies as Buffer[] }).finish();
    await bus.publish(subjects.usageBatch, batch);
  }

  const rows = async () => (await sql.query('SELECT * FROM ai_router.ai_receipt ORDER BY at, id')).rows;
  const hasRows = (wanted: number) => until(async () => (await rows()).length === wanted);

  async function confirmations(): Promise<bigint[]> {
    const heard: bigint[] = [];
    await bench.bus.subscribe(subjects.usageCommitted, ({ data }) => {
      const committed = auditV1.SpoolCommitted.decode(data);
      if (committed.chain === chain) heard.push(committed.seq);
    });
    return heard;
  }

  describe('the ledger', () => {
    it('makes one receipt of a settlement, exact to the pico, however often it comes', async () => {
      const heard = await confirmations();
      const now = Date.now();
      const settled = settlement({}, now);
      const later = settlement({ requestId: 'req_2' }, now + 1);
      await ship(1, [writeSettlement(settled)]);
      await ship(1, [writeSettlement(settled)]);
      await ship(2, [writeSettlement(settled), writeSettlement(later)]);
      await until(async () => heard.length === 3);
      expect(await rows()).toMatchObject([
        {
          id: settled.eventId,
          request_id: 'req_1',
          cost_pico_usd: '123456789012345678',
          unpriced: false,
          outcome: 'ok',
          source: 'reported',
          input: '1003',
          cache_read: '20',
          output: '77',
          reasoning: '3',
        },
        { request_id: 'req_2' },
      ]);
      expect(heard).toEqual([1n, 1n, 3n]);
    });

    it('keeps a receipt without a price as unpriced, not as free', async () => {
      await ship(1, [writeSettlement(settlement({ unpriced: true, costPicoUsd: 0n }))]);
      await ship(2, [writeSettlement(settlement({ costPicoUsd: 0n }))]);
      await hasRows(2);
      const costs = (await rows()).map((row) => [row.unpriced, row.cost_pico_usd]);
      expect(costs).toContainEqual([true, null]);
      expect(costs).toContainEqual([false, '0']);
    });

    it('files a receipt in the month it happened in, and one from afar all the same', async () => {
      await ship(1, [writeSettlement(settlement()), writeSettlement(settlement({}, 1_000_000_000_000))]);
      await hasRows(2);
      const month = new Date().toISOString().slice(0, 7).replace('-', '_');
      const { rows: places } = await sql.query(
        'SELECT tableoid::regclass::text AS place FROM ai_router.ai_receipt ORDER BY at',
      );
      expect(places.map(({ place }) => place)).toEqual(['ai_router.ai_receipt_rest', `ai_router.ai_receipt_${month}`]);
    });

    it('does not confirm a batch before its forerunner is there', async () => {
      const heard = await confirmations();
      await ship(2, [writeSettlement(settlement({ requestId: 'req_2' }))]);
      await hasRows(1);
      expect(heard).toEqual([]);
      await ship(1, [writeSettlement(settlement({ requestId: 'req_1' }))]);
      await until(async () => heard.length === 1);
      await ship(2, [writeSettlement(settlement({ requestId: 'req_3' }))]);
      await until(async () => heard.length === 2);
      expect(heard).toEqual([1n, 2n]);
    });

    it('takes what the usage lane of an ingress ships, and lets it trim', async () => {
      const place = { directory: join(bench.config.spoolDir, 'usage'), app: 'ingress', cluster: 'test', maxBytes: 1e8 };
      const spool = await openSpool({ ...place, random });
      const shipper = startShipper({
        spool,
        clock: systemClock,
        publish: (batch, id) => bench.bus.publish(subjects.usageBatch, batch, id === undefined ? {} : { id }),
      });
      const committed = await bench.bus.subscribe(subjects.usageCommitted, ({ data }) => {
        const { chain: name, seq } = auditV1.SpoolCommitted.decode(data);
        shipper.committed(name, Number(seq));
      });
      const settled = Array.from({ length: 600 }, (_, index) => settlement({ costPicoUsd: BigInt(index) }));
      for (const one of settled) {
        const body = writeSettlement(one);
        spool.append({ uid: one.eventId, label: 'usage', control: false, body: () => body });
      }
      await hasRows(600);
      await until(async () => shipper.waiting() === 0);
      const { rows: sums } = await sql.query('SELECT sum(cost_pico_usd)::text AS cost FROM ai_router.ai_receipt');
      expect(sums).toEqual([{ cost: String((599 * 600) / 2) }]);
      await shipper.close();
      await committed.stop();
      await spool.close();
    });

    it('sets aside what is no settlement, with the reason, and keeps the rest of its batch', async () => {
      const died: { body: string; reason: string }[] = [];
      await bench.bus.subscribe(subjects.messageDied(durables.aiLedger), ({ data, headers }) => {
        died.push({ body: Buffer.from(data).toString(), reason: headers['x-sallyport-reason'] ?? '' });
      });
      const heard = await confirmations();
      const forged = writeSettlement(settlement({ tenant: 'no tenant' }));
      await ship(1, [Buffer.from('nonsense'), writeSettlement(settlement()), forged]);
      await until(async () => heard.length === 1);
      expect(await rows()).toHaveLength(1);
      expect(heard).toEqual([3n]);
      expect(died).toMatchObject([{ body: 'nonsense' }, { reason: 'not a settlement: tenant is no name' }]);
    });
  });

  describe('the admin door', () => {
    it('lists receipts newest first, page by page, with money as decimal text', async () => {
      const start = Date.now() - 60_000;
      const settled = Array.from({ length: 5 }, (_, index) =>
        settlement({ requestId: `req_${index}`, costPicoUsd: BigInt(index) }, start + index),
      );
      await ship(1, settled.map(writeSettlement));
      await hasRows(5);
      const first = await bench.get('receipts?limit=3');
      expect(first.body.items.map((item) => item.requestId)).toEqual(['req_4', 'req_3', 'req_2']);
      expect(first.body.items[0]).toMatchObject({
        cost: formatUsd(4n),
        currency: 'USD',
        usage: { input: 1003, source: 'reported' },
      });
      const second = await bench.get(`receipts?limit=3&cursor=${first.body.next}`);
      expect(second.body.items.map((item) => item.requestId)).toEqual(['req_1', 'req_0']);
      expect(second.body.next).toBeNull();
      const one = await bench.get('receipts?request=req_2&outcome=ok');
      expect(one.body.items).toHaveLength(1);
    });

    it('adds spend up by day and model', async () => {
      const day = Date.UTC(2026, 5, 1, 12);
      await ship(1, [
        writeSettlement(settlement({ costPicoUsd: 1n }, day)),
        writeSettlement(settlement({ costPicoUsd: 2n }, day + 1)),
        writeSettlement(settlement({ unpriced: true, costPicoUsd: 0n, virtualModel: 'plain' }, day)),
        writeSettlement(settlement({ tenant: 'other' }, day)),
      ]);
      await hasRows(4);
      const { body } = await bench.get('spend?from=2026-06-01T00:00:00Z&to=2026-06-02T00:00:00Z');
      expect(body.items).toMatchObject([
        {
          day: '2026-06-01',
          virtualModel: 'gpt-4o',
          attempts: 2,
          cost: '0.000000000003',
          unpriced: 0,
          inputTokens: 2046,
        },
        { day: '2026-06-01', virtualModel: 'plain', attempts: 1, cost: '0', unpriced: 1 },
      ]);
    });

    it('shows models with their targets and whether a credential is there, never the credential', async () => {
      const { body } = await bench.get('models');
      const targets = Object.fromEntries(body.items.map((item) => [item.name, item.targets[0]!.credential]));
      expect(targets).toMatchObject({ echo: 'none', plain: 'none', 'gpt-4o': 'present', 'gpt-4o-mini': 'missing' });
      expect(JSON.stringify(body)).not.toContain(routerSuiteSecret);
    });

    it('explains a plan without calling anything', async () => {
      const { status, body } = await bench.request('POST', 'plan', { model: 'chain' });
      expect(status).toBe(200);
      expect(body.attempts.map(({ n }) => n)).toEqual([1, 2, 3]);
      const refused = await bench.request('POST', 'plan', { model: 'chain', models: ['gpt-*'] });
      expect(refused).toMatchObject({ status: 403, body: { code: 'AI_MODEL_FORBIDDEN' } });
    });

    it.each([
      ['receipts?cursor=abc', 400, 'REQUEST_MALFORMED'],
      ['receipts?limit=500', 422, 'SCHEMA_VIOLATION'],
      ['receipts?unknown=1', 422, 'SCHEMA_VIOLATION'],
      ['spend?from=2020-01-01T00:00:00Z', 400, 'REQUEST_MALFORMED'],
    ])('refuses %s', async (path, status, code) => {
      expect(await bench.get(path)).toMatchObject({ status, body: { code } });
    });

    it('asks for the admin token', async () => {
      expect(await bench.get('receipts', 'another-token')).toMatchObject({
        status: 401,
        body: { code: 'AUTH_REQUIRED' },
      });
    });
  });

  describe('credentials', () => {
    it('reach a stream once, before the first plan that names them, and no log, row or message', async () => {
      const router = new StreamRouter(bench.rpc, bench.service.router);
      for (let call = 0; call < 3; call++) await new Promise((resolve) => router.plan(question('gpt-4o'), resolve));
      expect(router.leases).toMatchObject([{ id: expect.stringMatching(/^default\/keyed@/), generation: 1 }]);
      expect(router.leases[0]!.secret.toString()).toBe(routerSuiteSecret);
      router.settle(settlement());
      await ship(1, [writeSettlement(settlement())]);
      await hasRows(1);
      await router.close();

      const said = [...bench.logged, ...bench.published.map((message) => message.toString('latin1'))];
      const { rows: tables } = await sql.query("SELECT tablename FROM pg_tables WHERE schemaname = 'ai_router'");
      for (const { tablename } of tables) {
        const { rows: kept } = await sql.query(`SELECT whole::text FROM ai_router."${tablename}" AS whole`);
        said.push(...kept.map((row) => row.whole as string));
      }
      said.push(await bench.runtime.metrics.exposition());
      expect(said.join('\n')).toContain('default/keyless');
      expect(said.join('\n')).not.toContain(routerSuiteSecret);
    });

    it('are in no answer of the public Plan call, which asks for the admin token', async () => {
      const client = new aiV1.RoutingServiceClient(`unix:${bench.rpc}`, credentials.createInsecure());
      const request = aiV1.PlanRequest.fromPartial({ ...question('gpt-4o'), principal: principalToWire(principal) });
      const call = (metadata: Metadata) =>
        new Promise<aiV1.PlanReply | ServiceError>((resolve) =>
          client.plan(request, metadata, (error, reply) => resolve(error ?? reply)),
        );
      expect(await call(new Metadata())).toMatchObject({ code: 16 });
      const metadata = new Metadata();
      metadata.set('authorization', `Bearer ${TOKEN}`);
      const reply = await call(metadata);
      expect(reply).toMatchObject({ body: { $case: 'plan', value: { virtualModel: 'gpt-4o' } } });
      const told = JSON.stringify(reply, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
      expect(told).not.toContain(routerSuiteSecret);
      client.close();
    });

    it('are taken back when a configuration no longer names them', async () => {
      const own = new Bench();
      await own.start(database);
      const router = new StreamRouter(own.rpc, own.service.router);
      await new Promise((resolve) => router.plan(question('gpt-4o'), resolve));
      const accounts = routerSuiteConfiguration.accounts.map((account) =>
        account.name === 'keyed' ? { ...account, key: null } : account,
      );
      await publishSnapshot(own.bus, { ...snapshot(), accounts, revision: 'c_8' });
      await until(async () => router.leases.length === 2);
      expect(router.leases[1]).toMatchObject({ id: router.leases[0]!.id, secret: Buffer.alloc(0) });
      await router.close();
      await own.close();
    });
  });

  it('counts how attempts end, told directly or over the stream', async () => {
    bench.service.router.settle(settlement({ outcome: aiV1.Outcome.OUTCOME_CLIENT_ABORTED }));
    const exposition = await bench.runtime.metrics.exposition();
    expect(exposition).toMatch(/sallyport_ai_attempts_total\{[^}]*outcome="client_aborted"[^}]*\} 1/);
  });

  it('leaves usage on the bus for the next start when it ends', async () => {
    const own = new Bench();
    await own.start(database);
    await own.service.close();
    await ship(1, [writeSettlement(settlement())], own.bus);
    let subscription: Subscription | undefined;
    const left = new Promise<number>((resolve, reject) => {
      own.bus
        .consume('SALLYPORT_AI', durables.aiLedger, async ({ deliveries }) => {
          resolve(deliveries);
          return ack;
        })
        .then((made) => (subscription = made), reject);
    });
    expect(await left).toBe(1);
    expect(await rows()).toHaveLength(0);
    await subscription?.stop();
    await own.close();
  });
});
