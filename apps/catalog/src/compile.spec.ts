import { createHash } from 'node:crypto';
import {
  canonicalJson,
  declarative,
  snapshot,
  type DeclarativeInput,
  type DeclaredService,
  type Json,
  type PolicyAttachment,
  type Snapshot,
} from '@sallyport/contracts';
import { policiesById } from '@sallyport/pipeline';
import { atOnce, type Sliced } from '@sallyport/platform';
import { compile, contentDigest } from './compile';
import type { Configuration, VersionEntry } from './configuration';
import { newborn, type Life } from './lifecycle';
import { preflight, type Finding } from './preflight';

const now = Date.parse('2027-03-01T12:00:00Z');
const DAY = 86_400_000;
const tenant = 'default';

const lives: Record<string, Partial<Life>> = {
  draft: {},
  published: { publishedAt: now - 9 * DAY },
  deprecated: { publishedAt: now - 9 * DAY, deprecatedAt: now - 3 * DAY, sunsetAt: now + 90 * DAY },
  sunset: { publishedAt: now - 9 * DAY, deprecatedAt: now - 3 * DAY, sunsetAt: now - DAY },
  decommissioned: { deprecatedAt: now - 30 * DAY, sunsetAt: now - 20 * DAY, decommissionedAt: now - DAY },
};

function configurationOf(input: DeclarativeInput): Configuration {
  const document = declarative.parse(input);
  const entries = <T>(list: readonly T[]) => list.map((declared) => ({ tenant, declared }));
  return {
    versions: document.services.map(versionOf),
    defaults: document.waf ? entries([{ name: 'waf', waf: document.waf }]) : [],
    upstreams: entries(document.upstreams),
    policies: entries(document.policies),
    consumers: entries(document.consumers),
    models: entries(document.models),
    accounts: entries(document.accounts),
    trust: entries(document.trust),
  };
}

function versionOf({ name, kind: _, version, lifecycle, ...spec }: DeclaredService): VersionEntry {
  const state = lifecycle?.state ?? 'published';
  const life = { ...newborn, ...lives[state], state, successor: lifecycle?.successor ?? null };
  return { tenant, service: name, version, spec, life };
}

const upstream = { targets: [{ url: 'https://orders.internal.example' }] };

function judge(input: Omit<DeclarativeInput, 'sallyport'>): Finding[] {
  return atOnce(preflight(configurationOf({ sallyport: 1, ...input }), policiesById, now));
}

function findingsOf(input: Omit<DeclarativeInput, 'sallyport'>): string[] {
  return judge(input).map(({ code, object, pointer }) => `${code} ${object}${pointer}`);
}

function snapshotOf(input: Omit<DeclarativeInput, 'sallyport'>) {
  return atOnce(compile(configurationOf({ sallyport: 1, ...input }), { revision: 'c_7', now }));
}

function digestOf(compiled: Snapshot): string {
  return atOnce(contentDigest(compiled));
}

/** Steps that work takes. */
function stepsOf(work: Sliced<unknown>): number {
  let steps = 0;
  while (!work.next().done) steps++;
  return steps;
}

describe('a canary and a mirror', () => {
  const side = { canary: { upstream: 'next', percent: 5 }, mirror: { upstream: 'shadow', percent: 100 } };
  const upstreams = ['next', 'shadow'].map((name) => ({ name, ...upstream }));

  it('are those of the version unless a route has its own', () => {
    const routes = [{ name: 'a' }, { name: 'b', path: '/b', canary: { upstream: 'next', percent: 50, sticky: false } }];
    const compiled = snapshotOf({ services: [{ name: 'a', upstream, ...side, routes }], upstreams });
    expect(compiled.routes.map(({ canary, mirror }) => ({ canary, mirror }))).toEqual([
      { canary: { upstream: 'next', percent: 5, sticky: true }, mirror: side.mirror },
      { canary: { upstream: 'next', percent: 50, sticky: false }, mirror: side.mirror },
    ]);
    expect(snapshot.safeParse(compiled).error).toBeUndefined();
  });

  it('name upstreams that exist', () => {
    expect(findingsOf({ services: [{ name: 'a', upstream, ...side }] })).toEqual([
      'REFERENCE_UNKNOWN services/a/versions/v1/canary/upstream',
      'REFERENCE_UNKNOWN services/a/versions/v1/mirror/upstream',
    ]);
  });
});

describe('the settings of an upstream', () => {
  it('are judged by the schema of the snapshot, and named as the file names them', () => {
    const wrong = { health: { active: { path: '/up', every: '5ms' } }, retry: { attemptTimeout: '99d' } };
    expect(findingsOf({ services: [{ name: 'a', upstream: { ...upstream, ...wrong } }] })).toEqual([
      'UPSTREAM_RANGE services/a/versions/v1/upstream/health/active/every',
      'UPSTREAM_RANGE services/a/versions/v1/upstream/retry/attemptTimeout',
    ]);
  });

  it('have no use for certificates where a target is called in clear', () => {
    const clear = { targets: [{ url: 'http://a.example' }], tls: { serverName: 'b.example' } };
    expect(findingsOf({ services: [{ name: 'a', upstream: clear }] })).toEqual([
      'TLS_UNUSED services/a/versions/v1/upstream/tls',
    ]);
  });
});

describe('the limits of a route', () => {
  it('are those of the version, member by member replaced by its own, and absent where nobody set any', () => {
    const compiled = snapshotOf({
      services: [
        {
          name: 'orders',
          upstream,
          limits: { bodyBytes: 10, jsonDepth: 8 },
          routes: [
            { name: 'items', path: '/items', limits: { bodyBytes: 20 } },
            { name: 'rest', path: '/rest' },
          ],
        },
        { name: 'plain', upstream },
      ],
    });
    expect(compiled.routes.map(({ id, limits }) => [id, limits])).toEqual([
      ['orders/v1/items', { bodyBytes: 20, jsonDepth: 8 }],
      ['orders/v1/rest', { bodyBytes: 10, jsonDepth: 8 }],
      ['plain/v1/all', undefined],
    ]);
    expect(snapshot.parse(compiled)).toEqual(compiled);
  });

  it('cannot be lifted over their ceilings', () => {
    const tooMuch = { services: [{ name: 'orders', upstream, limits: { jsonDepth: 513 } }] };
    expect(declarative.safeParse({ sallyport: 1, ...tooMuch }).success).toBe(false);
  });
});

describe('the inspection of a route', () => {
  const exclude = [{ rule: 942190, target: 'ARGS:q', reason: 'a search for SQL' }];

  it('is that of the version, member by member replaced by its own; exclusions of both count', () => {
    const compiled = snapshotOf({
      services: [
        {
          name: 'orders',
          upstream,
          waf: { profile: 'json-api', mode: 'detect', paranoia: { detect: 2 }, exclude },
          routes: [
            {
              name: 'search',
              path: '/search',
              waf: {
                mode: 'block',
                paranoia: { block: 1 },
                exclude: [{ tag: 'attack-xss', target: 'ARGS:html', reason: 'markup' }],
              },
            },
            { name: 'rest', path: '/rest' },
          ],
        },
      ],
    });
    const [rest, search] = compiled.routes.map(({ waf }) => waf);
    expect(rest).toEqual({ profile: 'json-api', mode: 'detect', paranoia: { detect: 2 }, exclude });
    expect(search).toMatchObject({ profile: 'json-api', mode: 'block', paranoia: { detect: 2, block: 1 } });
    expect(search?.exclude).toHaveLength(2);
    expect(snapshot.parse(compiled)).toEqual(compiled);
  });

  it('begins with what the document says of all of them', () => {
    const compiled = snapshotOf({
      waf: { mode: 'detect', profile: 'json-api', threshold: { inbound: 10 }, exclude },
      services: [
        { name: 'plain', upstream },
        {
          name: 'strict',
          upstream,
          waf: { mode: 'block', threshold: { outbound: 2 }, exclude },
          routes: [{ name: 'all', waf: { profile: 'graphql' } }],
        },
      ],
    });
    const [plain, strict] = compiled.routes.map(({ waf }) => waf);
    expect(plain).toEqual({ mode: 'detect', profile: 'json-api', threshold: { inbound: 10 }, exclude });
    expect(strict).toEqual({
      mode: 'block',
      profile: 'graphql',
      threshold: { inbound: 10, outbound: 2 },
      exclude: [...exclude, ...exclude],
    });
    expect(snapshot.parse(compiled)).toEqual(compiled);
  });

  it('switches no rule off for everybody without approval', () => {
    const off = { rule: 942190, reason: 'a search for SQL' };
    expect(findingsOf({ waf: { exclude: [exclude[0]!, off] } })).toEqual(['WAF_RULE_OFF defaults/waf/waf/exclude/1']);
    expect(findingsOf({ waf: { exclude: [{ ...off, approved: 'the owner' }] } })).toEqual([]);
  });

  it.each(['ARGS:/(/', 'NOWHERE:q', 'XML:q', 'REQUEST_BODY:q'])(
    'takes no target that inspectors refuse: %s',
    (target) => {
      const waf = { exclude: [{ rule: 942190, target, reason: 'a search for SQL' }] };
      const service = { name: 'a', upstream };
      const at = 'exclude/0/target';
      expect(findingsOf({ waf })).toEqual([`WAF_TARGET defaults/waf/waf/${at}`]);
      const own = { ...service, waf, routes: [{ name: 'all', waf }] };
      expect(findingsOf({ services: [own] })).toEqual([
        `WAF_TARGET services/a/versions/v1/waf/${at}`,
        `WAF_TARGET services/a/versions/v1/routes/0/waf/${at}`,
      ]);
      expect(findingsOf({ services: [{ ...service, policies: [{ waf }] }] })).toEqual([
        `WAF_TARGET services/a/versions/v1/policies/0/waf/${at}`,
      ]);
      expect(findingsOf({ policies: [{ name: 'p', policy: 'waf', config: waf }] })).toEqual([
        `WAF_TARGET policies/p/config/${at}`,
      ]);
    },
  );

  it.each(['ARGS:q', 'ARGS:/^json\\.messages/', 'REQUEST_BODY', 'REQUEST_COOKIES:/^session/'])(
    'takes the target %s',
    (target) => {
      expect(findingsOf({ waf: { exclude: [{ rule: 942190, target, reason: 'a search for SQL' }] } })).toEqual([]);
    },
  );

  describe('takes no more exclusions on one route than an inspector does', () => {
    const many = (count: number) =>
      Array.from({ length: count }, (_, rule) => ({ rule: rule + 1, target: 'ARGS:q', reason: 'a search' }));
    const routes = [
      { name: 'few', path: '/few' },
      { name: 'more', path: '/more', waf: { exclude: many(1) } },
    ];
    const found = ['WAF_EXCLUSIONS services/a/versions/v1/routes/1/waf/exclude'];

    it('counted over the document, the version and the route', () => {
      const service = { name: 'a', upstream, waf: { exclude: many(256) }, routes };
      expect(findingsOf({ waf: { exclude: many(256) }, services: [service] })).toEqual(found);
      expect(findingsOf({ waf: { exclude: many(255) }, services: [service] })).toEqual([]);
    });

    it('and those of a policy, named or not', () => {
      const waf = { exclude: many(1) };
      const service = { name: 'a', upstream, waf: { exclude: many(511) }, routes };
      expect(findingsOf({ services: [{ ...service, policies: [{ waf: {} }] }] })).toEqual([]);
      expect(findingsOf({ services: [{ ...service, policies: [{ waf }] }] })).toEqual(found);
      const policies = [{ name: 'searches', policy: 'waf', config: waf }];
      expect(findingsOf({ policies, services: [{ ...service, policies: ['searches'] }] })).toEqual(found);
    });

    it('and says how many there are and how many may be', () => {
      const service = { name: 'a', upstream, waf: { exclude: many(512) } };
      expect(judge({ waf: { exclude: many(3) }, services: [service] })).toMatchObject([
        { severity: 'error', message: expect.stringMatching(/^515 exclusions .* at most 512 may$/) as string },
      ]);
    });
  });

  it.each([
    ['a profile nobody knows', { profile: 'soap' }],
    ['less detected than blocked', { paranoia: { detect: 1, block: 2 } }],
    ['an exclusion without a reason', { exclude: [{ rule: 942190, target: 'ARGS:q' }] }],
    ['an exclusion of nothing', { exclude: [{ target: 'ARGS:q', reason: 'because' }] }],
    ['a size nobody can read', { body: { inspect: '128 kB' } }],
  ])('takes no %s', (_, waf) =>
    expect(declarative.safeParse({ sallyport: 1, services: [{ name: 'orders', upstream, waf }] }).success).toBe(false),
  );
});

describe('a compiled configuration', () => {
  const full: Omit<DeclarativeInput, 'sallyport'> = {
    services: [
      {
        name: 'orders',
        upstream: { ...upstream, timeout: '5s' },
        policies: [{ 'rate-limit': { limit: 100, window: '60s' } }, 'small-bodies'],
        auth: { scopes: ['orders:read'], trust: ['corporate'] },
      },
      {
        name: 'orders',
        version: 'v2',
        path: '/orders/v2',
        class: 'internal',
        upstream: 'shared',
        routes: [
          { name: 'read', methods: ['HEAD', 'GET'] },
          { name: 'items', path: '/items', upstream, stripPrefix: true },
        ],
      },
    ],
    upstreams: [{ name: 'shared', targets: [{ url: 'http://10.0.0.1', weight: 3 }], allowPrivate: true }],
    policies: [{ name: 'small-bodies', policy: 'body-limit', config: { maxBytes: 1000 } }],
    consumers: [{ name: 'shop', limits: [{ name: 'daily', limit: 5, window: '1d' }] }],
    models: [
      {
        name: 'smart',
        fallback: [
          { provider: 'openai', model: 'gpt-5', price: { inputPerMillion: '0.15', outputPerMillion: '0.60' } },
        ],
      },
    ],
    accounts: [{ name: 'openai-main', provider: 'openai', key: '${env:OPENAI_API_KEY}' }],
    trust: [
      { name: 'corporate', issuer: 'https://id.example', audiences: ['orders'], jwksUrl: 'https://id.example/jwks' },
    ],
  };

  it('is what every reader accepts, with nothing to find fault with', () => {
    expect(findingsOf(full)).toEqual([]);
    const compiled = snapshotOf(full);
    expect(snapshot.parse(compiled)).toEqual(compiled);
    expect(
      compiled.routes.map(({ id, match, upstream: target, stripPrefix }) => [
        id,
        match.pathPrefix,
        match.methods,
        target,
        stripPrefix,
      ]),
    ).toEqual([
      ['orders/v1/all', '/orders', [], 'orders/v1', false],
      ['orders/v2/items', '/orders/v2/items', [], 'orders/v2/items', true],
      ['orders/v2/read', '/orders/v2', ['GET', 'HEAD'], 'shared', false],
    ]);
    expect(compiled.routes[0]!.policies).toEqual([
      { policy: 'rate-limit', config: { limit: 100, window: '60s' } },
      { policy: 'body-limit', config: { maxBytes: 1000 } },
    ]);
    expect(compiled.upstreams.find(({ id }) => id === 'orders/v1')?.timeouts).toEqual({
      connectMs: 2000,
      firstByteMs: 5000,
      idleMs: 30_000,
    });
    expect(compiled.consumers[0]!.limits).toEqual([{ name: 'daily', limit: 5, windowSeconds: 86_400 }]);
    expect(compiled.models[0]!.targets[0]).toMatchObject({ account: 'openai-main', price: { currency: 'USD' } });
    expect(compiled.accounts[0]).toMatchObject({
      wire: 'openai-chat',
      baseUrl: 'https://api.openai.com/v1',
      key: '${env:OPENAI_API_KEY}',
    });
  });

  it('says the same, byte for byte, whatever the order members were written in', () => {
    const reversed = JSON.parse(JSON.stringify(full), (_, value: unknown) =>
      value !== null && typeof value === 'object' && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).reverse())
        : value,
    ) as typeof full;
    expect(digestOf(snapshotOf(reversed))).toBe(digestOf(snapshotOf(full)));
  });

  it('has one digest for one content, whatever the revision', () => {
    const configuration = configurationOf({ sallyport: 1, ...full });
    const later = atOnce(compile(configuration, { revision: 'c_8', now: now + 1 }));
    expect(digestOf(later)).toBe(digestOf(snapshotOf(full)));
  });

  it('has the digest of its canonical JSON without revision and moment', () => {
    const compiled = snapshotOf(full);
    const content = canonicalJson({ ...compiled, revision: '', createdAt: '' } as unknown as Json);
    expect(digestOf(compiled)).toBe(createHash('sha256').update(content).digest('hex'));
  });

  it('is judged and made in many small steps when there is much of it', () => {
    const services = Array.from({ length: 640 }, (_, index) => ({ name: `s${index}`, upstream }));
    const configuration = configurationOf({ sallyport: 1, services });
    expect(stepsOf(preflight(configuration, policiesById, now))).toBeGreaterThan(640);
    expect(stepsOf(compile(configuration, { revision: 'c_7', now }))).toBeGreaterThan(1_280);
    expect(stepsOf(contentDigest(snapshotOf({ services })))).toBeGreaterThanOrEqual(1_280);
  });

  it('leaves drafts out and keeps what has ended until its tombstone falls', () => {
    const services = ['draft', 'published', 'deprecated', 'sunset', 'decommissioned'].map((state) => ({
      name: `is-${state}`,
      upstream,
      lifecycle: { state: state as 'draft' },
    }));
    expect(snapshotOf({ services }).routes.map(({ state }) => state)).toEqual([
      'decommissioned',
      'deprecated',
      'published',
      'sunset',
    ]);
    const later = atOnce(
      compile(configurationOf({ sallyport: 1, services }), { revision: 'c_8', now: now + 364 * DAY }),
    );
    expect(later.routes.map(({ state }) => state)).not.toContain('decommissioned');
  });

  it('links a deprecated version to the path of its successor', () => {
    const [route] = snapshotOf({
      services: [
        { name: 'orders', upstream, lifecycle: { state: 'deprecated', successor: 'v2' } },
        { name: 'orders', version: 'v2', path: '/orders/v2', upstream },
      ],
    }).routes;
    expect(route?.lifecycle).toEqual({
      deprecatedAt: '2027-02-26T12:00:00.000Z',
      sunsetAt: '2027-05-30T12:00:00.000Z',
      successor: '/orders/v2',
    });
  });

  it('lets a version that has ended yield its address to a living one', () => {
    const services: DeclarativeInput['services'] = [
      { name: 'orders', upstream, lifecycle: { state: 'sunset' } },
      { name: 'orders', version: 'v2', path: '/orders', upstream },
    ];
    expect(findingsOf({ services })).toEqual([]);
    expect(snapshotOf({ services }).routes.map(({ id }) => id)).toEqual(['orders/v2/all']);
  });
});

describe('preflight', () => {
  it('finds two versions at one address', () => {
    expect(
      findingsOf({
        services: [
          { name: 'a', path: '/x', upstream },
          { name: 'b', path: '/x', upstream },
        ],
      }),
    ).toEqual(['ROUTE_CONFLICT services/b/versions/v1/path']);
  });

  it('lets methods and hosts share a path', () => {
    const route = (name: string, more: object) => ({ name, path: '/x', upstream, routes: [{ name: 'all', ...more }] });
    expect(
      findingsOf({
        services: [
          route('a', { methods: ['GET'] }),
          route('b', { methods: ['POST'] }),
          route('c', { host: 'c.example' }),
        ],
      }),
    ).toEqual([]);
  });

  it.each(['/v1', '/v1/chat', '/oauth', '/.well-known/x', '/mcp', '/problems', '/livez'])(
    'keeps %s for the gateway',
    (path) => {
      expect(findingsOf({ services: [{ name: 'a', path, upstream }] })).toEqual([
        'PATH_RESERVED services/a/versions/v1/path',
      ]);
    },
  );

  it('takes /v10, which only looks reserved', () => {
    expect(findingsOf({ services: [{ name: 'a', path: '/v10', upstream }] })).toEqual([]);
  });

  it('finds every reference to what is not there, and guesses what was meant for the first of many only', () => {
    const names = Array.from({ length: 1_000 }, (_, at) => `upstream-${String(at).padStart(4, '0')}`);
    const findings = judge({
      services: names.map((name, at) => ({ name: `s${at}`, upstream: `x${name}` })),
      upstreams: names.map((name) => ({ name, ...upstream })),
    });
    expect(findings).toHaveLength(1_000);
    expect(findings[0]!.message).toContain('did you mean “upstream-0000”?');
    expect(findings.filter(({ message }) => message.includes('did you mean'))).toHaveLength(5);
  });

  it('finds a version without an upstream, and one that names none that exists', () => {
    expect(findingsOf({ services: [{ name: 'a' }, { name: 'b', upstream: 'nowhere' }] })).toEqual([
      'UPSTREAM_MISSING services/a/versions/v1/upstream',
      'REFERENCE_UNKNOWN services/b/versions/v1/upstream',
    ]);
  });

  it.each([
    'http://127.0.0.1:8090',
    'http://localhost',
    'http://10.1.2.3',
    'http://[::1]:1',
    'http://192.168.0.1',
    'http://2130706433',
  ])('demands allowPrivate for %s', (url) => {
    expect(findingsOf({ services: [{ name: 'a', upstream: { targets: [{ url }] } }] })).toEqual([
      'TARGET_PRIVATE services/a/versions/v1/upstream/targets/0/url',
    ]);
    expect(findingsOf({ services: [{ name: 'a', upstream: { targets: [{ url }], allowPrivate: true } }] })).toEqual([]);
  });

  it.each(['http://169.254.169.254', 'http://0.0.0.0', 'http://[::ffff:169.254.169.254]'])('never takes %s', (url) => {
    expect(findingsOf({ services: [{ name: 'a', upstream: { targets: [{ url }], allowPrivate: true } }] })).toEqual([
      'TARGET_FORBIDDEN services/a/versions/v1/upstream/targets/0/url',
    ]);
  });

  it.each(['x-user', 'x-forwarded-for', 'x_user', 'keep-alive'])(
    'finds a balance and a canary that go by %s, which is taken from every request',
    (field) => {
      const hash = { by: 'hash' as const, hash: { on: `header:${field}` } };
      const canary = { upstream: 'next', percent: 0, header: { name: field, value: 'always' } };
      const found = findingsOf({
        upstreams: [{ name: 'next', ...upstream, balance: hash }],
        services: [{ name: 'a', upstream: { ...upstream, balance: hash }, canary }],
      });
      expect(found).toEqual([
        'FIELD_NEVER_ARRIVES services/a/versions/v1/upstream/balance/hash/on',
        'FIELD_NEVER_ARRIVES services/a/versions/v1/canary/header/name',
        'FIELD_NEVER_ARRIVES upstreams/next/balance/hash/on',
      ]);
    },
  );

  it('finds limits and texts that go by such a field, wherever a policy stands', () => {
    const limit = { 'rate-limit': { limit: 1, window: '1s', by: ['consumer', { header: 'X-User' }] } };
    const rewrite = { 'header-rewrite': { answer: { set: { 'x-seen': 'as {header.x-forwarded-for}' } } } };
    const transform = { 'request-transform': { query: [{ set: 'who', text: '{header.x-user}' }] } };
    const answered = { 'response-transform': { json: [{ set: '/who', text: '{header.x-user}' }] } };
    const found = findingsOf({
      policies: [
        {
          name: 'named',
          policy: 'rate-limit',
          config: { limits: [{ limit: 1, window: '1s', by: { header: 'x-user' } }] },
        },
      ],
      services: [
        { name: 'a', upstream, policies: [limit, rewrite], routes: [{ name: 'all', policies: [transform, answered] }] },
      ],
    });
    expect(found).toEqual([
      'FIELD_NEVER_ARRIVES services/a/versions/v1/policies/0/rate-limit',
      'FIELD_NEVER_ARRIVES services/a/versions/v1/policies/1/header-rewrite',
      'FIELD_NEVER_ARRIVES services/a/versions/v1/routes/0/policies/0/request-transform',
      'FIELD_NEVER_ARRIVES services/a/versions/v1/routes/0/policies/1/response-transform',
      'FIELD_NEVER_ARRIVES policies/named/config',
    ]);
  });

  it('leaves a limit by such a field in force where it was published before it was refused', () => {
    const given = { limit: 1, window: '1s', by: { header: 'X-User' } };
    expect(policiesById['rate-limit']!.config.safeParse(given).success).toBe(true);
  });

  it('takes a balance by a field that arrives, by a cookie and by the consumer', () => {
    const by = (on: string) => ({ ...upstream, balance: { by: 'hash' as const, hash: { on } } });
    const upstreams = ['header:x-customer', 'cookie:x-user', 'consumer'].map((on, at) => ({
      name: `u${at}`,
      ...by(on),
    }));
    expect(findingsOf({ upstreams })).toEqual([]);
  });

  it('points at the member of a policy that is wrong, and names the nearest policy', () => {
    const policies: PolicyAttachment[] = [
      { 'rate-limit': { limit: 0, window: '60s' } },
      { 'rate-limt': {} },
      'unknown',
    ];
    expect(findingsOf({ services: [{ name: 'a', upstream, policies }] })).toEqual([
      'POLICY_INVALID services/a/versions/v1/policies/0/rate-limit/limit',
      'POLICY_UNKNOWN services/a/versions/v1/policies/1/rate-limt',
      'REFERENCE_UNKNOWN services/a/versions/v1/policies/2',
    ]);
    const [, unknown] = judge({ services: [{ name: 'a', upstream, policies }] });
    expect(unknown?.message).toBe('there is no policy “rate-limt”; did you mean “rate-limit”?');
  });

  it('judges the policies of a model like those of a route, and carries them', () => {
    const model = (limit: number) => ({
      accounts: [{ name: 'echo', provider: 'echo' }],
      models: [
        {
          name: 'small',
          fallback: [{ account: 'echo', model: 'echo' }],
          policies: [{ 'rate-limit': { limit, window: '1m' } }, { 'concurrency-limit': { limit: 2 } }],
        },
      ],
    });
    expect(findingsOf(model(0))).toContain('POLICY_INVALID models/small/policies/0/rate-limit/limit');
    expect(snapshotOf(model(5)).models[0]!.policies).toEqual([
      { policy: 'rate-limit', config: { limit: 5, window: '1m' } },
      { policy: 'concurrency-limit', config: { limit: 2 } },
    ]);
  });

  it('finds accounts, models, trust entries and successors that are not there', () => {
    expect(
      findingsOf({
        services: [
          { name: 'a', upstream, auth: { trust: ['nobody'] }, lifecycle: { state: 'deprecated', successor: 'v2' } },
        ],
        models: [
          {
            name: 'smart',
            fallback: [
              { account: 'none', model: 'm' },
              { provider: 'openai', model: 'm' },
              { provider: 'custom', model: 'm' },
            ],
          },
        ],
        accounts: [
          { name: 'one', provider: 'custom' },
          { name: 'two', provider: 'custom', baseUrl: 'http://127.0.0.1/v1' },
        ],
      }),
    ).toEqual([
      'REFERENCE_UNKNOWN services/a/versions/v1/auth/trust/0',
      'REFERENCE_UNKNOWN services/a/versions/v1/lifecycle/successor',
      'REFERENCE_UNKNOWN models/smart/fallback/0/account',
      'REFERENCE_UNKNOWN models/smart/fallback/1/provider',
      'REFERENCE_AMBIGUOUS models/smart/fallback/2/provider',
      'ACCOUNT_URL_MISSING accounts/one/baseUrl',
      'TARGET_PRIVATE accounts/two/baseUrl',
    ]);
  });

  it('finds times and windows that nothing could keep', () => {
    expect(
      findingsOf({
        services: [{ name: 'a', upstream: { ...upstream, timeout: '2h' } }],
        consumers: [{ name: 'shop', limits: [{ name: 'fast', limit: 1, window: '500ms' }] }],
      }),
    ).toEqual(['TIMEOUT_RANGE services/a/versions/v1/upstream/timeout', 'LIMIT_WINDOW consumers/shop/limits/0/window']);
  });

  it('warns of a catch-all and of callers without any limit, and lets both pass', () => {
    const findings = judge({ services: [{ name: 'a', path: '/', upstream, auth: { anonymous: true } }] });
    expect(findings.map(({ code, severity }) => [code, severity])).toEqual([
      ['MATCH_WIDE', 'warning'],
      ['ANONYMOUS_UNLIMITED', 'warning'],
    ]);
  });

  it('does not judge drafts', () => {
    expect(findingsOf({ services: [{ name: 'a', lifecycle: { state: 'draft' } }] })).toEqual([]);
  });
});
