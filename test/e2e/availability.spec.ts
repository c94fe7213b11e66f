import { startFakeVendor, type FakeVendor } from '@sallyport/testkit';
import { startOrders } from '../../examples/orders/server.mjs';
import { expectStatus, type Answer } from './calls';
import { chatOptions, vendorKey } from './chat.suite';
import {
  describeIn,
  startProduct,
  type AuditRecord,
  type DecisionService,
  type MintedKey,
  type Product,
} from './product';
import { PATIENCE_MS, pause, until } from './waiting';

jest.setTimeout(180_000);

const LIMIT = 20;
const WINDOW_SECONDS = 86_400;

/**
 * The availability contract, with every service and server ended for real, and made to stand still for real: slow is tested
 * like down. While all of that happens somebody knocks without pause with credentials that must be denied.
 */
describeIn(['cluster'], 'the product with parts of it away', (mode) => {
  let product: Product;
  let orders: Awaited<ReturnType<typeof startOrders>>;
  let vendor: FakeVendor;
  let minted: MintedKey;
  let knocking: Knocking;

  beforeAll(async () => {
    [orders, vendor] = await Promise.all([startOrders({ port: 0 }), startFakeVendor()]);
    // One process that stands in: each knows only what it was told itself, so that several are exact in their rate alone.
    const ingress = { ...chatOptions.only?.ingress, SALLYPORT_INGRESS_WORKERS: '1' };
    product = await startProduct(mode, { ...chatOptions, only: { ...chatOptions.only, ingress } });
    const upstream = { targets: [{ url: orders.url }], allowPrivate: true };
    const service = { upstream, stripPrefix: true };
    const rate = (limit: number, window: string) => ({ 'rate-limit': { limit, window, by: 'consumer' } });
    await product.publish({
      services: [
        { name: 'open', class: 'public', ...service, policies: [rate(100_000, '60s')] },
        { name: 'inner', class: 'internal', ...service },
        { name: 'strict', class: 'regulated', ...service },
        { name: 'flagged', class: 'public', ...service, policies: [{ waf: { on_failure: 'allow_flagged' } }] },
        {
          name: 'scarce',
          class: 'public',
          ...service,
          policies: [rate(LIMIT, `${WINDOW_SECONDS}s`), { waf: { on_failure: 'allow_flagged' } }],
        },
      ],
      accounts: [
        {
          name: 'vendor',
          provider: 'vendor',
          baseUrl: vendor.baseUrl,
          allowPrivate: true,
          key: '${env:E2E_VENDOR_KEY}',
        },
      ],
      models: [
        { name: 'leased', fallback: [{ account: 'vendor', model: 'small-1' }] },
        { name: 'careful', class: 'regulated', fallback: [{ account: 'vendor', model: 'small-1' }] },
      ],
    });
    minted = await product.apiKey({ name: 'steady' });
    const revoked = await product.apiKey({ name: 'revoked' });
    expectStatus(await product.admin(`/api/auth/v1/keys/${revoked.kid}`, { method: 'DELETE' }), 200);
    await until('the revocation', async () => (await product.get('/flagged/orders', revoked.key)).status === 401);
    knocking = new Knocking(product, [undefined, 'sp_live_wrong', revoked.key]);
    knocking.begin();
  });
  afterAll(async () => {
    await knocking?.end();
    await product?.close();
    await Promise.all([orders?.close(), vendor?.close()]);
  });

  // A test that fails must not fail the next one.
  afterEach(() => product.repair());

  const requestIdOf = ({ headers }: Answer) => headers['x-sallyport-request-id']!;
  const facts = ({ unmapped }: AuditRecord) =>
    unmapped.sallyport as unknown as {
      decided_by: Record<string, string>;
      skipped: { control: string }[];
      code?: string;
    };

  const chat = (model: string) =>
    product.get('/v1/chat/completions', minted.key, {
      body: { model, messages: [{ role: 'user', content: 'hello' }] },
    });

  /** Asks until it is answered so: on a slow machine the inspection of a chat misses its budget now and then. */
  const chatAnswers = (model: string, status: number, code?: string) =>
    until(`a chat with ${model} is answered with ${status}`, async () => {
      const answer = await chat(model);
      if (answer.status !== status) return undefined;
      return (code === undefined || facts(await product.recordOf(requestIdOf(answer))).code === code) && answer;
    });

  /** Who decided in the place of a service, or that service itself, for a request that was answered so. */
  async function decidedBy(service: DecisionService, answer: Answer): Promise<string | undefined> {
    return facts(await product.recordOf(requestIdOf(answer))).decided_by[service];
  }

  /** Until requests are decided by the service again. */
  async function recovers(service: DecisionService, ask: () => Promise<Answer>): Promise<void> {
    await product.start(service);
    await product.consulting([service]);
    await until(`${service} decides again`, async () => (await decidedBy(service, await ask())) === 'service');
  }

  /** Lets a service stand still while `ask` is asked, and sees that it decides again afterwards. */
  async function whileFrozen(service: DecisionService, ask: () => Promise<Answer>, work: () => Promise<void>) {
    await until(`${service} decides`, async () => (await decidedBy(service, await ask())) === 'service');
    product.freeze(service);
    try {
      await work();
    } finally {
      product.thaw(service);
    }
    await product.consulting([service]);
    await until(`${service} decides again`, async () => (await decidedBy(service, await ask())) === 'service');
  }

  /** So many calls that are all answered so; how long they may take is tested where the time is the test's own. */
  async function all(count: number, status: number, ask: () => Promise<Answer>): Promise<void> {
    for (let call = 0; call < count; call++) expectStatus(await ask(), status);
  }

  /** Waits for the record of a stretch in which a service was stood in for, that ended after `from`. */
  async function fallbackOf(service: string, mode: string, from: number): Promise<{ requests: number }> {
    return until(`the record that ${service} was stood in for (${mode})`, async () => {
      const since = encodeURIComponent(new Date(from).toISOString());
      const answer = await product.admin(`/api/audit/v1/events?what=control.reported&limit=200&from=${since}`);
      const reports = expectStatus(answer, 200)
        .json<{ items: AuditRecord[] }>()
        .items.map(
          ({ unmapped }) => unmapped.sallyport as unknown as { what: string; detail?: Record<string, unknown> },
        );
      const found = reports.find(
        ({ what, detail }) => what === 'fallback' && detail?.['service'] === service && detail['mode'] === mode,
      );
      return found && { requests: Number(found.detail!['requests']) };
    });
  }

  /** How often a rate-limit replica has taken its share from memory, because Redis was gone or missed its time. */
  const sharesTaken = () => product.logs().split('limits are not shared').length - 1;

  /** Whether the ingress has decided one of them from its own share: on a slow machine it does not always wait until rate-limit gives Redis up. */
  async function ingressStoodIn(answers: readonly Answer[]): Promise<boolean> {
    for (const answer of answers) if ((await decidedBy('rate-limit', answer)) === 'local') return true;
    return false;
  }

  /** The contract: the limit itself, and never its double, not even where a slow machine has interrupted the sharing too. */
  const mostOf = (interruptions: number) => (interruptions === 0 ? LIMIT : 2 * LIMIT - 1);

  let spenders = 0;
  /** Spends half of a limit at rate-limit itself: with another key where a slow machine had the ingress decide in between. */
  const halfSpent = (name: string) =>
    until('half of the limit was spent at rate-limit', async () => {
      const { key } = await product.apiKey({ name: `${name}-${++spenders}` });
      const ask = () => product.get('/scarce/orders', key);
      const before = sharesTaken();
      const answers: Answer[] = [];
      for (let count = 0; count < LIMIT / 2; count++) answers.push(await ask());
      return !(await ingressStoodIn(answers)) && { ask, answers, before };
    });

  /**
   * What may be served of a limit while Redis is away: that is one interruption, on record anew unless the last one was a moment
   * ago, and each other one is of a slow machine.
   */
  const mostWithoutRedis = async (answers: readonly Answer[], before: number) =>
    mostOf(Math.max(0, sharesTaken() - before - 1) + Number(await ingressStoodIn(answers)));

  describe('auth', () => {
    it('is stood in for by the same engine, which knows every key from before and lets nobody else in', async () => {
      const ask = () => product.get('/flagged/orders', minted.key);
      await until('auth decides', async () => (await decidedBy('auth', await ask())) === 'service');
      await product.kill('auth');
      const answers = [await ask(), await ask(), await ask()];
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
      expect(await decidedBy('auth', answers[2]!)).toBe('local');
      const refused = expectStatus(await product.get('/flagged/orders', 'sp_live_wrong'), 401);
      expect(await decidedBy('auth', refused)).toBe('local');
      const write = await product.admin('/api/auth/v1/keys', { body: { name: 'late' } });
      expect(write.json()).toMatchObject({ status: 503, code: 'ADMIN_UNAVAILABLE' });
      expect(Number(write.headers['retry-after'])).toBeGreaterThan(0);
      await recovers('auth', ask);
    });

    it('is stood in for alike when it stands still', async () => {
      const ask = () => product.get('/flagged/orders', minted.key);
      const from = Date.now();
      await whileFrozen('auth', ask, async () => {
        await all(15, 200, ask);
        expect(await decidedBy('auth', await ask())).toBe('local');
        expectStatus(await product.get('/flagged/orders', 'sp_live_wrong'), 401);
      });
      expect((await fallbackOf('auth', 'local', from)).requests).toBeGreaterThan(15);
    });
  });

  describe('rate-limit', () => {
    it('is stood in for by a local bucket that goes on where it ended: nobody gets more than the limit', async () => {
      const { ask, answers, before } = await halfSpent('greedy');
      await product.kill('rate-limit');
      for (let count = 0; count < 2 * LIMIT; count++) answers.push(await ask());
      const served = answers.filter(({ status }) => status === 200);
      expect(served.length).toBeGreaterThanOrEqual(LIMIT / 2);
      expect(served.length).toBeLessThanOrEqual(mostOf(sharesTaken() - before));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
      const refused = answers.at(-1)!;
      expect(refused.headers['retry-after']).toBeDefined();
      expect(refused.headers['ratelimit']).toBeDefined();
      expect(await decidedBy('rate-limit', refused)).toBe('local');
      expectStatus(await product.get('/flagged/orders', minted.key), 200);
      await recovers('rate-limit', () => product.get('/open/orders', minted.key));
    });

    it('is stood in for alike when it stands still', async () => {
      const { ask, answers, before } = await halfSpent('hungry');
      await whileFrozen(
        'rate-limit',
        () => product.get('/flagged/orders', minted.key),
        async () => {
          for (let count = 0; count < 2 * LIMIT; count++) answers.push(await ask());
          expect(await decidedBy('rate-limit', answers.at(-1)!)).toBe('local');
        },
      );
      const served = answers.filter(({ status }) => status === 200);
      expect(served.length).toBeLessThanOrEqual(mostOf(sharesTaken() - before));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
    });
  });

  describe('waf', () => {
    it('rel-T10: closes a public and a regulated route, and opens only what was told to go on, on record', async () => {
      const from = Date.now();
      await product.kill('waf');
      for (const path of ['/open/orders', '/strict/orders']) {
        const closed = expectStatus(await product.get(path, minted.key), 503);
        expect(closed.json()).toMatchObject({ code: 'WAF_UNAVAILABLE' });
        expect(Number(closed.headers['retry-after'])).toBeGreaterThan(0);
      }
      for (const path of ['/inner/orders', '/flagged/orders']) {
        const answer = expectStatus(await product.get(path, minted.key), 200);
        expect(facts(await product.recordOf(requestIdOf(answer))).skipped).toEqual([
          expect.objectContaining({ control: 'waf' }),
        ]);
        const posted = await product.get(`${path}/echo`, minted.key, { body: { item: 'with a body' } });
        expectStatus(posted, 200);
      }
      await product.start('waf');
      await product.consulting(['waf']);
      const open = await until('the public route is open again', async () => {
        const answer = await product.get('/open/orders', minted.key);
        return answer.status === 200 && answer;
      });
      expect(facts(await product.recordOf(requestIdOf(open)))).toMatchObject({
        decided_by: { waf: 'service' },
        skipped: [],
      });
      expect((await fallbackOf('waf', 'deny', from)).requests).toBeGreaterThanOrEqual(2);
      expect((await fallbackOf('waf', 'allow_flagged', from)).requests).toBeGreaterThanOrEqual(4);
    });

    it('is missed alike when it stands still, by every class of route', async () => {
      const ask = () => product.get('/inner/orders', minted.key);
      await whileFrozen('waf', ask, async () => {
        for (const path of ['/open/orders', '/strict/orders', '/open/orders'])
          expect(expectStatus(await product.get(path, minted.key), 503).json()).toMatchObject({
            code: 'WAF_UNAVAILABLE',
          });
        await all(15, 200, ask);
        expect(facts(await product.recordOf(requestIdOf(await ask()))).skipped).toEqual([
          expect.objectContaining({ control: 'waf' }),
        ]);
      });
    });
  });

  describe('ai-router', () => {
    it('is stood in for with the credentials it has leased before; a regulated model is refused', async () => {
      await until(
        'a credential is leased',
        async () => (await decidedBy('ai-router', await chat('leased'))) === 'service',
      );
      await product.kill('ai-router');
      const answer = await chatAnswers('leased', 200);
      expect(vendor.requests.at(-1)!.headers['authorization']).toBe(`Bearer ${vendorKey}`);
      expect(await decidedBy('ai-router', answer)).toBe('local');
      await chatAnswers('echo', 200);
      const refused = await chatAnswers('careful', 503, 'AI_ROUTER_UNAVAILABLE');
      expect(refused.json()).toMatchObject({ error: { message: expect.any(String) } });
      await recovers('ai-router', () => chat('leased'));
      // What was used meanwhile is in the ledger: the ingress keeps it on disk until the router is back.
      await until('the receipt of the call', async () => {
        const receipts = await product.admin(`/api/ai/v1/receipts?request=${requestIdOf(answer)}`);
        return receipts.json<{ items: unknown[] }>().items.length === 1;
      });
    });

    it('is stood in for alike when it stands still', async () => {
      await whileFrozen(
        'ai-router',
        () => chat('leased'),
        async () => {
          expect(await decidedBy('ai-router', await chatAnswers('leased', 200))).toBe('local');
          await chatAnswers('careful', 503, 'AI_ROUTER_UNAVAILABLE');
        },
      );
    });
  });

  describe('audit', () => {
    it('is not waited for: its records come when it is back', async () => {
      await product.kill('audit');
      const answer = expectStatus(await product.get('/flagged/orders', minted.key), 200);
      const search = await product.admin('/api/audit/v1/events');
      expect(search.json()).toMatchObject({ status: 503, code: 'ADMIN_UNAVAILABLE' });
      await product.start('audit');
      expect((await product.recordOf(requestIdOf(answer))).actor?.app_name).toBe('steady');
    });
  });

  describe('NATS', () => {
    it('is not waited for: requests go on, and their records come when it is back', async () => {
      await product.servers!.nats.stop();
      const answers: Answer[] = [];
      for (let count = 0; count < 5; count++) answers.push(await product.get('/flagged/orders', minted.key));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
      await chatAnswers('echo', 200);
      await product.servers!.nats.start();
      for (const answer of answers)
        expect((await product.recordOf(requestIdOf(answer))).actor?.app_name).toBe('steady');
    });
  });

  describe('NATS, while others are started again', () => {
    it('is not waited for by waf and ingress, which go on with what is on their disks', async () => {
      await product.servers!.nats.stop();
      for (const service of ['waf', 'ingress'] as const) {
        await product.kill(service);
        await product.start(service);
      }
      await product.consulting(['waf']);
      const answer = await until('the public route is inspected and open', async () => {
        const served = await product.get('/open/orders', minted.key);
        return served.status === 200 && served;
      });
      expectStatus(await product.get('/open/orders'), 401);
      await product.servers!.nats.start();
      expect(facts(await product.recordOf(requestIdOf(answer)))).toMatchObject({ decided_by: { waf: 'service' } });
    });
  });

  describe('NATS that stands still', () => {
    it('is not waited for', async () => {
      const { nats } = product.servers!;
      nats.freeze!();
      try {
        await all(15, 200, () => product.get('/flagged/orders', minted.key));
      } finally {
        nats.thaw!();
      }
      const answer = expectStatus(await product.get('/flagged/orders', minted.key), 200);
      expect((await product.recordOf(requestIdOf(answer))).actor?.app_name).toBe('steady');
    });
  });

  describe('Postgres', () => {
    it('is missed by administrators only, who are told when to come again, and needs no restart of ours', async () => {
      const write = (name: string) => product.admin('/api/v1/services', { body: { name } });
      await product.servers!.postgres.stop();
      const answer = expectStatus(await product.get('/flagged/orders', minted.key), 200);
      const refused = await write('unwritten');
      expect(refused.json()).toMatchObject({ status: 503, code: 'ADMIN_UNAVAILABLE' });
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      const key = await product.admin('/api/auth/v1/keys', { body: { name: 'unwritten' } });
      expect(key.json()).toMatchObject({ status: 503, code: 'ADMIN_UNAVAILABLE' });
      expectStatus(await product.get('/flagged/orders', minted.key), 200);
      await product.servers!.postgres.start();
      await until('an administrator can write again', async () => (await write('written')).status === 201);
      expectStatus(await product.admin('/api/v1/services/unwritten'), 404);
      expect((await product.recordOf(requestIdOf(answer))).actor?.app_name).toBe('steady');
    });
  });

  describe('Redis', () => {
    it('is stood in for by each replica: limits hold, and the next decision is still the service’s', async () => {
      const { key } = await product.apiKey({ name: 'thirsty' });
      const ask = () => product.get('/scarce/orders', key);
      const before = sharesTaken();
      const answers = [await ask(), await ask()];
      await product.servers!.redis.stop();
      for (let count = 0; count < 2 * LIMIT; count++) answers.push(await ask());
      await product.servers!.redis.start();
      const served = answers.filter(({ status }) => status === 200).length;
      expect(served).toBeLessThanOrEqual(await mostWithoutRedis(answers, before));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
    });

    it('is stood in for alike when it stands still, and that is on record', async () => {
      const { key } = await product.apiKey({ name: 'parched' });
      const ask = () => product.get('/scarce/orders', key);
      const { redis } = product.servers!;
      const from = Date.now();
      const before = sharesTaken();
      const answers = [await ask(), await ask()];
      redis.freeze!();
      try {
        for (let count = 0; count < 2 * LIMIT; count++) answers.push(await ask());
      } finally {
        redis.thaw!();
      }
      const served = answers.filter(({ status }) => status === 200).length;
      expect(served).toBeLessThanOrEqual(await mostWithoutRedis(answers, before));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 429]));
      expect((await fallbackOf('redis', 'share', from)).requests).toBeGreaterThan(0);
    });
  });

  describe('catalog', () => {
    it('is not needed for serving: an ingress that starts without it runs the last good configuration', async () => {
      await product.kill('catalog');
      const last = expectStatus(await product.get('/flagged/orders', minted.key), 200);
      await product.kill('ingress');
      await product.start('ingress');
      const answer = await until('the ingress serves again', async () => {
        const served = await product.get('/flagged/orders', minted.key);
        return served.status === 200 && served;
      });
      expectStatus(await product.get('/flagged/orders'), 401);
      await product.start('catalog');
      // What was answered before the kill is in a spool that the next ingress has taken over.
      expect((await product.recordOf(requestIdOf(last))).actor?.app_name).toBe('steady');
      expect((await product.recordOf(requestIdOf(answer))).actor?.app_name).toBe('steady');
      await product.consulting();
    });
  });

  it('has let nobody in, in all that time, whose credential must be denied', async () => {
    const { statuses, count } = await knocking.end();
    expect(count).toBeGreaterThan(100);
    // 503: the gateway could not tell, or was told to refuse what it cannot inspect.
    expect([...statuses].filter((status) => status < 400)).toEqual([]);
    expect([...statuses]).toContain(401);
    expect([...statuses].filter((status) => ![401, 503].includes(status))).toEqual([]);
  });
});

/** Calls with credentials that must be denied, one call after the other, until it is told to end. */
class Knocking {
  private readonly statuses = new Set<number>();
  private count = 0;
  private over = false;
  private run: Promise<void> = Promise.resolve();

  constructor(
    private readonly product: Product,
    private readonly credentials: readonly (string | undefined)[],
  ) {}

  begin(): void {
    this.run = this.knock();
  }

  async end(): Promise<{ statuses: ReadonlySet<number>; count: number }> {
    this.over = true;
    await this.run;
    return { statuses: this.statuses, count: this.count };
  }

  private async knock(): Promise<void> {
    const paths = ['/open/orders', '/inner/orders', '/flagged/orders', '/scarce/orders', '/v1/models'];
    while (!this.over) {
      const path = paths[this.count % paths.length]!;
      const credential = this.credentials[this.count % this.credentials.length];
      this.count++;
      // While the ingress itself is away nobody answers, which lets nobody in.
      const answer = await this.product.get(path, credential, { timeoutMs: PATIENCE_MS }).catch(() => undefined);
      if (answer) this.statuses.add(answer.status);
      await pause(20);
    }
  }
}
