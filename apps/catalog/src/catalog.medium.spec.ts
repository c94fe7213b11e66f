import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { catalogV1, formatDeclarative, parseDeclarative, type DeclarativeInput } from '@sallyport/contracts';
import { testDatabase, type TestDatabase } from '@sallyport/testkit';
import { Client } from 'pg';
import { Agent, request } from 'undici';
import { CatalogUnderTest, type Answer } from './catalog-under-test';

const DAY = 86_400_000;
const upstream = { targets: [{ url: 'https://orders.internal.example' }] };

let database: TestDatabase;
let catalog: CatalogUnderTest;

beforeAll(async () => {
  database = await testDatabase();
  catalog = new CatalogUnderTest(database.url);
  await catalog.start();
}, 60_000);

afterAll(async () => {
  await catalog.stop();
  await database.close();
}, 30_000);

beforeEach(() => catalog.empty());

async function sql(text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  try {
    return (await client.query(text)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

async function publishOrders(spec: object = {}): Promise<Answer> {
  await catalog.ask('POST', '/api/v1/services', { body: { name: 'orders' } });
  await catalog.ask('POST', '/api/v1/services/orders/versions', { body: { version: 'v1', upstream, ...spec } });
  return catalog.ask('POST', '/api/v1/services/orders/versions/v1/publish');
}

function apply(document: object, query = ''): Promise<Answer> {
  return catalog.ask('POST', `/api/v1/changesets${query}`, { body: { sallyport: 1, ...document } });
}

describe('a service', () => {
  it('is served after it was created and published, and not before', async () => {
    expect((await catalog.served())?.routes).toEqual([]);
    const created = await catalog.ask('POST', '/api/v1/services', { body: { name: 'orders', kind: 'rest' } });
    expect(created).toMatchObject({
      status: 201,
      headers: { etag: '"1"' },
      body: { name: 'orders', kind: 'rest', rev: 1 },
    });
    const draft = await catalog.ask('POST', '/api/v1/services/orders/versions', { body: { upstream } });
    expect(draft).toMatchObject({
      status: 201,
      body: { version: 'v1', path: '/orders', lifecycle: { state: 'draft' } },
    });
    expect((await catalog.served())?.routes).toEqual([]);
    const published = await catalog.ask('POST', '/api/v1/services/orders/versions/v1/publish');
    expect(published).toMatchObject({ status: 200, body: { lifecycle: { state: 'published' } } });
    const served = (await catalog.served())!;
    expect(served.routes).toMatchObject([
      { id: 'orders/v1/all', state: 'published', match: { pathPrefix: '/orders' } },
    ]);
    expect(published.headers['x-sallyport-config-version']).toBe(served.revision);
  });

  it('announces its end, takes it back, ends and is closed', async () => {
    await publishOrders();
    const address = '/api/v1/services/orders/versions/v1';
    const early = await catalog.ask('POST', `${address}/sunset`, { body: { reason: 'now' } });
    expect(early).toMatchObject({ status: 409, body: { code: 'CATALOG_STATE_CONFLICT' } });
    const short = { sunset: new Date(Date.now() + DAY).toISOString() };
    const unfounded = await catalog.ask('POST', `${address}/deprecate`, {
      body: { ...short, successor: '/orders/v2' },
    });
    expect(unfounded).toMatchObject({ status: 422, body: { errors: [{ pointer: '/reason' }] } });
    const deprecated = await catalog.ask('POST', `${address}/deprecate`, {
      body: { ...short, reason: 'the vendor stops', successor: '/orders/v2' },
    });
    expect(deprecated).toMatchObject({ status: 200, body: { lifecycle: { state: 'deprecated', ...short } } });
    expect((await catalog.served())?.routes[0]).toMatchObject({
      state: 'deprecated',
      lifecycle: { sunsetAt: short.sunset, successor: '/orders/v2' },
    });
    expect((await catalog.ask('POST', `${address}/reinstate`)).status).toBe(200);
    expect((await catalog.served())?.routes[0]?.lifecycle).toEqual({
      deprecatedAt: null,
      sunsetAt: null,
      successor: null,
    });
    await catalog.ask('POST', `${address}/deprecate`, { body: { reason: 'again' } });
    await catalog.ask('POST', `${address}/sunset`, { body: { reason: 'leak' } });
    expect((await catalog.served())?.routes[0]?.state).toBe('sunset');
    expect((await catalog.ask('POST', `${address}/decommission`, { body: { reason: 'closed' } })).status).toBe(200);
    expect((await catalog.served())?.routes[0]?.state).toBe('decommissioned');
  });

  it('refuses members it does not know, at their place', async () => {
    const refused = await catalog.ask('POST', '/api/v1/services', { body: { name: 'orders', owner: 'me' } });
    expect(refused).toMatchObject({ status: 422, body: { code: 'SCHEMA_VIOLATION', errors: [{ pointer: '/owner' }] } });
    await publishOrders();
    const late = await catalog.ask('POST', '/api/v1/services/orders/versions/v1/deprecate', { body: { resaon: 'x' } });
    expect(late.status).toBe(422);
  });

  it('conflicts with a service of its name and with another at its address', async () => {
    await publishOrders();
    expect(await catalog.ask('POST', '/api/v1/services', { body: { name: 'orders' } })).toMatchObject({
      status: 409,
      body: { code: 'CATALOG_CONFLICT' },
    });
    await catalog.ask('POST', '/api/v1/services', { body: { name: 'other' } });
    await catalog.ask('POST', '/api/v1/services/other/versions', { body: { path: '/orders', upstream } });
    const conflict = await catalog.ask('POST', '/api/v1/services/other/versions/v1/publish');
    expect(conflict).toMatchObject({
      status: 409,
      body: { code: 'CATALOG_CONFLICT', errors: [{ code: 'ROUTE_CONFLICT' }] },
    });
    expect((await catalog.ask('GET', '/api/v1/services/other/versions/v1')).body.lifecycle.state).toBe('draft');
  });

  it('shows its preflight without being published', async () => {
    await catalog.ask('POST', '/api/v1/services', { body: { name: 'open' } });
    await catalog.ask('POST', '/api/v1/services/open/versions', { body: { upstream, auth: { anonymous: true } } });
    const before = await catalog.served();
    const preview = await catalog.ask('POST', '/api/v1/services/open/versions/v1/publish?dryRun=true');
    expect(preview).toMatchObject({
      status: 200,
      body: {
        dryRun: true,
        changes: [{ event: 'publish' }],
        findings: [{ code: 'ANONYMOUS_UNLIMITED', severity: 'warning' }],
      },
    });
    expect(await catalog.served()).toEqual(before);
  });

  it('is removed only when nothing of it is left', async () => {
    await publishOrders();
    const ifMatch = { headers: { 'if-match': '"1"' } };
    expect(await catalog.ask('DELETE', '/api/v1/services/orders', ifMatch)).toMatchObject({ status: 409 });
    await catalog.ask('POST', '/api/v1/services/orders/versions', { body: { version: 'v2' } });
    expect((await catalog.ask('DELETE', '/api/v1/services/orders/versions/v2', ifMatch)).status).toBe(204);
    const published = await catalog.ask('DELETE', '/api/v1/services/orders/versions/v1', {
      headers: { 'if-match': '"2"' },
    });
    expect(published).toMatchObject({ status: 409, body: { code: 'CATALOG_STATE_CONFLICT' } });
  });

  it('ends by itself when its date has come', async () => {
    await publishOrders();
    const sunset = new Date(Date.now() + 1000).toISOString();
    await catalog.ask('POST', '/api/v1/services/orders/versions/v1/deprecate', { body: { sunset, reason: 'soon' } });
    catalog.ahead = 2_000;
    await catalog.stop();
    await catalog.start();
    await catalog.until(async () => (await catalog.served())?.routes[0]?.state === 'sunset');
  }, 20_000);
});

describe('a configuration that is no longer fit', () => {
  it('is served on as it was, and says that a version whose day has come cannot be ended', async () => {
    await publishOrders();
    await apply({ services: [{ name: 'broken', upstream }] });
    const sunset = new Date(Date.now() + 1000).toISOString();
    await catalog.ask('POST', '/api/v1/services/orders/versions/v1/deprecate', { body: { sunset, reason: 'soon' } });
    const before = await catalog.served();
    // As when a release judges more strictly than the one before it.
    await sql(`UPDATE catalog.service_version SET spec = spec || '{"upstream": "nowhere"}'
      FROM catalog.service WHERE service.id = service_id AND service.name = 'broken'`);
    catalog.ahead = 2_000;
    await catalog.stop();
    await catalog.start();
    expect(await catalog.served()).toEqual(before);
    const told = catalog.logged.filter((line) => line.includes('cannot be ended'));
    expect(told).toHaveLength(1);
    expect(told[0]).toContain('there is no upstream “nowhere”');
  }, 20_000);
});

describe('two editors of one object', () => {
  it('do not overwrite each other: the second is told, and shown the present tag', async () => {
    await catalog.ask('POST', '/api/v1/upstreams', { body: { name: 'shared', ...upstream } });
    const blind = await catalog.ask('PATCH', '/api/v1/upstreams/shared', { body: { timeout: '1s' } });
    expect(blind).toMatchObject({ status: 428, body: { code: 'CATALOG_PRECONDITION_REQUIRED' } });
    const edit = (timeout: string) =>
      catalog.ask('PATCH', '/api/v1/upstreams/shared', { body: { timeout }, headers: { 'if-match': '"1"' } });
    const answers = await Promise.all([edit('1s'), edit('2s'), edit('3s')]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412]);
    const stale = answers.find(({ status }) => status === 412)!;
    expect(stale).toMatchObject({ headers: { etag: '"2"' }, body: { code: 'CATALOG_PRECONDITION_FAILED' } });
    const winner = answers.find(({ status }) => status === 200)!;
    expect((await catalog.ask('GET', '/api/v1/upstreams/shared')).body).toEqual(winner.body);
  });

  it('do not take what was made anew under the old name for what they have seen', async () => {
    const shop = { name: 'shop', limits: [{ name: 'daily', limit: 5, window: '1d' }] };
    const seen = await catalog.ask('POST', '/api/v1/consumers', { body: { name: 'shop' } });
    const ifMatch = { 'if-match': seen.headers['etag'] as string };
    await catalog.ask('DELETE', '/api/v1/consumers/shop', { headers: ifMatch });
    const anew = await catalog.ask('POST', '/api/v1/consumers', { body: shop });
    expect(anew).toMatchObject({ status: 201, headers: { etag: '"2"' } });
    const late = await catalog.ask('PUT', '/api/v1/consumers/shop', { body: { name: 'shop' }, headers: ifMatch });
    expect(late).toMatchObject({ status: 412, body: { code: 'CATALOG_PRECONDITION_FAILED' } });
    expect((await catalog.ask('GET', '/api/v1/consumers/shop')).body).toMatchObject(shop);
    await publishOrders();
    const draft = '/api/v1/services/orders/versions/v2';
    const drafted = { body: { version: 'v2' } };
    await catalog.ask('POST', '/api/v1/services/orders/versions', drafted);
    await catalog.ask('DELETE', draft, { headers: { 'if-match': '"1"' } });
    await catalog.ask('POST', '/api/v1/services/orders/versions', drafted);
    expect((await catalog.ask('DELETE', draft, { headers: { 'if-match': '"1"' } })).status).toBe(412);
  });

  it('replace, patch and remove what they have seen', async () => {
    await catalog.ask('POST', '/api/v1/consumers', {
      body: { name: 'shop', limits: [{ name: 'daily', limit: 5, window: '1d' }] },
    });
    const replaced = await catalog.ask('PUT', '/api/v1/consumers/shop', {
      body: { name: 'shop' },
      headers: { 'if-match': '"1"' },
    });
    expect(replaced).toMatchObject({ status: 200, headers: { etag: '"2"' }, body: { limits: [] } });
    const renamed = await catalog.ask('PUT', '/api/v1/consumers/shop', {
      body: { name: 'mall' },
      headers: { 'if-match': '"2"' },
    });
    expect(renamed).toMatchObject({ status: 422, body: { errors: [{ pointer: '/name' }] } });
    expect((await catalog.ask('DELETE', '/api/v1/consumers/shop', { headers: { 'if-match': '"2"' } })).status).toBe(
      204,
    );
    expect(await catalog.ask('GET', '/api/v1/consumers/shop')).toMatchObject({
      status: 404,
      body: { code: 'CATALOG_NOT_FOUND' },
    });
  });
});

describe('a merge patch', () => {
  it('is taken under its own media type, and removes what it names null', async () => {
    await catalog.ask('POST', '/api/v1/upstreams', { body: { name: 'shared', ...upstream, timeout: '5s' } });
    const patched = await catalog.ask('PATCH', '/api/v1/upstreams/shared', {
      body: { timeout: null, allowPrivate: true },
      headers: { 'if-match': '"1"', 'content-type': 'application/merge-patch+json' },
    });
    expect(patched).toMatchObject({ status: 200, body: { allowPrivate: true, rev: 2 } });
    expect(patched.body).not.toHaveProperty('timeout');
  });
});

describe('an object that others name', () => {
  it('cannot be removed under them', async () => {
    await catalog.ask('POST', '/api/v1/upstreams', { body: { name: 'shared', ...upstream } });
    await publishOrders({ upstream: 'shared' });
    const refused = await catalog.ask('DELETE', '/api/v1/upstreams/shared', { headers: { 'if-match': '"1"' } });
    expect(refused).toMatchObject({
      status: 409,
      body: { detail: expect.stringContaining('services/orders/versions/v1') },
    });
  });
});

describe('a list', () => {
  it('is read page by page, each object once, by names in code point order', async () => {
    const names = Array.from({ length: 7 }, (_, index) => `c${index}`).concat('a-1', 'a1');
    await apply({ consumers: names.map((name) => ({ name })) });
    const seen: string[] = [];
    let cursor = '';
    do {
      const page = await catalog.ask('GET', `/api/v1/consumers?limit=4${cursor && `&cursor=${cursor}`}`);
      expect(page.status).toBe(200);
      seen.push(...page.body.items.map(({ name }: { name: string }) => name));
      cursor = page.body.next ?? '';
    } while (cursor !== '');
    expect(seen).toEqual([...names].sort());
  });

  it('refuses a cursor of another list and a limit beyond 200', async () => {
    await apply({ consumers: [{ name: 'a' }, { name: 'b' }], upstreams: [] });
    const { body } = await catalog.ask('GET', '/api/v1/consumers?limit=1');
    expect((await catalog.ask('GET', `/api/v1/upstreams?cursor=${body.next}`)).status).toBe(400);
    expect((await catalog.ask('GET', '/api/v1/upstreams?limit=201')).status).toBe(422);
    expect((await catalog.ask('GET', '/api/v1/upstreams?cursor=%00')).status).toBe(400);
    expect((await catalog.ask('GET', '/api/v1/upstreams/%00')).status).toBe(404);
  });
});

const everything: Omit<DeclarativeInput, 'sallyport'> = {
  waf: { mode: 'detect', exclude: [{ rule: 942190, target: 'ARGS:q', reason: 'prose' }] },
  services: [
    {
      name: 'orders',
      version: 'v1',
      upstream,
      lifecycle: { state: 'deprecated', successor: 'v2', reason: 'replaced' },
    },
    {
      name: 'orders',
      version: 'v2',
      path: '/orders/v2',
      class: 'internal',
      upstream: 'shared',
      auth: { scopes: ['orders:read'], trust: ['corporate'] },
      policies: [{ 'rate-limit': { limit: 100, window: '60s', by: 'consumer' } }, 'small'],
      routes: [
        { name: 'read', methods: ['GET'] },
        { name: 'items', path: '/items', upstream: { ...upstream, timeout: { connect: '1s' } } },
      ],
    },
    { name: 'drafts', lifecycle: { state: 'draft' } },
  ],
  upstreams: [
    { name: 'shared', targets: [{ url: 'http://127.0.0.1:8090', weight: 2 }], allowPrivate: true, timeout: '5s' },
  ],
  policies: [{ name: 'small', policy: 'body-limit', config: { maxBytes: 1000 } }],
  consumers: [{ name: 'shop', limits: [{ name: 'daily', limit: 5, window: '1d' }] }],
  models: [{ name: 'smart', fallback: [{ provider: 'echo', model: 'echo' }] }],
  accounts: [
    { name: 'local', provider: 'echo' },
    { name: 'openai-main', provider: 'openai', key: '${env:OPENAI_API_KEY}' },
  ],
  trust: [
    { name: 'corporate', issuer: 'https://id.example', audiences: ['orders'], jwksUrl: 'https://id.example/jwks' },
  ],
};

describe('a declarative document', () => {
  it('lands as a whole, in one revision', async () => {
    const before = Number((await catalog.served())!.revision.slice(2));
    const applied = await apply(everything);
    expect(applied).toMatchObject({ status: 200, body: { dryRun: false, revision: `c_${before + 1}` } });
    const served = (await catalog.served())!;
    expect(served.revision).toBe(`c_${before + 1}`);
    expect(served.routes.map(({ id }) => id)).toEqual(['orders/v1/all', 'orders/v2/items', 'orders/v2/read']);
    expect(served.routes[0]!.lifecycle.successor).toBe('/orders/v2');
  });

  it('lands not at all when one part of it is refused, and says where', async () => {
    const refused = await apply({
      ...everything,
      policies: [{ name: 'small', policy: 'body-limit', config: { maxBytes: -1 } }],
    });
    expect(refused).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/policies/0/config/maxBytes', code: 'POLICY_INVALID' }] },
    });
    expect((await catalog.ask('GET', '/api/v1/services')).body.items).toEqual([]);
    expect((await catalog.served())?.upstreams).toEqual([]);
    expect(await sql('SELECT * FROM catalog.change')).toEqual([]);
    expect(catalog.events).toEqual([]);
  });

  it('points into itself for a conflict of routes and for an impossible step', async () => {
    await publishOrders();
    const conflict = await apply({
      services: [
        { name: 'fine', upstream },
        { name: 'other', path: '/orders', upstream },
      ],
    });
    expect(conflict).toMatchObject({ status: 409, body: { errors: [{ pointer: '/services/1/path' }] } });
    const back = await apply({ services: [{ name: 'orders', upstream, lifecycle: { state: 'draft' } }] });
    expect(back).toMatchObject({
      status: 409,
      body: { code: 'CATALOG_STATE_CONFLICT', errors: [{ pointer: '/services/0/lifecycle' }] },
    });
  });

  it('names the nearest known member of a mistyped one', async () => {
    expect(await apply({ services: [{ name: 'a', upstrem: {} }] })).toMatchObject({
      status: 422,
      body: {
        errors: [{ pointer: '/services/0/upstrem', detail: 'unknown member “upstrem”; did you mean “upstream”?' }],
      },
    });
  });

  it('shows what it would change and changes nothing', async () => {
    const preview = await apply(everything, '?dryRun=true');
    expect(preview.body.dryRun).toBe(true);
    expect(preview.body.changes).toContainEqual(
      expect.objectContaining({
        action: 'create',
        type: 'upstream',
        name: 'shared',
        after: expect.objectContaining({ allowPrivate: true }),
      }),
    );
    expect(await sql('SELECT * FROM catalog.change')).toEqual([]);
    expect((await catalog.ask('POST', '/api/v1/changesets?dryRun=yes', { body: { sallyport: 1 } })).status).toBe(400);
  });

  it('changes nothing when it is applied again', async () => {
    const first = await apply(everything);
    const again = await apply(everything);
    expect(again.body).toMatchObject({ changes: [], revision: first.body.revision });
  });

  it('leaves alone what it does not name', async () => {
    await apply(everything);
    await apply({ consumers: [{ name: 'mall' }] });
    expect((await catalog.served())?.consumers.map(({ name }) => name)).toEqual(['mall', 'shop']);
    expect((await catalog.served())?.routes).toHaveLength(3);
  });

  it('is the same byte for byte after export, apply and export, here and in an empty catalog', async () => {
    await apply(everything);
    const exported = (await catalog.ask('GET', '/api/v1/export')).body as DeclarativeInput;
    const file = await formatDeclarative(exported);
    const { source, faults } = await parseDeclarative(file);
    expect(faults).toEqual([]);
    expect((await catalog.ask('POST', '/api/v1/changesets', { body: source })).body.changes).toEqual([]);
    const other = await testDatabase();
    const fresh = new CatalogUnderTest(other.url);
    try {
      await fresh.start();
      expect((await fresh.ask('POST', '/api/v1/changesets', { body: source })).status).toBe(200);
      const { body } = await fresh.ask('GET', '/api/v1/export');
      expect(JSON.stringify(body)).toBe(JSON.stringify(exported));
      expect(await formatDeclarative(body)).toBe(file);
    } finally {
      await fresh.stop();
      await other.close();
    }
  }, 30_000);

  it('says in one place how everything is inspected', async () => {
    await apply(everything);
    expect((await catalog.served())!.routes.map(({ waf }) => waf?.mode)).toEqual(['detect', 'detect', 'detect']);
    const address = '/api/v1/defaults/waf';
    const read = await catalog.ask('GET', address);
    expect(read.body).toMatchObject({ name: 'waf', waf: everything.waf });
    await apply({ waf: { mode: 'block' } });
    expect((await catalog.served())!.routes[0]!.waf).toEqual({ mode: 'block' });
    expect(await apply({ waf: { exclude: [{ rule: 942190, reason: 'prose' }] } })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/waf/exclude/0', code: 'WAF_RULE_OFF' }] },
    });
    expect(await apply({ waf: { mood: 'block' } as never })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/waf/mood' }] },
    });
    const { headers } = await catalog.ask('GET', address);
    const removed = await catalog.ask('DELETE', address, { headers: { 'if-match': headers['etag'] as string } });
    expect(removed.status).toBe(204);
    expect((await catalog.served())!.routes[0]!.waf).toBeUndefined();
  });

  it.each(['a\u0000b', 'a\ud800b'])(
    'refuses text that Postgres cannot hold, of what is new and of what is there',
    async (text) => {
      await apply({ services: [{ name: 'a', upstream }] });
      const lifecycle = { state: 'deprecated' as const, reason: text };
      for (const [index, service] of [
        { name: 'b', description: text },
        { name: 'a', lifecycle },
      ].entries()) {
        const refused = await apply({ services: [{ ...service, upstream }] });
        const pointer = ['/services/0/description', '/services/0/lifecycle/reason'][index];
        expect(refused).toMatchObject({ status: 422, body: { code: 'SCHEMA_VIOLATION', errors: [{ pointer }] } });
      }
      const address = '/api/v1/services/a/versions/v1';
      const headers = { 'if-match': '"2"' };
      expect((await catalog.ask('PATCH', address, { body: { description: text }, headers })).status).toBe(422);
      expect((await catalog.ask('POST', `${address}/deprecate`, { body: { reason: text } })).status).toBe(422);
    },
  );

  it('refuses to fetch keys from where no gateway may call, or from near by unless that is meant', async () => {
    const entry = { name: 'near', issuer: 'https://id.example', audiences: ['orders'] };
    const trusted = (jwksUrl: string, more: object = {}) => apply({ trust: [{ ...entry, jwksUrl, ...more }] });
    expect(await trusted('http://169.254.169.254/jwks', { allowPrivate: true })).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/trust/0/jwksUrl', code: 'TARGET_FORBIDDEN' }] },
    });
    expect(await trusted('http://127.0.0.1:9000/jwks')).toMatchObject({
      status: 422,
      body: { errors: [{ pointer: '/trust/0/jwksUrl', code: 'TARGET_PRIVATE' }] },
    });
    expect((await trusted('http://127.0.0.1:9000/jwks', { allowPrivate: true })).status).toBe(200);
  });

  it('is refused as a whole when no node would take what it leads to', async () => {
    const config = {
      fields: Object.fromEntries(Array.from({ length: 64 }, (_, at) => [`x-${at}`, 'v'.repeat(4_096)])),
    };
    const replies = Array.from({ length: 5 }, () => config);
    const grown = await apply({ services: [{ name: 'a', upstream, policies: [{ mock: { replies } }] }] });
    expect(grown).toMatchObject({
      status: 422,
      body: {
        detail: expect.stringContaining('at most 1048576 are taken'),
        errors: [{ pointer: '/configuration', code: 'NOT_SERVABLE' }],
      },
    });
    const entry = { issuer: 'https://id.example', audiences: ['orders'], jwksUrl: 'https://id.example/jwks' };
    const names = Array.from({ length: 1_000 }, (_, at) => ({ name: `t${at}`, ...entry }));
    expect((await apply({ trust: names })).status).toBe(200);
    const before = await catalog.served();
    const more = await catalog.ask('POST', '/api/v1/trust-entries', { body: { name: 'one-more', ...entry } });
    expect(more).toMatchObject({ status: 422, body: { errors: [{ code: 'NOT_SERVABLE' }] } });
    expect(await catalog.served()).toEqual(before);
  });
});

describe('the history', () => {
  it('has one entry and one audit record for each change, with actor, revision and reason', async () => {
    await publishOrders();
    await catalog.ask('POST', '/api/v1/services/orders/versions/v1/deprecate', {
      body: { reason: 'replaced' },
      headers: { 'x-sallyport-via': 'cli' },
    });
    const changes = await sql(
      'SELECT object_name, action, event, via, reason, snapshot_revision FROM catalog.change ORDER BY id',
    );
    expect(changes.map(({ object_name, action, event }) => [object_name, action, event])).toEqual([
      ['orders', 'create', null],
      ['orders/v1', 'create', null],
      ['orders/v1', 'update', 'publish'],
      ['orders/v1', 'update', 'deprecate'],
    ]);
    expect(changes[3]).toMatchObject({ via: 'cli', reason: 'replaced' });
    await catalog.until(() => catalog.events.length === changes.length);
    expect(new Set(catalog.events.map(({ kind }) => kind))).toEqual(new Set(['change.committed']));
    const text = JSON.stringify(catalog.events[3]);
    expect(text).toContain('replaced');
    expect(text).toContain((await catalog.served())!.revision);
  });

  it('cannot be rewritten', async () => {
    await publishOrders();
    await expect(sql(`UPDATE catalog.change SET reason = 'other'`)).rejects.toThrow(/never changed/);
    await expect(sql('DELETE FROM catalog.change')).rejects.toThrow(/never changed/);
  });
});

describe('a revision', () => {
  it('that was committed but not delivered is delivered at the next start', async () => {
    await publishOrders();
    const before = await catalog.served();
    // A crash between commit and publish: the edit is in the database, the bus has forgotten or never heard.
    const reborn = new CatalogUnderTest(database.url);
    expect(await reborn.served()).toBeUndefined();
    await reborn.start();
    try {
      expect(await reborn.served()).toEqual(before);
    } finally {
      await reborn.stop();
    }
  }, 30_000);

  it('that the bus does not take is committed all the same, and delivered when the bus is back', async () => {
    const kv = catalog.bus.kv.bind(catalog.bus);
    catalog.bus.kv = () => Promise.reject(new Error('the bus is away'));
    try {
      expect((await catalog.ask('POST', '/api/v1/consumers', { body: { name: 'shop' } })).status).toBe(201);
    } finally {
      catalog.bus.kv = kv;
    }
    expect((await catalog.served())?.consumers).toEqual([]);
    await catalog.running!.publishNow();
    expect((await catalog.served())?.consumers).toMatchObject([{ name: 'shop' }]);
  });

  it('is handed to a node without the bus, once', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sp-'));
    const grpc = { path: join(directory, 'grpc') };
    const health = { path: join(directory, 'health') };
    const other = new CatalogUnderTest(database.url);
    await publishOrders();
    await other.start((config) => ({ ...config, listen: { ...config.listen, grpc, health } }));
    const client = new catalogV1.SnapshotServiceClient(`unix:${grpc.path}`, credentials.createInsecure());
    const read = (knownRevision: string): Promise<catalogV1.ReadReply[]> =>
      new Promise((resolve, reject) => {
        const replies: catalogV1.ReadReply[] = [];
        client
          .read({ knownRevision }, { deadline: Date.now() + 5_000 })
          .on('data', (reply: catalogV1.ReadReply) => replies.push(reply))
          .on('end', () => resolve(replies))
          .on('error', reject);
      });
    try {
      const served = (await other.served())!;
      const [reply] = await read('');
      expect(reply).toMatchObject({ revision: served.revision, unchanged: false });
      expect(JSON.parse(reply!.chunk.toString())).toEqual(served);
      expect(await read(served.revision)).toMatchObject([{ unchanged: true, chunk: Buffer.alloc(0) }]);
      const { statusCode, body } = await request('http://localhost/readyz', {
        dispatcher: new Agent({ connect: { socketPath: health.path } }),
      });
      await body.dump();
      expect(statusCode).toBe(200);
    } finally {
      client.close();
      await other.stop();
      await rm(directory, { recursive: true, force: true });
    }
  }, 30_000);

  it('is new only when something that is served has changed', async () => {
    await publishOrders();
    const before = await catalog.served();
    await catalog.ask('POST', '/api/v1/services', { body: { name: 'later' } });
    await catalog.ask('POST', '/api/v1/services/later/versions', { body: { upstream } });
    await catalog.running!.publishNow();
    expect(await catalog.served()).toEqual(before);
  });

  it('overtakes a bus that is ahead of a restored database', async () => {
    await publishOrders();
    const before = Number((await catalog.served())!.revision.slice(2));
    await sql('DELETE FROM catalog.snapshot WHERE revision = (SELECT max(revision) FROM catalog.snapshot)');
    await catalog.running!.publishNow();
    const after = (await catalog.served())!;
    expect(Number(after.revision.slice(2))).toBeGreaterThan(before);
    expect(after.routes).toHaveLength(1);
  });

  it('never overtakes with what is older than an edit that is committed meanwhile', async () => {
    await publishOrders();
    await sql('DELETE FROM catalog.snapshot WHERE revision = (SELECT max(revision) FROM catalog.snapshot)');
    const kv = catalog.bus.kv.bind(catalog.bus);
    let edit: Promise<Answer> | undefined;
    // The edit falls between the look at the database and the look at the bus.
    catalog.bus.kv = async (name) => {
      if (!edit) {
        edit = catalog.ask('POST', '/api/v1/consumers', { body: { name: 'shop' } });
        await catalog.until(async () => (await sql(`SELECT FROM catalog.consumer`)).length === 1);
      }
      return kv(name);
    };
    try {
      await catalog.running!.publishNow();
      expect((await edit)!.status).toBe(201);
    } finally {
      catalog.bus.kv = kv;
    }
    await catalog.until(async () => (await catalog.served())?.consumers.length === 1);
  });

  it('is told with what each node runs', async () => {
    await publishOrders();
    const { revision } = (await catalog.served())!;
    const tell = (report: object) =>
      catalog.bus.publish('sallyport.catalog.snapshot.applied.v1', Buffer.from(JSON.stringify(report)));
    await tell({ node: 'ingress-1', app: 'ingress', revision, milliseconds: 12 });
    await tell({ node: 'ingress-2', app: 'ingress', revision: 'c_0', error: 'routes/0: broken' });
    await catalog.bus.publish('sallyport.catalog.snapshot.applied.v1', Buffer.from('not json'));
    await catalog.until(async () => (await catalog.ask('GET', '/api/v1/config/status')).body.nodes.length === 2);
    expect((await catalog.ask('GET', '/api/v1/config/status')).body).toMatchObject({
      revision,
      nodes: [
        { node: 'ingress-1', current: true },
        { node: 'ingress-2', current: false, error: 'routes/0: broken' },
      ],
    });
  });
});

describe('edits at the same time', () => {
  it('come one after the other, none is lost, and the bus ends on the last', async () => {
    const names = Array.from({ length: 12 }, (_, index) => `consumer-${String(index).padStart(2, '0')}`);
    const answers = await Promise.all(
      names.map((name) => catalog.ask('POST', '/api/v1/consumers', { body: { name } })),
    );
    expect(answers.map(({ status }) => status)).toEqual(names.map(() => 201));
    await catalog.until(async () => (await catalog.served())?.consumers.length === names.length);
    expect(new Set(answers.map(({ headers }) => headers['x-sallyport-config-version'])).size).toBe(names.length);
  });
});
