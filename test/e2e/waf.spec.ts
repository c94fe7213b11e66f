import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { WafSettings } from '@sallyport/contracts';
import { sharedData } from '@sallyport/testkit';
import { describeIn, startProduct, type Product } from './product';
import { until } from './waiting';

jest.setTimeout(240_000);

/** How long the waf may go on with what nobody waits for any more. */
const LATE_MS = 5_000;

/** How often one request is asked again because its verdict came late. */
const MOST_ASKED = 8;

const crs = sharedData('crs', '4.28.0');
if (crs === undefined) console.warn('skipped: inspection by the OWASP CRS, because its data is not there');

/** Answers with a page that says more than it should, where it is asked to. */
async function startOrigin(): Promise<Server> {
  const server = createServer((request, response) => {
    request.resume();
    const leak = 'You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version';
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.end(request.url!.includes('leak') ? leak : 'fine');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

interface WafRecord {
  readonly verdict: string;
  readonly ruleset: string;
  readonly hits: readonly { readonly rule: number; readonly data?: string }[];
  /** Absent where all of it was inspected. */
  readonly inspected?: object;
}

/** As the admin API tells how two rule sets differ. */
interface Comparison {
  readonly candidate: string;
  readonly inForce: string;
  readonly trial: string;
  readonly requests: number;
  readonly refusedByBoth: number;
  readonly undecided: number;
}

describeIn(['all-in-one', 'cluster'], 'inspection', (mode) => {
  let product: Product;
  let origin: Server;

  beforeAll(async () => {
    origin = await startOrigin();
    product = await startProduct(mode, crs === undefined ? {} : { environment: { SALLYPORT_CRS_DIR: crs } });
    const upstream = {
      targets: [{ url: `http://127.0.0.1:${(origin.address() as AddressInfo).port}`, weight: 1 }],
      allowPrivate: true,
    };
    const service = (name: string, waf: WafSettings) => ({ name, upstream, auth: { anonymous: true }, waf });
    const revision = await product.publish({
      services: [
        service('guarded', {}),
        service('watched', { mode: 'detect' }),
        service('excused', {
          exclude: [{ rule: '942000-942999', target: 'ARGS:q', reason: 'searches for SQL', owner: 'team-search' }],
        }),
        service('secretive', { mode: 'block', response: { inspect: true } }),
      ],
    });
    await product.inspecting(revision);
    if (mode === 'cluster') await product.consulting();
  });
  afterAll(async () => {
    await product?.close();
    await new Promise((resolve) => origin.close(resolve));
  });

  const named = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64)', host: 'shop.example', accept: '*/*' };
  interface Answered {
    readonly status: number;
    readonly id: string;
    readonly body: string;
  }

  /**
   * What the waf has answered, but later than the ingress waits on a machine that does much else, is no verdict, and is asked
   * again; the ingress counts it as late. Any other 503 is what was answered.
   */
  async function get(path: string): Promise<Answered> {
    for (let asked = 0; asked < MOST_ASKED; asked++) {
      const before = await lateAnswers();
      const answer = await ask(path);
      if (answer.status !== 503 || mode !== 'cluster') return answer;
      const isLate = until('the late answer', async () => (await lateAnswers()) > before, { within: LATE_MS });
      if (!(await isLate.catch(() => false))) return answer;
      await product.consulting();
    }
    throw new Error(
      `${path} was asked ${MOST_ASKED} times, and each time the waf answered later than the ingress waits: ` +
        'this machine is too busy to say anything about inspection, or inspection has become slow',
    );
  }
  const lateAnswers = () => product.metric('ingress', 'sallyport_consult_late_total');

  const ask = (path: string): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const request = httpRequest(`${product.ingressUrl}${path}`, { headers: named }, (response) => {
        let body = '';
        response.on('data', (chunk: Buffer) => (body += chunk.toString()));
        response.on('end', () =>
          resolve({ status: response.statusCode!, id: String(response.headers['x-sallyport-request-id']), body }),
        );
      });
      request.on('error', reject);
      request.end();
    });
  const recordOf = async (id: string) => (await product.recordOf(id)).unmapped.sallyport['waf'] as unknown as WafRecord;
  const rulesetNow = async () => (await recordOf((await get(`/guarded?q=${injection}`)).id)).ruleset;
  const injection = encodeURIComponent("1' UNION SELECT password FROM users -- ");

  it('inspects the very first request whole and within its budget, also on a route with rules of its own', async () => {
    // No request came before this one: nothing is warm but what was made so before the product said it was ready.
    const first = await get(`/excused?other=${injection}`);
    expect(first).toMatchObject({ status: 403, body: expect.stringContaining('WAF_BLOCKED') as string });
    expect(await product.metric('waf', 'sallyport_waf_exhausted_total')).toBe(0);
    const { verdict, inspected } = await recordOf(first.id);
    expect({ verdict, inspected }).toEqual({ verdict: 'refuse', inspected: undefined });
  });

  it('refuses an attack on a route that blocks, and says in the audit alone why', async () => {
    expect((await get('/guarded?q=plain')).status).toBe(200);
    const refused = await get(`/guarded?q=${injection}`);
    expect(refused.status).toBe(403);
    expect(refused.body).toContain('WAF_BLOCKED');
    expect(refused.body).not.toMatch(/9421|7700|UNION/);
    const waf = await recordOf(refused.id);
    expect(waf.verdict).toBe('refuse');
    expect(waf.ruleset).toBe(crs === undefined ? 'built-in' : 'crs-4.28.0');
    expect(waf.hits.length).toBeGreaterThan(0);
    for (const { data = '' } of waf.hits) expect(data.length).toBeLessThanOrEqual(100);
  });

  it('lets pass and records where a route only detects', async () => {
    const passed = await get(`/watched?q=${injection}`);
    expect(passed.status).toBe(200);
    expect(await recordOf(passed.id)).toMatchObject({ verdict: 'flag' });
  });

  const itWithCrs = crs === undefined ? it.skip : it;

  itWithCrs('keeps rules off what a route excludes, and on what it does not', async () => {
    expect((await get(`/excused?q=${injection}`)).status).toBe(200);
    expect((await get(`/excused?other=${injection}`)).status).toBe(403);
  });

  itWithCrs('holds an answer back that says too much', async () => {
    expect(await get('/secretive')).toMatchObject({ status: 200, body: 'fine' });
    const leak = await get('/secretive/leak');
    expect(leak.status).toBe(403);
    expect(leak.body).not.toContain('MySQL');
  });

  it('T52: stops a rule while it is matching, within five seconds, and starts it again', async () => {
    const kill = await product.admin('/api/waf/v1/kills', {
      body: { what: 'all', seconds: 60, reason: 'the rules have gone mad' },
    });
    expect(kill.status).toBe(201);
    const began = performance.now();
    await until('a pass', async () => ((await get(`/guarded?q=${injection}`)).status === 200 ? true : undefined));
    expect(performance.now() - began).toBeLessThan(5_000);
    const { id } = kill.json<{ id: string }>();
    expect((await product.admin(`/api/waf/v1/kills/${id}`, { method: 'DELETE' })).status).toBe(200);
    await until('a refusal', async () => ((await get(`/guarded?q=${injection}`)).status === 403 ? true : undefined));
  });

  itWithCrs(
    'tries a rule set on one route alone, and tells what it would refuse that the one in force does not',
    async () => {
      const rulesets = '/api/waf/v1/rulesets';
      const unknown = await product.admin(`${rulesets}/built-in/activate`, { body: { routes: ['nowhere'] } });
      expect(unknown.status).toBe(404);
      const tried = { body: { routes: ['guarded'] }, timeoutMs: 120_000 };
      expect((await product.admin(`${rulesets}/built-in/activate`, tried)).status).toBe(200);
      await until('records by the canary', async () => ((await rulesetNow()) === 'built-in' ? true : undefined));
      expect(await recordOf((await get(`/excused?other=${injection}`)).id)).toMatchObject({ ruleset: 'crs-4.28.0' });
      expect((await get('/guarded?q=plain')).status).toBe(200);
      const { items } = (await product.admin(`${rulesets}/comparisons`)).json<{ items: readonly Comparison[] }>();
      const [comparison] = items;
      expect(comparison).toMatchObject({ candidate: 'built-in', inForce: 'crs-4.28.0', trial: 'canary' });
      expect(comparison!.refusedByBoth + comparison!.undecided).toBeGreaterThan(0);
      expect(comparison!.requests).toBeGreaterThan(1);
      expect((await product.admin(`${rulesets}/rollback`, { body: {} })).status).toBe(200);
      await until('records by crs-4.28.0', async () => ((await rulesetNow()) === 'crs-4.28.0' ? true : undefined));
    },
  );

  it('changes the rule set under way, and goes back', async () => {
    const change = (path: string) => product.admin(`/api/waf/v1/rulesets/${path}`, { body: {}, timeoutMs: 120_000 });
    expect((await change('built-in/activate')).status).toBe(200);
    await until('records by built-in', async () => ((await rulesetNow()) === 'built-in' ? true : undefined));
    if (crs === undefined) return;
    expect((await change('rollback')).status).toBe(200);
    await until('records by crs-4.28.0', async () => ((await rulesetNow()) === 'crs-4.28.0' ? true : undefined));
  });
});
