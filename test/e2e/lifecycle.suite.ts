import { startOrders } from '../../examples/orders/server.mjs';
import { expectStatus, type Answer } from './calls';
import { patientWaf, type AuditRecord, type MintedKey, type Product } from './product';
import { PATIENCE_MS, until } from './waiting';

type Orders = Awaited<ReturnType<typeof startOrders>>;

const LIMIT = 5;
const WINDOW_SECONDS = 60;

/** A real HTTP API from its first draft to its end, as an administrator and a caller live through it. */
export function describeLifecycle(product: () => Product): void {
  let orders: Orders;
  let minted: MintedKey;

  const upstream = () => ({ targets: [{ url: orders.url }], timeout: '5s', allowPrivate: true });
  const requestIdOf = ({ headers }: Answer) => headers['x-sallyport-request-id']!;

  beforeAll(async () => {
    orders = await startOrders({ port: 0 });
    minted = await product().apiKey({ name: 'shop' });
  });
  afterAll(() => orders?.close());

  it('publishes a service step by step through the admin API', async () => {
    const steps = [
      '/api/v1/services',
      '/api/v1/services/orders/versions',
      '/api/v1/services/orders/versions/v1/publish',
    ];
    const draft = {
      version: 'v1',
      upstream: upstream(),
      policies: [{ 'body-limit': { maxBytes: 65_536 } }, patientWaf],
    };
    expectStatus(await product().admin(steps[0]!, { body: { name: 'orders' } }), 201);
    expectStatus(await product().admin(steps[1]!, { body: draft }), 201);
    expect((await product().get('/orders', minted.key)).status).toBe(404);
    const published = expectStatus(await product().admin(steps[2]!, { method: 'POST' }), 200);
    await product().served(published.headers['x-sallyport-config-version']!);
  });

  it('serves it to a key, and has the call in the audit under the name of its consumer', async () => {
    const answer = expectStatus(await product().get('/orders', minted.key), 200);
    expect(answer.json<{ items: unknown[] }>().items.length).toBeGreaterThan(0);
    const record = await product().recordOf(requestIdOf(answer));
    expect(record.actor?.app_name).toBe('shop');
    expect(record.unmapped.sallyport).toMatchObject({
      credential: { id: minted.kid, kind: 'api-key' },
      service: 'orders',
      service_version: 'v1',
      outcome: 'ok',
    });
  });

  it('shows at the admin door how the gateway stands with each target', async () => {
    const answer = expectStatus(await product().admin('/api/ingress/v1/upstreams'), 200);
    const { upstreams } = answer.json<{ upstreams: { targets: { url: string; standing: string }[] }[] }>();
    const targets = upstreams.flatMap((upstream) => upstream.targets);
    expect(targets).toContainEqual(expect.objectContaining({ url: orders.url, standing: 'serving' }));
  });

  it('refuses a caller without a key, with a document, and has that in the audit too', async () => {
    const answer = expectStatus(await product().get('/orders'), 401);
    expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json' });
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
    expect(answer.json()).toMatchObject({ code: 'AUTH_REQUIRED', status: 401, request_id: requestIdOf(answer) });
    const record = await product().recordOf(requestIdOf(answer));
    expect(record.actor?.app_name).toBe('anonymous');
    expect(record.unmapped.sallyport).toMatchObject({ code: 'AUTH_REQUIRED' });
  });

  it('refuses a revoked key within a second', async () => {
    const leaving = await product().apiKey({ name: 'leaving' });
    expectStatus(await product().get('/orders', leaving.key), 200);
    expectStatus(await product().admin(`/api/auth/v1/keys/${leaving.kid}`, { method: 'DELETE' }), 200);
    const revokedAt = performance.now();
    const refused = await until('the key is refused', async () => {
      const begun = performance.now();
      const answer = await product().get('/orders', leaving.key);
      if (answer.status === 401) return answer;
      // What was asked later than a second after the revocation must not be served, however slow this machine is.
      expect(begun - revokedAt).toBeLessThan(1_000);
      return undefined;
    });
    expect(refused.json()).toMatchObject({ code: 'AUTH_KEY_INVALID' });
    const session = await product().recordOf(requestIdOf(refused), 'session.refused');
    expect(session.unmapped.sallyport).toMatchObject({ credential: { id: leaving.kid } });
  });

  it('never serves more than the limit, says what is left, and tells a refused caller when to come again', async () => {
    const policies = [{ 'rate-limit': { limit: LIMIT, window: `${WINDOW_SECONDS}s`, by: 'consumer' } }, patientWaf];
    await product().publish({ services: [{ name: 'limited', upstream: upstream(), stripPrefix: true, policies }] });
    const begun = performance.now();
    const answers: Answer[] = [];
    const refused = await until('a refusal', async () => {
      const answer = await product().get('/limited/orders', minted.key);
      if (answer.status === 429) return answer;
      answers.push(answer);
      return undefined;
    });
    const returned = Math.floor(((performance.now() - begun) / 1000 / WINDOW_SECONDS) * LIMIT);
    expect(answers.length).toBeLessThanOrEqual(LIMIT + returned);
    for (const { headers } of answers) {
      expect(headers['ratelimit-policy']).toContain(`q=${LIMIT};w=${WINDOW_SECONDS}`);
      expect(headers['ratelimit']).toMatch(/r=\d+/);
    }
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(Number(refused.headers['retry-after'])).toBeLessThanOrEqual(WINDOW_SECONDS);
    expect(refused.json()).toMatchObject({ code: 'LIMIT_EXCEEDED' });
    const { unmapped } = await product().recordOf(requestIdOf(refused));
    expect(unmapped.sallyport).toMatchObject({ code: 'LIMIT_EXCEEDED' });
  });

  it('has every change of an administrator in the audit: who, what, and what it was before', async () => {
    const edit = await product().admin('/api/v1/services/orders/versions/v1');
    const patch = {
      method: 'PATCH',
      headers: { 'if-match': edit.headers['etag']!, 'content-type': 'application/merge-patch+json' },
    };
    const changed = await product().admin('/api/v1/services/orders/versions/v1', {
      ...patch,
      body: JSON.stringify({ description: 'An order book.' }),
    });
    expectStatus(changed, 200);
    const record = await until('the change is in the audit', async () => {
      const found = await product().admin('/api/audit/v1/events?what=change.committed&limit=50');
      return expectStatus(found, 200)
        .json<{ items: AuditRecord[] }>()
        .items.find(({ unmapped }) => JSON.stringify(unmapped).includes('An order book.'));
    });
    expect(record.actor?.user?.uid).toBe('admin');
    expect(record.entity).toMatchObject({ name: expect.stringContaining('orders') });
    expect(record.unmapped.sallyport).toMatchObject({
      change: { via: 'api', json_patch: [expect.objectContaining({ path: '/description', value: 'An order book.' })] },
    });
  });

  it('drops no request while revisions are published, and answers each from one of them', async () => {
    const declared = (number: number) => ({
      services: [
        {
          name: 'busy',
          upstream: upstream(),
          stripPrefix: true,
          description: `Revision ${number}`,
          policies: [patientWaf],
          trustTrace: number % 2 === 1,
        },
      ],
    });
    const revisions = new Set([await product().publish(declared(0))]);
    let publishing = true;
    const answers: Answer[] = [];
    const load = async (): Promise<void> => {
      while (publishing) answers.push(await product().get('/busy/orders', minted.key));
    };
    const callers = Promise.all(Array.from({ length: 6 }, load));
    for (let number = 1; number <= 10; number++) {
      revisions.add(await product().publish(declared(number)));
      const enough = answers.length + 20;
      await until('requests between two revisions', () => answers.length >= enough);
    }
    publishing = false;
    await callers;
    expect(answers.length).toBeGreaterThanOrEqual(200);
    expect(answers.filter(({ status }) => status !== 200).map(({ text }) => text)).toEqual([]);
    const seen = new Set(answers.map(({ headers }) => headers['x-sallyport-config-version']!));
    expect([...seen].filter((revision) => !revisions.has(revision))).toEqual([]);
    expect(seen.size).toBeGreaterThan(5);
  });

  it('announces the end of a version on every answer, and answers 410 once the day has come', async () => {
    const sunset = new Date(Date.now() + 4_000);
    const body = {
      sunset: sunset.toISOString(),
      successor: '/orders/v2',
      reason: 'the test will not wait ninety days',
    };
    const path = '/api/v1/services/orders/versions/v1';
    const deprecated = expectStatus(await product().admin(`${path}/deprecate`, { body }), 200);
    await product().served(deprecated.headers['x-sallyport-config-version']!);
    const since = deprecated.json<{ lifecycle: { deprecated: string } }>().lifecycle.deprecated;
    const answer = await product().get('/orders', minted.key);
    // A machine that needs four seconds for a revision has met the sunset already, whose answers say the same.
    expect([200, 410]).toContain(answer.status);
    expect(answer.headers['deprecation']).toBe(`@${Math.floor(Date.parse(since) / 1000)}`);
    expect(Date.parse(answer.headers['sunset']!)).toBe(Math.floor(sunset.getTime() / 1000) * 1000);
    expect(answer.headers['link']).toBe('</orders/v2>; rel="successor-version"');

    const gone = await until('the sunset', async () => {
      const late = await product().get('/orders', minted.key);
      return late.status === 410 && late;
    });
    expect(Date.now()).toBeGreaterThanOrEqual(sunset.getTime());
    expect(gone.json()).toMatchObject({ code: 'SERVICE_SUNSET', status: 410 });
    expect(gone.headers['deprecation']).toMatch(/^@\d+$/);
  });

  it('goes on answering 410 when the version is decommissioned', async () => {
    const path = '/api/v1/services/orders/versions/v1';
    const body = { reason: 'nobody calls it any more' };
    const decommissioned = await until(
      'the version is decommissioned',
      async () => {
        const answer = await product().admin(`${path}/decommission`, { body });
        // Until the catalog, too, has seen the day come.
        return answer.status === 409 ? undefined : expectStatus(answer, 200);
      },
      { within: 2 * PATIENCE_MS },
    );
    await product().served(decommissioned.headers['x-sallyport-config-version']!);
    const answer = expectStatus(await product().get('/orders', minted.key), 410);
    expect(answer.json()).toMatchObject({ code: 'SERVICE_SUNSET' });
  });
}
