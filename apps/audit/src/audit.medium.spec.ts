import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, Metadata } from '@grpc/grpc-js';
import { auditV1, buckets, subjects, systemClock, uuidv7 } from '@sallyport/contracts';
import {
  createEmbeddedBus,
  createLogger,
  createMetrics,
  createTracer,
  type Bus,
  type Runtime,
} from '@sallyport/platform';
import { testDatabase, type TestDatabase } from '@sallyport/testkit';
import {
  changeCommitted,
  createPseudonym,
  openTrail,
  requestCompleted,
  startShipper,
  type AuditEvent,
  type OpenTrail,
  type RequestFacts,
} from '@sallyport/trail';
import { Client } from 'pg';
import { startAudit, type RunningAudit } from './audit';
import type { AuditConfig } from './config';
import { Ingester } from './consume/ingester';

const TOKEN = 'an-admin-token-of-this-test';
const pseudonym = createPseudonym(Buffer.alloc(32, 1));

interface Answer {
  readonly status: number;
  readonly body: any;
}

/** A way to the same Postgres that can be cut and mended. */
async function openWay(url: string, folder: string) {
  const target = new URL(url);
  const socketDir = target.searchParams.get('host')!;
  const name = `.s.PGSQL.${target.port || '5432'}`;
  const open = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(join(socketDir, name));
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        open.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  });
  const mend = () => new Promise<void>((resolve) => server.listen(join(folder, name), resolve));
  await mend();
  target.searchParams.set('host', folder);
  return {
    url: target.toString(),
    mend,
    cut: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

describe('the audit service', () => {
  let database: TestDatabase;
  let folder: string;
  let bus: Bus;
  let db: Client;
  let running: RunningAudit;
  let config: AuditConfig;
  let made = 0;

  const logger = createLogger({ app: 'audit', node: 'test', level: 'fatal' });
  const metrics = createMetrics('audit');
  const tracer = createTracer({ app: 'audit', node: 'test', version: '0.0.0', ratio: 0 });

  const openOwnTrail = (app: string) =>
    openTrail({
      directory: join(folder, 'spool'),
      app: app,
      cluster: 'cluster-a',
      maxBytes: 64 * 1024 * 1024,
      random: randomBytes,
      version: '0.1.0',
      tenant: 'system',
    });

  /** Joins a trail to the bus as every runtime does. */
  async function ship(trail: OpenTrail) {
    const shipper = startShipper({
      spool: trail.spool,
      clock: systemClock,
      publish: (batch, id) => bus.publish(subjects.auditBatch, batch, { id }),
    });
    const commits = await bus.subscribe(subjects.auditCommitted, ({ data }) => {
      const { chain, seq } = auditV1.SpoolCommitted.decode(data);
      shipper.committed(chain, Number(seq));
    });
    return {
      shipper,
      close: async () => {
        await shipper.close();
        await commits.stop();
        await trail.close();
      },
    };
  }

  function facts(more: Partial<RequestFacts> = {}): RequestFacts {
    const now = Date.now();
    return {
      now,
      random: randomBytes,
      pseudonym,
      requestId: `req_${++made}`,
      tenant: 'default',
      startedAt: now - 3,
      endedAt: now,
      method: 'GET',
      path: '/orders/1',
      status: 200,
      bytesIn: 0,
      bytesOut: 10,
      outcome: 'ok',
      clientAddress: '203.0.113.9',
      route: { id: 'orders/v1/all', service: 'orders', version: 'v1', class: 'public' },
      ...more,
    };
  }

  const change = (name: string): AuditEvent =>
    changeCommitted({
      now: Date.now(),
      random: randomBytes,
      tenant: 'default',
      actor: { name: 'admin', via: 'cli' },
      object: { type: 'route', id: name, name },
      action: 'create',
      after: { name },
    });

  async function query<T = { n: number }>(sql: string, values: unknown[] = []): Promise<T[]> {
    return (await db.query(sql, values)).rows as T[];
  }

  const count = async (where = 'true', values: unknown[] = []) =>
    (await query(`SELECT count(*)::int AS n FROM audit.audit_event WHERE ${where}`, values))[0]!.n;

  /** Looks until something holds, for a bounded time. */
  async function eventually<T>(look: () => Promise<T>, holds: (seen: T) => boolean, milliseconds = 10_000): Promise<T> {
    const end = Date.now() + milliseconds;
    for (;;) {
      const seen = await look();
      if (holds(seen)) return seen;
      if (Date.now() > end) throw new Error(`it did not come to hold; last seen: ${JSON.stringify(seen)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  function ask(path: string, token: string | undefined = TOKEN): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const asked = httpRequest(
        { socketPath: join(folder, 'admin.sock'), path: `/api/audit/v1${path}`, headers },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('end', () =>
            resolve({ status: response.statusCode!, body: JSON.parse(Buffer.concat(parts).toString()) as unknown }),
          );
        },
      );
      asked.on('error', reject).end();
    });
  }

  const start = (at: { readonly url: string } = database) =>
    startAudit(
      config,
      {
        app: 'audit',
        version: '0.1.0',
        config,
        clock: systemClock,
        random: randomBytes,
        logger,
        metrics,
        tracer,
        bus,
        trail,
        clockFault: () => undefined,
      } as unknown as Runtime,
      at,
    );

  let trail: OpenTrail;
  let shipped: Awaited<ReturnType<typeof ship>>;

  beforeAll(async () => {
    database = await testDatabase();
    db = new Client({ connectionString: database.url });
    db.on('error', () => undefined);
    await db.connect();
    folder = await mkdtemp(join(tmpdir(), 'sp-'));
    bus = createEmbeddedBus(systemClock);
    const hash = createHash('sha256').update(TOKEN).digest('hex');
    await (await bus.kv(buckets.adminToken)).put('current', Buffer.from(JSON.stringify({ sha256: hash })));
    config = {
      publicUrl: 'http://127.0.0.1:8000',
      listen: { admin: { path: join(folder, 'admin.sock') }, grpc: { path: join(folder, 'rpc.sock') }, health: null },
    } as AuditConfig;
    trail = await openOwnTrail('audit');
    shipped = await ship(trail);
    running = await start();
  }, 60_000);

  afterAll(async () => {
    await running?.close();
    await shipped?.close();
    await bus?.drain();
    await db?.end();
    await database?.close();
    if (folder) await rm(folder, { recursive: true, force: true });
  });

  it('shows a record within a second of its being appended', async () => {
    const event = requestCompleted(facts());
    const begun = Date.now();
    trail.append(event);
    await eventually(
      () => ask(`/events/${event.uid}`),
      ({ status }) => status === 200,
      1_000,
    );
    expect(Date.now() - begun).toBeLessThan(1_000);
  });

  it('stores the very bytes the producer wrote, with their place in the chain', async () => {
    const event = requestCompleted(facts());
    const { seq, durable } = trail.append(event);
    await durable;
    const [row] = await eventually(
      () =>
        query<{ body: Buffer; seq: string; chain: string }>(
          'SELECT body, seq, audit_chain.chain FROM audit.audit_event JOIN audit.audit_chain ON audit_chain.id = audit_event.chain WHERE uid = $1',
          [event.uid],
        ),
      (rows) => rows.length === 1,
    );
    const run = await trail.spool.chains[0]!.read(seq, seq, { records: 1, bytes: 100_000 });
    expect(row!.body.equals(run!.bodies[0]!)).toBe(true);
    expect([row!.chain, Number(row!.seq)]).toEqual([trail.spool.chain, seq]);
    expect(JSON.parse(row!.body.toString())).toMatchObject({ metadata: { sequence: seq, log_name: 'audit-1' } });
  });

  it('carries 5,000 records through spool, bus and Postgres: each once, positions dense, and lets the spool trim', async () => {
    const before = await count();
    const producer = await openOwnTrail('ingress');
    const { shipper, close } = await ship(producer);
    const uids = new Set<string>();
    for (let round = 0; round < 50; round++) {
      for (let each = 0; each < 100; each++) {
        const event = requestCompleted(facts());
        uids.add(event.uid);
        producer.append(event);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(
      () => Promise.resolve(shipper.waiting()),
      (waiting) => waiting === 0 && producer.spool.durableThrough >= 5_001,
      30_000,
    );
    expect(await count('uid = ANY($1)', [[...uids]])).toBe(5_000);
    const [dense] = await query<{ n: number; low: number; high: number }>(
      'SELECT count(*)::int AS n, min(position)::int AS low, max(position)::int AS high FROM audit.audit_event',
    );
    expect(dense).toMatchObject({ low: 0, high: dense!.n - 1 });
    expect(dense!.n).toBeGreaterThanOrEqual(before + 5_000);
    await close();
  }, 60_000);

  it('drops a batch that comes a second time, as after a crash between commit and ack', async () => {
    const producer = await openOwnTrail('waf');
    const events = Array.from({ length: 20 }, () => requestCompleted(facts()));
    await Promise.all(events.map((event) => producer.append(event).durable));
    const { bodies } = (await producer.spool.chains[0]!.read(1, 21, { records: 256, bytes: 1e6 }))!;
    const batch = auditV1.Batch.encode({
      chain: producer.spool.chain,
      firstSeq: 1n,
      bodies: bodies as Buffer[],
    }).finish();
    for (let time = 0; time < 3; time++) await bus.publish(subjects.auditBatch, batch);
    const uids = [events.map(({ uid }) => uid)];
    await eventually(
      () => count('uid = ANY($1)', uids),
      (n) => n === 20,
    );
    await bus.publish(subjects.auditBatch, batch);
    const last = requestCompleted(facts());
    await trail.append(last).durable;
    await eventually(
      () => count('uid = $1', [last.uid]),
      (n) => n === 1,
    );
    expect(await count('uid = ANY($1)', uids)).toBe(20);
    await producer.close();
  });

  it('goes on after a restart where it stood, with what came meanwhile', async () => {
    await running.close();
    const events = Array.from({ length: 30 }, () => requestCompleted(facts()));
    for (const event of events) trail.append(event);
    running = await start();
    await eventually(
      () => count('uid = ANY($1)', [events.map(({ uid }) => uid)]),
      (n) => n === 30,
    );
  }, 20_000);

  it('survives the loss of its connection: another try stores what waited', async () => {
    await query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sallyport-audit-ingest' AND datname = current_database()`,
    );
    const events = Array.from({ length: 30 }, () => requestCompleted(facts()));
    for (const event of events) trail.append(event);
    await eventually(
      () => count('uid = ANY($1)', [events.map(({ uid }) => uid)]),
      (n) => n === 30,
      15_000,
    );
  }, 20_000);

  it('has one ingester: a second stands by, and takes over when the first ends', async () => {
    const shared = { databaseUrl: database.url, bus, clock: systemClock, logger, metrics, tracer };
    const second = new Ingester({ ...shared, standbyMs: 50 });
    await second.start();
    expect([running.ingesting(), second.active]).toEqual([true, false]);
    await running.close();
    await eventually(
      () => Promise.resolve(second.active),
      (active) => active,
    );
    const event = requestCompleted(facts());
    trail.append(event);
    await eventually(
      () => count('uid = $1', [event.uid]),
      (n) => n === 1,
    );
    await second.close();
    running = await start();
  }, 20_000);

  describe('a chain', () => {
    const send = (chain: string, firstSeq: number, bodies: (string | Buffer)[]) =>
      bus.publish(
        subjects.auditBatch,
        auditV1.Batch.encode({
          chain,
          firstSeq: BigInt(firstSeq),
          bodies: bodies.map((body) => Buffer.from(body)),
        }).finish(),
      );
    const body = (uid = uuidv7(Date.now(), randomBytes), ours: object = {}) =>
      JSON.stringify({
        metadata: { uid, tenant_uid: 'default' },
        unmapped: { sallyport: { kind: 'request.completed', ...ours } },
      });
    const committedOf = (chain: string) => async () =>
      Number(
        (await query<{ next_seq: string }>('SELECT next_seq FROM audit.audit_chain WHERE chain = $1', [chain]))[0]
          ?.next_seq ?? 1,
      ) - 1;

    it('waits for a batch that is missing and takes the rest when it has come', async () => {
      const chain = 'cluster-a/test-1/a1';
      await send(chain, 3, [body(), body()]);
      await send(chain, 1, [body(), body()]);
      await eventually(committedOf(chain), (seq) => seq === 4);
    });

    it('gives a hole up after its time, says so, and keeps what turns up later apart', async () => {
      await running.close();
      const ingester = new Ingester({
        databaseUrl: database.url,
        bus,
        clock: systemClock,
        logger,
        metrics,
        tracer,
        holePatienceMs: 100,
      });
      await ingester.start();
      const chain = 'cluster-a/test-2/a1';
      await send(chain, 4, [body()]);
      await eventually(committedOf(chain), (seq) => seq === 4);
      expect(
        await query(
          'SELECT first_seq::int, last_seq::int FROM audit.audit_gap JOIN audit.audit_chain ON id = audit_gap.chain WHERE audit_chain.chain = $1',
          [chain],
        ),
      ).toEqual([{ first_seq: 1, last_seq: 3 }]);
      await send(chain, 2, [body()]);
      await eventually(
        () =>
          query(
            'SELECT seq::int, reason FROM audit.audit_quarantine JOIN audit.audit_chain ON id = audit_quarantine.chain WHERE audit_chain.chain = $1',
            [chain],
          ),
        (rows) => rows.length === 1,
      );
      await ingester.close();
      running = await start();
    }, 20_000);

    it('moves on past a record that no table takes, which is kept with its reason', async () => {
      const chain = 'cluster-a/test-3/a1';
      const good = [body(), body()];
      await send(chain, 1, [good[0]!, 'no JSON at all', body('not a uuid'), good[1]!]);
      await eventually(committedOf(chain), (seq) => seq === 4);
      const kept = await query<{ seq: number; reason: string; body: Buffer }>(
        'SELECT seq::int, reason, audit_quarantine.body FROM audit.audit_quarantine JOIN audit.audit_chain ON id = audit_quarantine.chain WHERE audit_chain.chain = $1 ORDER BY seq',
        [chain],
      );
      expect(kept.map(({ seq, reason }) => [seq, reason])).toEqual([
        [2, 'the body is not JSON'],
        [3, 'metadata.uid is no version 7 UUID'],
      ]);
      expect(kept[0]!.body.toString()).toBe('no JSON at all');
    });

    it('moves on past a record that only the database refuses', async () => {
      const chain = 'cluster-a/test-5/a1';
      // The moment in this uid lies in the year 10889, which no literal of Postgres writes as ECMAScript does.
      const late = body('ffffffff-ffff-7fff-bfff-ffffffffffff');
      await send(chain, 1, [body(), late, body(undefined, { app: 'a\0b' }), body()]);
      await eventually(committedOf(chain), (seq) => seq === 4);
      const ofChain = 'chain = (SELECT id FROM audit.audit_chain WHERE chain = $1)';
      expect(await count(ofChain, [chain])).toBe(2);
      expect(await query(`SELECT seq::int FROM audit.audit_quarantine WHERE ${ofChain} ORDER BY seq`, [chain])).toEqual(
        [{ seq: 2 }, { seq: 3 }],
      );
      const [dense] = await query<{ n: number; high: number }>(
        'SELECT count(*)::int AS n, max(position)::int AS high FROM audit.audit_event',
      );
      expect(dense!.high).toBe(dense!.n - 1);
    });

    it('takes a record once that comes again, in the same batch or at another place later, and leaves no hole in the positions', async () => {
      const chain = 'cluster-a/test-6/a1';
      const [first, second, third] = [body(), body(), body()];
      await send(chain, 1, [first, second, first]);
      await eventually(committedOf(chain), (seq) => seq === 3);
      await send(chain, 4, [second, third, first]);
      await eventually(committedOf(chain), (seq) => seq === 6);
      const ofChain = 'chain = (SELECT id FROM audit.audit_chain WHERE chain = $1)';
      const rows = await query<{ seq: number; position: number }>(
        `SELECT seq::int, position::int FROM audit.audit_event WHERE ${ofChain} ORDER BY position`,
        [chain],
      );
      expect(rows.map(({ seq }) => seq)).toEqual([1, 2, 5]);
      const [all] = await query<{ n: number; high: number }>(
        'SELECT count(*)::int AS n, max(position)::int AS high FROM audit.audit_event',
      );
      expect(all!.high).toBe(all!.n - 1);
    });

    it('takes a record once that an ingester before this one has stored', async () => {
      const [old, young] = [body(), body()];
      await send('cluster-a/test-7/a1', 1, [old, young]);
      await eventually(committedOf('cluster-a/test-7/a1'), (seq) => seq === 2);
      await running.close();
      running = await start();
      await send('cluster-a/test-7/a2', 1, [young, old, body()]);
      await eventually(committedOf('cluster-a/test-7/a2'), (seq) => seq === 3);
      const again = `SELECT count(*)::int AS n FROM audit.audit_event WHERE chain IN
        (SELECT id FROM audit.audit_chain WHERE chain LIKE 'cluster-a/test-7/%')`;
      expect(await query(again)).toEqual([{ n: 3 }]);
    }, 20_000);

    it('is not held up by a message that is no batch', async () => {
      await bus.publish(subjects.auditBatch, Buffer.from([255, 255, 255]));
      const chain = 'cluster-a/test-4/a1';
      await send(chain, 1, [body()]);
      await eventually(committedOf(chain), (seq) => seq === 1);
    });
  });

  describe('the database', () => {
    it.each([
      `UPDATE audit.audit_event SET tenant = 'x'`,
      `DELETE FROM audit.audit_event`,
      `TRUNCATE audit.audit_event`,
    ])('refuses %s, even to its owner', async (sql) => {
      await expect(db.query(sql)).rejects.toThrow('audit records are never changed or removed');
    });

    it('refuses the same on a partition', async () => {
      const [{ table }] = (await query<{ table: string }>(
        'SELECT tableoid::regclass::text AS table FROM audit.audit_event LIMIT 1',
      )) as [{ table: string }];
      for (const sql of [`UPDATE ${table} SET tenant = 'x'`, `DELETE FROM ${table}`, `TRUNCATE ${table}`]) {
        await expect(db.query(sql)).rejects.toThrow('audit records are never changed or removed');
      }
    });

    it('lets the ingester add records and nothing else', async () => {
      const rights = await query<{ privilege: string }>(
        `SELECT privilege FROM unnest(ARRAY['INSERT', 'SELECT', 'UPDATE', 'DELETE', 'TRUNCATE']) AS privilege
         WHERE has_table_privilege('sallyport_audit_ingest', 'audit.audit_event', privilege)`,
      );
      expect(rights.map(({ privilege }) => privilege)).toEqual(['INSERT', 'SELECT']);
    });
  });

  describe('a search', () => {
    const route = { id: 'search/v1/all', service: 'search', version: 'v1', class: 'public' as const };
    const trace = { traceId: randomBytes(16).toString('hex'), spanId: randomBytes(8).toString('hex') };
    const caller = {
      tenant: 'default',
      subject: 'alice',
      client: 'client-a',
      consumer: 'consumer-a',
      actors: [],
      scopes: new Set<string>(),
      roles: [],
      credential: { kind: 'api-key', id: 'K7QmX2abcde' },
      until: 0,
      models: [],
      quotas: [],
    };
    let mine: AuditEvent[];
    let changed: AuditEvent;

    beforeAll(async () => {
      mine = [
        requestCompleted(facts({ route, principal: caller, trace })),
        requestCompleted(facts({ route, status: 404, path: '/missing' })),
        requestCompleted(facts({ route, status: 429, outcome: 'refused' })),
      ];
      changed = change('search-object');
      await Promise.all([...mine, changed].map((event) => trail.append(event).durable));
      await eventually(
        () => count('uid = ANY($1)', [[...mine, changed].map(({ uid }) => uid)]),
        (n) => n === 4,
      );
    });

    const found = async (filters: string) => {
      const { status, body } = await ask(`/events?${filters}`);
      expect(status).toBe(200);
      return (body as { items: { uid: string }[] }).items.map(({ uid }) => uid);
    };

    it('finds by who, what, resource, disposition, status, route, trace and request id', async () => {
      const [ok, missing, limited] = mine.map(({ uid }) => uid) as [string, string, string];
      expect(await found(`route=${encodeURIComponent(route.id)}`)).toEqual([limited, missing, ok]);
      expect(await found('who=consumer-a')).toEqual([ok]);
      expect(await found(`who=${encodeURIComponent(pseudonym('default', 'alice'))}`)).toEqual([ok]);
      expect(await found('what=change.committed&resource=route/search-object')).toEqual([changed.uid]);
      expect(await found('what=change&who=admin&resource=route/search-object')).toEqual([changed.uid]);
      expect(await found(`route=${encodeURIComponent(route.id)}&disposition=blocked`)).toEqual([limited]);
      expect(await found(`route=${encodeURIComponent(route.id)}&status=404`)).toEqual([missing]);
      expect(await found(`route=${encodeURIComponent(route.id)}&status=4xx`)).toEqual([limited, missing]);
      expect(await found(`trace=${trace.traceId}`)).toEqual([ok]);
      const { request_id } = (mine[0]!.body['unmapped'] as { sallyport: { request_id: string } }).sallyport;
      expect(await found(`request=${request_id}`)).toEqual([ok]);
      expect(await found(`route=${encodeURIComponent(route.id)}&to=2020-01-01T00:00:00Z`)).toEqual([]);
    });

    it('shows a record as it is stored, with its uid, position and moment', async () => {
      const { body } = await ask(`/events/${changed.uid}`);
      expect(body).toMatchObject({
        uid: changed.uid,
        class_uid: 3004,
        position: expect.any(Number),
        at: expect.stringMatching(/^\d{4}-.*Z$/),
        metadata: { log_name: 'audit-1' },
        unmapped: { sallyport: { kind: 'change.committed', change: { via: 'cli' } } },
      });
    });

    it('walks by cursor over every record once while others are being added', async () => {
      const filters = `route=${encodeURIComponent('walk/v1/all')}`;
      const walked = { ...route, id: 'walk/v1/all' };
      const events = Array.from({ length: 57 }, () => requestCompleted(facts({ route: walked })));
      for (const event of events) trail.append(event);
      await eventually(
        () => count(`route = 'walk/v1/all'`),
        (n) => n === 57,
      );
      const seen: string[] = [];
      let next: string | null = '';
      while (next !== null) {
        const { body }: Answer = await ask(`/events?${filters}&limit=10${next && `&cursor=${next}`}`);
        seen.push(...(body as { items: { uid: string }[] }).items.map(({ uid }) => uid));
        next = (body as { next: string | null }).next;
        const meanwhile = Array.from({ length: 5 }, () => requestCompleted(facts({ route: walked })));
        await Promise.all(meanwhile.map((event) => trail.append(event).durable));
        await eventually(
          () => count('uid = ANY($1)', [meanwhile.map(({ uid }) => uid)]),
          (n) => n === 5,
        );
      }
      expect(new Set(seen).size).toBe(seen.length);
      expect(seen.filter((uid) => events.some((event) => event.uid === uid)).length).toBe(57);
    }, 20_000);

    it.each([
      ['an unknown filter', 'whom=x', '/whom'],
      ['too many at once', 'limit=201', '/limit'],
      ['a moment that is none', 'from=yesterday', '/from'],
      ['a range turned round', 'from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z', '/from'],
      ['a cursor of its own making', 'cursor=AAAA', '/cursor'],
      ['a name nobody gave a disposition', 'disposition=maybe', '/disposition'],
      ['a text that no record holds', 'who=%00', '/who'],
    ])('refuses %s', async (_, filters, pointer) => {
      const { status, body } = await ask(`/events?${filters}`);
      expect([status, (body as { code: string }).code]).toEqual([422, 'SCHEMA_VIOLATION']);
      expect((body as { errors: { pointer: string }[] }).errors[0]!.pointer).toBe(pointer);
    });

    it('walks over a range that begins before 1970', async () => {
      const filters = `route=${encodeURIComponent(route.id)}&from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59%2B14:00&limit=2`;
      const first = await ask(`/events?${filters}`);
      expect([first.status, first.body.items.length]).toEqual([200, 2]);
      const second = await ask(`/events?${filters}&cursor=${first.body.next}`);
      expect(second).toMatchObject({ status: 200, body: { items: [{ uid: mine[0]!.uid }], next: null } });
    });

    it('refuses whoever has no credential, and what does not exist', async () => {
      expect((await ask('/events', 'wrong-token')).status).toBe(401);
      expect(await ask('/events/0199b0c4-6d2b-7c41-9f0e-3a5d2b8e7711')).toMatchObject({
        status: 404,
        body: { code: 'AUDIT_EVENT_NOT_FOUND' },
      });
      for (const uid of ['nonsense', 'ffffffff-ffff-7fff-bfff-ffffffffffff', '0199b0c4-6d2b-4c41-9f0e-3a5d2b8e7711'])
        expect(await ask(`/events/${uid}`)).toMatchObject({ status: 404, body: { code: 'AUDIT_EVENT_NOT_FOUND' } });
    });

    it('is itself on record, with what was asked', async () => {
      await ask('/events?who=nobody-at-all');
      const { body } = await eventually(
        () => ask('/events?what=log.read&limit=200'),
        ({ body: answer }) => JSON.stringify(answer).includes('nobody-at-all'),
      );
      const read = (body as { items: { unmapped: { sallyport: { query: { who?: string } } } }[] }).items.find(
        ({ unmapped }) => unmapped.sallyport.query.who === 'nobody-at-all',
      );
      expect(read).toMatchObject({
        class_uid: 6003,
        actor: { user: { uid: 'admin' } },
        unmapped: { sallyport: { count: 0, via: 'api' } },
      });
    });
  });

  it('tells watchers of records as they are committed', async () => {
    const event = requestCompleted(facts());
    const text = await new Promise<string>((resolve, reject) => {
      const asked = httpRequest(
        {
          socketPath: join(folder, 'admin.sock'),
          path: '/api/audit/v1/events/live',
          headers: { authorization: `Bearer ${TOKEN}` },
        },
        (response) => {
          let seen = '';
          response.on('data', (part: Buffer) => {
            if (seen === '') trail.append(event);
            seen += part.toString();
            if (!seen.includes(event.uid)) return;
            resolve(seen);
            asked.destroy();
          });
          response.on('error', () => undefined);
        },
      );
      asked.on('error', reject).end();
    });
    expect(text).toContain('event: request.completed\n');
  });

  it('answers the same over gRPC, and producers that ask how far they are committed', async () => {
    const event = requestCompleted(
      facts({ route: { id: 'grpc/v1/all', service: 'grpc', version: 'v1', class: 'public' } }),
    );
    await trail.append(event).durable;
    await eventually(
      () => count('uid = $1', [event.uid]),
      (n) => n === 1,
    );
    const client = new auditV1.AuditServiceClient(`unix:${join(folder, 'rpc.sock')}`, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${TOKEN}`);
    try {
      const reply = await new Promise<auditV1.SearchReply>((resolve, reject) =>
        client.search(auditV1.SearchRequest.create({ route: 'grpc/v1/all' }), metadata, (error, answer) =>
          error ? reject(error) : resolve(answer),
        ),
      );
      expect(reply.items.map(({ uid, kind }) => [uid, kind])).toEqual([[event.uid, 'request.completed']]);
      expect(JSON.parse(reply.items[0]!.body.toString())).toMatchObject({ metadata: { uid: event.uid } });
      const { seq } = await new Promise<auditV1.CommittedReply>((resolve, reject) =>
        client.committed({ chain: trail.spool.chain }, metadata, (error, answer) =>
          error ? reject(error) : resolve(answer),
        ),
      );
      expect(Number(seq)).toBeGreaterThan(0);
    } finally {
      client.close();
    }
  });

  it('answers 503 while Postgres is gone, keeps what is appended, and stores it when Postgres is back', async () => {
    await running.close();
    const way = await openWay(database.url, folder);
    running = await start({ url: way.url });
    try {
      expect((await ask('/events?limit=1')).status).toBe(200);
      way.cut();
      expect(await ask('/events?limit=1')).toMatchObject({ status: 503, body: { code: 'ADMIN_UNAVAILABLE' } });
      const events = Array.from({ length: 20 }, () => requestCompleted(facts()));
      for (const event of events) trail.append(event);
      await eventually(
        () => Promise.resolve(running.ingesting()),
        (ingesting) => !ingesting,
      );
      expect(trail.room()).toBe(true);
      await way.mend();
      await eventually(
        () => count('uid = ANY($1)', [events.map(({ uid }) => uid)]),
        (n) => n === 20,
        20_000,
      );
      expect((await ask('/events?limit=1')).status).toBe(200);
    } finally {
      await running.close();
      way.cut();
      running = await start();
    }
  }, 40_000);

  it('shows the state of the trail: chains, gaps, quarantine and partitions, nothing in a default one', async () => {
    const { body } = await ask('/health');
    expect(body).toMatchObject({ ingesting: true, default_rows: 0 });
    const health = body as { chains: { chain: string }[]; partitions: string[]; gaps: unknown[]; quarantined: number };
    expect(health.chains.map(({ chain }) => chain)).toContain(trail.spool.chain);
    const month = new Date().toISOString().slice(0, 7).replace('-', '_');
    expect(health.partitions).toContain(`audit_event_traffic_${month}`);
    expect(health.gaps.length).toBe(1);
    expect(health.quarantined).toBe(5);
  });
});
