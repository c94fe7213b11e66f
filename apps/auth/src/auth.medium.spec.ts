import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buckets, isRefusal, systemClock } from '@sallyport/contracts';
import { parseApiKey, type Verifier, type VerifierOutcome } from '@sallyport/identity';
import {
  createEmbeddedBus,
  createLogger,
  createMetrics,
  KEY_HEARTBEAT,
  type Bus,
  type Runtime,
} from '@sallyport/platform';
import { testDatabase, type TestDatabase } from '@sallyport/testkit';
import type { AuditEvent, Trail } from '@sallyport/trail';
import { Client } from 'pg';
import { Agent, request } from 'undici';
import { readAuthConfig, startAuth, type MintRequest, type RunningAuth, type StartAuthOptions } from '.';

const ADMIN_TOKEN = 'Zq3vX9tLw2Rk7Ns4Hb8Yd5Mc';
const PEPPER = Buffer.alloc(32, 5).toString('hex');

describe('the auth service', () => {
  let folder: string;
  let database: TestDatabase;
  let bus: Bus;
  let auth: RunningAuth;
  let agent: Agent;
  let audited: AuditEvent[];
  let logged: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sp-'));
    database = await testDatabase();
    audited = [];
    logged = [];
    bus = createEmbeddedBus(systemClock);
    auth = await start();
    agent = new Agent({ connect: { socketPath: join(folder, 'admin.sock') } });
  }, 60_000);

  afterAll(async () => {
    await agent.close();
    await auth.close();
    await bus.drain();
    await database.close();
    await rm(folder, { recursive: true });
  });

  function runtime(): Runtime {
    const config = readAuthConfig({ SALLYPORT_PEPPER: PEPPER, SALLYPORT_DATA_DIR: folder });
    const logger = createLogger({
      app: 'auth',
      node: 'test',
      level: 'debug',
      destination: { write: (line) => void logged.push(line) },
    });
    const trail: Trail = {
      append: (event) => {
        audited.push(event);
        return { uid: event.uid, seq: audited.length, written: Promise.resolve(), durable: Promise.resolve() };
      },
      room: () => true,
      has: (uid) => audited.some((event) => event.uid === uid),
      close: async () => undefined,
    };
    const parts = { app: 'auth', config, clock: systemClock, random: randomBytes, metrics: createMetrics('auth') };
    return { ...parts, logger, bus, trail, clockFault: () => undefined } as unknown as Runtime;
  }

  /** @param preset null: none is configured */
  function start(preset: string | null = ADMIN_TOKEN, options: StartAuthOptions = {}): Promise<RunningAuth> {
    const running = runtime();
    const listen = { grpc: null, health: null, admin: { path: join(folder, 'admin.sock') } };
    const config = {
      ...readAuthConfig({ SALLYPORT_PEPPER: PEPPER, SALLYPORT_DATA_DIR: folder }),
      adminToken: preset ?? undefined,
      listen,
    };
    return startAuth(config, running, database, options);
  }

  async function restart(preset: string | null, options?: StartAuthOptions): Promise<void> {
    await auth.close();
    await bus.drain();
    bus = createEmbeddedBus(systemClock);
    auth = await start(preset, options);
  }

  async function call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown, token = ADMIN_TOKEN) {
    const answer = await request(`http://localhost/api/auth/v1${path}`, {
      dispatcher: agent,
      method,
      headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    return { status: answer.statusCode, headers: answer.headers, body: JSON.parse(await answer.body.text()) };
  }

  const mint = async (wish: MintRequest) => (await call('POST', '/keys', wish)).body;

  function ask(value: string, verifier: Verifier = auth.verifier): VerifierOutcome {
    let outcome: VerifierOutcome | undefined;
    const route = { method: 'GET', url: 'https://api.example/orders', resource: '', trust: [], service: 'orders' };
    const call = { ...route, tenant: 'default', class: 'regulated' as const, clientAddress: '192.0.2.7' };
    verifier.verify({ ...call, kind: 'api-key', value }, (given) => (outcome = given));
    return outcome!;
  }

  const inBucket = async (key: string) => {
    const entry = await (await bus.kv(buckets.apiKeys)).get(key);
    return entry && JSON.parse(Buffer.from(entry.value).toString());
  };

  /** Records reach the trail by the outbox, a moment after the change. */
  async function recordsOf(kid: string, count: number): Promise<AuditEvent[]> {
    const found = () => audited.filter(({ body }) => JSON.stringify(body).includes(`api-key/${kid}`));
    for (const deadline = Date.now() + 5_000; found().length < count && Date.now() < deadline;) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return found();
  }

  it('mints a key that verifies at once, and shows the defaults it filled in', async () => {
    const answer = await call('POST', '/keys', { name: 'first' });
    expect(answer.status).toBe(201);
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      location: `/api/auth/v1/keys/${answer.body.kid}`,
    });
    expect(answer.body).toMatchObject({
      consumer: 'first',
      rate: { limit: 60, window: '60s' },
      budgetUsdPerMonth: '5',
      status: 'active',
      createdBy: 'admin',
    });
    expect(parseApiKey(answer.body.key)?.kid).toBe(answer.body.kid);
    expect(ask(answer.body.key)).toMatchObject({
      tenant: 'default',
      consumer: 'first',
      credential: { kind: 'api-key', id: answer.body.kid },
      quotas: [{ name: 'key', limit: 60, windowSeconds: 60 }],
    });
  });

  it('knows no key by what can be no id, and asks no filter of the database that can be no name', async () => {
    for (const [method, path] of [
      ['GET', '/keys/%00'],
      ['DELETE', '/keys/%00'],
      ['POST', '/keys/%00/revoke'],
    ] as const) {
      expect(await call(method, path)).toMatchObject({ status: 404, body: { code: 'AUTH_KEY_NOT_FOUND' } });
    }
    expect(await call('GET', '/keys?consumer=%00')).toMatchObject({ status: 422, body: { code: 'SCHEMA_VIOLATION' } });
  });

  it('shows the key in no later answer', async () => {
    const { key, ...view } = await mint({ name: 'shown-once', cidrs: ['192.0.2.0/24'], budgetUsdPerMonth: '12.50' });
    expect(view).toMatchObject({ lastFour: key.slice(-4), budgetUsdPerMonth: '12.5' });
    const shown = await call('GET', `/keys/${view.kid}`);
    expect(shown.body).toEqual(view);
    expect(JSON.stringify((await call('GET', '/keys')).body)).not.toContain(key.slice(20, 60));
  });

  it('K4 refuses a revoked key from the next call on, and says so on the bus', async () => {
    const { key, kid } = await mint({ name: 'doomed' });
    expect(isRefusal(ask(key))).toBe(false);
    const revoked = await call('DELETE', `/keys/${kid}`);
    expect(revoked).toMatchObject({ status: 200, body: { status: 'revoked', revokedBy: 'admin' } });
    expect(ask(key)).toMatchObject({ code: 'AUTH_KEY_INVALID', reason: 'the key is revoked' });
    expect(await inBucket(kid)).toMatchObject({ status: 'revoked' });
    const again = await call('POST', `/keys/${kid}/revoke`);
    expect(again).toEqual({ ...revoked, headers: expect.anything() });
    expect(await recordsOf(kid, 2)).toHaveLength(2);
  });

  it('records each mint exactly once, by either way, and never the key or its MAC', async () => {
    const byApi = await mint({ name: 'by-api' });
    const inside = await auth.mintKey({ name: 'inside' });
    for (const [minted, actor] of [
      [byApi, 'admin'],
      [inside, 'system'],
    ] as const) {
      const records = await recordsOf(minted.kid, 1);
      expect(records).toHaveLength(1);
      expect(records[0]).toMatchObject({ kind: 'change.committed', tenant: 'default' });
      const text = JSON.stringify(records[0]);
      expect(text).toContain(`created by ${actor}`);
      expect(text).not.toContain(minted.key);
      expect(text).not.toContain((await inBucket(minted.kid)).mac);
    }
  });

  it('refuses a name in use, and frees it with the revocation', async () => {
    const { kid } = await mint({ name: 'taken' });
    expect(await call('POST', '/keys', { name: 'taken' })).toMatchObject({
      status: 409,
      body: { code: 'AUTH_KEY_CONFLICT' },
    });
    await call('DELETE', `/keys/${kid}`);
    expect((await call('POST', '/keys', { name: 'taken' })).status).toBe(201);
  });

  it('lists page by page without a gap or a repetition, newest first', async () => {
    for (let count = 0; count < 5; count++) await mint({ name: `paged-${count}`, consumer: 'paged' });
    const names: string[] = [];
    let cursor: string | null = '';
    for (let page = 0; cursor !== null && page < 5; page++) {
      const { body } = await call('GET', `/keys?consumer=paged&limit=2${cursor && `&cursor=${cursor}`}`);
      names.push(...body.items.map(({ name }: { name: string }) => name));
      cursor = body.next;
    }
    expect(names).toEqual(['paged-4', 'paged-3', 'paged-2', 'paged-1', 'paged-0']);
    const { body } = await call('GET', '/keys?status=revoked&limit=200');
    expect(body.items.length).toBeGreaterThan(0);
    expect(new Set(body.items.map(({ status }: { status: string }) => status))).toEqual(new Set(['revoked']));
  });

  it.each([
    ['POST', '/keys', { name: 'x', tenant: 'umbrella' }, 422, 'SCHEMA_VIOLATION'],
    ['POST', '/keys', { name: 'x', expiresIn: '400d' }, 422, 'SCHEMA_VIOLATION'],
    ['POST', '/keys', { name: 'x', rate: { limit: 0 } }, 422, 'SCHEMA_VIOLATION'],
    ['GET', '/keys?limit=201', undefined, 422, 'SCHEMA_VIOLATION'],
    ['GET', '/keys?cursor=made-up', undefined, 422, 'SCHEMA_VIOLATION'],
    ['GET', '/keys/AAAAAAAAAAA', undefined, 404, 'AUTH_KEY_NOT_FOUND'],
    ['DELETE', '/keys/AAAAAAAAAAA', undefined, 404, 'AUTH_KEY_NOT_FOUND'],
  ] as const)('%s %s %j is answered %d %s', async (method, path, body, status, code) => {
    expect(await call(method, path, body)).toMatchObject({ status, body: { code } });
  });

  it('shows a key as expired from the moment it ends, and its name is free', async () => {
    const { kid, key } = await mint({ name: 'brief', expiresIn: '50ms' });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect((await call('GET', `/keys/${kid}`)).body.status).toBe('expired');
    expect(ask(key)).toMatchObject({ code: 'AUTH_KEY_INVALID', reason: 'the key has expired' });
    expect((await call('POST', '/keys', { name: 'brief' })).status).toBe(201);
  });

  it('K7 keeps nothing in the database or on the bus that could be presented', async () => {
    const { key, kid } = await mint({ name: 'canary' });
    const secrets = [key, key.slice(19, 62), ADMIN_TOKEN, PEPPER, Buffer.from(PEPPER, 'hex').toString('base64url')];
    const dumps = [await dump(database.url), JSON.stringify(await inBucket(kid)), logged.join('')];
    expect(dumps[0]).toContain(kid);
    for (const text of dumps) for (const secret of secrets) expect(text).not.toContain(secret);
  });

  it('tries a key without minting it, and knows no other parameter', async () => {
    const tried = await call('POST', '/keys?dryRun=true', { name: 'tried' });
    expect([tried.status, tried.body.name, tried.body.key]).toEqual([200, 'tried', undefined]);
    expect((await call('GET', `/keys/${tried.body.kid}`)).status).toBe(404);
    expect((await call('POST', '/keys?dryrun=true', { name: 'tried' })).status).toBe(422);
    expect((await call('POST', '/keys', { name: 'tried' })).status).toBe(201);
    expect((await call('POST', '/keys?dryRun=true', { name: 'tried' })).status).toBe(409);
  });

  it('publishes everything again when the bus has lost its memory', async () => {
    const [kept, gone] = [await mint({ name: 'kept' }), await mint({ name: 'gone' })];
    await call('DELETE', `/keys/${gone.kid}`);
    await restart(ADMIN_TOKEN);
    expect(await inBucket(kept.kid)).toMatchObject({ status: 'active' });
    expect(await inBucket(gone.kid)).toMatchObject({ status: 'revoked' });
    expect((await inBucket(KEY_HEARTBEAT)).at).toBeGreaterThan(Date.now() - 5_000);
    expect(isRefusal(ask(kept.key))).toBe(false);
    expect(ask(gone.key)).toMatchObject({ code: 'AUTH_KEY_INVALID' });
    expect((await call('GET', '/keys')).status).toBe(200);
  });

  it('describes its admin API', async () => {
    const { body } = await call('GET', '/openapi.json');
    const operations = Object.values<object>(body.paths).flatMap((path) => Object.keys(path));
    expect(operations).toHaveLength(5);
    expect(body.components.schemas.MintKeyBody).toMatchObject({ required: ['name'], additionalProperties: false });
  });

  it('K6 writes no key into its log', () => {
    expect(logged.join('')).not.toMatch(/sp_live_[0-9A-Za-z]{20}/);
  });

  describe('and its admin token', () => {
    const published = async () => {
      const entry = await (await bus.kv(buckets.adminToken)).get('current');
      return JSON.parse(Buffer.from(entry!.value).toString());
    };
    const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

    it('publishes the preset one by its hash alone', async () => {
      expect(await published()).toEqual({ sha256: sha256(ADMIN_TOKEN) });
      expect(auth.firstAdminToken).toBeUndefined();
      expect((await call('GET', '/keys', undefined, 'another-token-of-24-chars')).status).toBe(401);
    });

    it('keeps the stored one over a start without a preset', async () => {
      await restart(null, { drawAdminToken: true });
      expect(auth.firstAdminToken).toBeUndefined();
      expect((await call('GET', '/keys')).status).toBe(200);
    });

    it('refuses to start without one, naming the variable, and draws one where it may', async () => {
      await auth.close();
      await forget(database.url);
      await expect(start(null)).rejects.toMatchObject({ variable: 'SALLYPORT_ADMIN_TOKEN' });
      auth = await start(null, { drawAdminToken: true });
      const drawn = auth.firstAdminToken!;
      expect(await published()).toEqual({ sha256: sha256(drawn) });
      expect((await call('GET', '/keys', undefined, drawn)).status).toBe(200);
      expect((await call('GET', '/keys')).status).toBe(401);
      expect(await dump(database.url)).not.toContain(drawn);
      expect(audited.filter(({ body }) => JSON.stringify(body).includes('admin-token/current')).length).toBeGreaterThan(
        0,
      );
    });
  });
});

/** Every table as text, as a stolen dump would have it. */
async function dump(url: string): Promise<string> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ xml: string }>(`SELECT database_to_xml(true, true, '')::text AS xml`);
    return rows[0]!.xml;
  });
}

function forget(url: string): Promise<unknown> {
  return withClient(url, (client) => client.query('DELETE FROM auth.admin_token'));
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
