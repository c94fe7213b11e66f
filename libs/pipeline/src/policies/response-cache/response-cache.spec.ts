import type { RequestHead, SnapshotRoute, SnapshotUpstream } from '@sallyport/contracts';
import { policyInput, somePrincipal, someRoute, type TestExchange } from '@sallyport/testkit';
import { AnswerDraft, RequestDraft } from '../../draft';
import { isReply, type PolicyExchange, type PolicyInput, type PolicyServices, type Verdict } from '../../policy';
import { servicesWithoutMemory } from '../../policy-services';
import { responseCache } from './response-cache';

const route = someRoute();

function policy(config: object, services: PolicyServices = { ...servicesWithoutMemory }) {
  return responseCache.compile(responseCache.config.parse(config), route, services);
}

type Hooks = ReturnType<typeof policy>;

/** What a request meets beside the policy: its exchange, the policies that shaped it before, and a choosy upstream. */
interface Where extends Partial<Pick<PolicyExchange, 'route' | 'upstream' | 'principal' | 'meantForCanary'>> {
  readonly vary?: string;
  readonly shape?: (draft: RequestDraft) => void;
}

/** Sends one request through the hooks, with an upstream that answers like this. */
function send(
  hooks: Hooks,
  head: Partial<RequestHead>,
  principal = somePrincipal(),
  cacheControl = 'max-age=60',
  { vary, shape, ...where }: Where = {},
  mayBeCut = false,
) {
  const input: PolicyInput & { exchange: TestExchange } = policyInput(head, { route, principal, ...where });
  const draft = new RequestDraft(input.request, input.request.path);
  shape?.(draft);
  const asked: { verdict: Verdict | 'waits' } = { verdict: 'waits' };
  hooks.intercept!(input, (given) => (asked.verdict = given), draft);
  const { verdict } = asked;
  if (verdict === 'waits') return { from: 'waits' };
  if (isReply(verdict)) return { from: 'cache', status: verdict.status, body: Buffer.from(verdict.body).toString() };
  if (verdict) return { from: verdict.code };
  const fields = ['cache-control', cacheControl, 'etag', '"1"', ...(vary === undefined ? [] : ['vary', vary])];
  const answer = new AnswerDraft('upstream', 200, fields, mayBeCut);
  hooks.answerHead!(input, answer);
  answer.bodyFollows();
  const { answerBody } = hooks;
  const passed: string[] = [];
  if (answerBody?.mode === 'stream') {
    const out = {
      data: (chunk: Buffer) => passed.push(chunk.toString()) > 0,
      end: () => undefined,
      room: () => undefined,
      refuse: () => undefined,
    };
    const transform = answerBody.open(input, answer, out);
    for (const part of ['he', 'llo']) transform?.data(Buffer.from(part));
    transform?.end();
  }
  hooks.settle!(input, { status: 200, refusal: undefined, bytesIn: 0, bytesOut: 5, aborted: false });
  return { from: 'upstream', told: answer.fields.get('cache-status'), sent: draft.fields.raw, passed };
}

describe('the response-cache policy', () => {
  it('passes on, and never keeps, an answer of which nobody can tell whether it is whole (RFC 9111 §3.3)', () => {
    const hooks = policy({});
    for (let n = 0; n < 2; n++) {
      const sent = send(hooks, {}, undefined, undefined, {}, true);
      expect(sent).toMatchObject({ from: 'upstream', told: expect.not.stringContaining('stored') });
    }
  });

  it('passes the first answer on as it comes, and serves the second from what it kept', () => {
    const hooks = policy({});
    expect(send(hooks, {})).toMatchObject({
      from: 'upstream',
      passed: ['he', 'llo'],
      told: expect.stringContaining('stored'),
    });
    expect(send(hooks, {})).toEqual({ from: 'cache', status: 200, body: 'hello' });
  });

  it.each([
    ['other scopes', somePrincipal({ scopes: new Set(['admin']) })],
    ['another subject', somePrincipal({ subject: 'other' })],
    ['another consumer', somePrincipal({ consumer: 'other' })],
    ['the same names in another tenant', somePrincipal({ tenant: 'acme' })],
  ])('never gives an answer to a caller with %s', (_, other) => {
    const hooks = policy({});
    send(hooks, {});
    expect(send(hooks, {}, other).from).toBe('upstream');
  });

  it('puts its own conditions in the place of the caller’s', () => {
    const hooks = policy({});
    send(hooks, {}, somePrincipal(), 'no-cache');
    const field = new Map([
      ['if-none-match', '"mine"'],
      ['if-modified-since', 'Thu, 01 Jan 2026 00:00:00 GMT'],
    ]);
    const fields = [...field].map(([name, value]) => ({ name, value }));
    expect(send(hooks, { field, fields }).sent).toEqual(['if-none-match', '"1"']);
  });

  it('refuses a caller who wants only what is kept, with a code', () => {
    expect(send(policy({}), { field: new Map([['cache-control', 'only-if-cached']]) }).from).toBe('CACHE_NOTHING_KEPT');
  });

  it('has one cache for all routes of a process, and none in common with another process', () => {
    const services = { ...servicesWithoutMemory };
    send(policy({}, services), {});
    expect(send(policy({}, services), { method: 'DELETE' }).from).toBe('upstream');
    expect(send(policy({}, services), {}).from).toBe('upstream');
    expect(send(policy({}), {}).from).toBe('upstream');
  });

  describe('of an upstream', () => {
    const orders: SnapshotUpstream = {
      id: 'orders',
      tenant: 'default',
      name: 'orders',
      targets: [
        { url: 'http://one.example', weight: 1 },
        { url: 'http://two.example', weight: 0 },
      ],
      timeouts: { connectMs: 1000, firstByteMs: 1000, idleMs: 1000 },
      allowPrivate: false,
    };
    const canaryRoute = someRoute({ canary: { upstream: 'canary', percent: 5, sticky: true } });

    /** Who answers the second request, when the first was sent under one configuration and it under another. */
    function second(
      before: Record<string, SnapshotUpstream>,
      after: Record<string, SnapshotUpstream>,
      of: SnapshotRoute = route,
    ) {
      const hooks = policy({});
      const where = { route: of, meantForCanary: true };
      send(hooks, {}, somePrincipal(), 'max-age=60', { ...where, upstream: (id) => before[id] });
      return send(hooks, {}, somePrincipal(), 'max-age=60', { ...where, upstream: (id) => after[id] }).from;
    }

    it.each<[string, Partial<SnapshotUpstream>]>([
      ['has other targets', { targets: [{ url: 'http://three.example', weight: 1 }] }],
      ['gives its work to another target', { targets: [{ url: 'http://two.example', weight: 1 }] }],
      ['is verified by another name', { tls: { serverName: 'two.example' } }],
    ])('does not serve what it kept once it %s, though the route is the same', (_, change) => {
      expect(second({ orders }, { orders: { ...orders, ...change } })).toBe('upstream');
    });

    it('does not serve what a canary may have answered once that is another one', () => {
      const canary = { ...orders, id: 'canary' };
      const other = { ...canary, targets: [{ url: 'http://three.example', weight: 1 }] };
      expect(second({ orders, canary }, { orders, canary: other }, canaryRoute)).toBe('upstream');
    });

    it('gives what the canary answered to nobody but those whom it is meant for', () => {
      const hooks = policy({});
      const from = (meantForCanary: boolean) =>
        send(hooks, {}, somePrincipal(), 'max-age=60', { route: canaryRoute, meantForCanary }).from;
      expect([true, false, true, false].map(from)).toEqual(['upstream', 'upstream', 'cache', 'cache']);
    });

    it('serves on when only its timeouts or the shares of its targets change', () => {
      const [one, two] = orders.targets;
      const after = {
        ...orders,
        timeouts: { ...orders.timeouts, idleMs: 9000 },
        targets: [two!, { ...one!, weight: 7 }],
      };
      expect(second({ orders }, { orders: after })).toBe('cache');
    });
  });

  describe('judges by the request as the upstream is told it', () => {
    const guest = { principal: undefined };
    const sending = (name: string, value: string): Partial<RequestHead> => ({
      fields: [{ name, value }],
      field: new Map([[name, value]]),
    });
    /** Who answers the second of two requests. */
    function second(
      [one, other]: readonly [Where, Where],
      [head, otherHead]: readonly [Partial<RequestHead>, Partial<RequestHead>] = [{}, {}],
      cacheControl = 'max-age=60',
      config: object = { shared: true },
    ) {
      const hooks = policy(config);
      send(hooks, head, somePrincipal(), cacheControl, one);
      return send(hooks, otherHead, somePrincipal(), cacheControl, other).from;
    }
    const of = (consumer: string): Where => ({
      principal: somePrincipal({ consumer }),
      vary: 'X-Sallyport-Consumer',
    });

    it.each<[string, ...Parameters<typeof second>]>([
      ['the consumer, of two consumers', [of('alice'), of('bob')], [{}, {}], 'public, max-age=60'],
      ['the consumer, of a guest and a consumer', [{ ...guest, vary: 'X-Sallyport-Consumer' }, of('alice')]],
      [
        'the address it comes from',
        [
          { ...guest, vary: 'X-Forwarded-For' },
          { ...guest, vary: 'X-Forwarded-For' },
        ],
        [{ clientAddress: '192.0.2.1' }, { clientAddress: '192.0.2.2' }],
      ],
      [
        'a field that a policy has set',
        [
          { vary: 'X-Plan', shape: ({ fields }) => fields.set('x-plan', 'gold') },
          { vary: 'X-Plan', shape: ({ fields }) => fields.set('x-plan', 'free') },
        ],
      ],
      ['a query that a policy has set', [{ shape: (draft) => void draft.setQuery('lang=en') }, {}]],
      ['a path that a policy has set', [{ shape: (draft) => void draft.setPath('/elsewhere') }, {}]],
    ])('and keeps answers apart by %s', (_, ...asked) => {
      expect(second(...asked)).toBe('upstream');
      const [[, same], [, head] = [{}, {}], ...more] = asked;
      expect(second([same, same], [head, head], ...more)).toBe('cache');
    });

    it.each([
      ['a guest’s X-API-Key', guest, 'x-api-key'],
      ['a guest’s cookie', guest, 'cookie'],
      ['a consumer’s cookie', {}, 'cookie'],
      ['a token of the application', {}, 'x-acme-access-token'],
    ])('and parts callers by %s, which only the upstream knows', (_, who, name) => {
      const heads = [sending(name, 'one'), sending(name, 'two')] as const;
      const from = (...more: [string, object]) => second([who, who], heads, ...more);
      expect(from('max-age=60', {})).toBe('upstream');
      expect(from('max-age=60', { shared: true })).toBe('upstream');
      expect(from('max-age=60, public', {})).toBe('upstream');
      expect(from('max-age=60, public', { shared: true })).toBe('cache');
    });

    it('and does not part callers by a credential that ends at the gateway', () => {
      const heads = [sending('authorization', 'Bearer one'), sending('authorization', 'Bearer two')] as const;
      expect(second([{}, {}], heads)).toBe('cache');
    });
  });

  it.each([{ wait: '2h' }, { unstated: 'soon' }, { maxBodyBytes: 0 }, { setCookie: 'keep' }])(
    'refuses the configuration %j',
    (config) => {
      expect(responseCache.config.safeParse(config).success).toBe(false);
    },
  );
});
