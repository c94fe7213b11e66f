import fc from 'fast-check';
import { isRefusal, type Refusal, type SnapshotRoute } from '@sallyport/contracts';
import { compileRoute } from '@sallyport/pipeline';
import { canonicalRequest, limits, RouteTable, type CanonicalRequest } from '@sallyport/proxy';
import { someRoute } from '@sallyport/testkit';
import { Engine } from '@sallyport/waf';
import { Exchange } from './exchange';
import { plainConnection, type Incoming, type Outgoing } from './listeners/connection';
import { matchDestination } from './match';
import type { Configuration } from './runtime/configuration';

/** As an origin might look for its handler: every reading of a path that is in use somewhere. */
const readings: readonly ((path: string) => string)[] = [
  (path) => path,
  decode,
  (path) => decode(path).replaceAll(/;[^/]*/g, ''),
  (path) => decode(path.replaceAll(/;[^/]*/g, '')),
  (path) => decode(path).replaceAll(/\/+/g, '/'),
  (path) => resolveDots(decode(path)),
  (path) =>
    resolveDots(
      decode(path)
        .replaceAll(/;[^/]*/g, '')
        .replaceAll(/\/+/g, '/'),
    ),
  (path) => decode(decode(path)),
  (path) => decode(path).replaceAll('\\', '/'),
];

function decode(path: string): string {
  return path.replaceAll(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function resolveDots(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/').slice(1)) {
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
  }
  return `/${kept.join('/')}`;
}

const PREFIXES = [
  '/',
  '/admin',
  '/admin/keys',
  '/public',
  '/public/admin',
  '/files',
  '/api',
  '/api/v1',
  '/caf%C3%A9',
  '/a@b',
];

function route(pathPrefix: string, more: Partial<SnapshotRoute>): SnapshotRoute {
  return someRoute({
    id: `t/v1/r${PREFIXES.indexOf(pathPrefix)}`,
    match: { host: null, pathPrefix, methods: [] },
    ...more,
  });
}

const policies = [
  [],
  [{ policy: 'body-limit', config: { maxBytes: 9 } }],
  [{ policy: 'waf', config: { mode: 'off' } }],
];
const oddLimits = [
  undefined,
  { mergeSlashes: true },
  { encodedSlash: 'keep' as const },
  { mergeSlashes: true, encodedSlash: 'keep' as const },
];

/** Tables of routes in which every prefix may have any policies and take any odd paths. */
const tables = fc
  .tuple(
    fc.subarray(PREFIXES, { minLength: 2 }),
    fc.array(fc.tuple(fc.constantFrom(...policies), fc.constantFrom(...oddLimits)), {
      minLength: PREFIXES.length,
      maxLength: PREFIXES.length,
    }),
  )
  .map(([prefixes, settings]) =>
    compiled(
      prefixes.map((prefix, at) => {
        const [list, odd] = settings[at]!;
        return route(prefix, { policies: list, ...(odd && { limits: odd }) });
      }),
    ),
  );

function compiled(routes: readonly SnapshotRoute[]): Configuration {
  const table = RouteTable.compile(
    routes.map((one) => compileRoute(one)),
    ({ route: { match } }) => match,
  );
  return { routes: table } as Configuration;
}

/** Pieces that paths of attackers are made of, and of everybody else. */
const PIECES = [
  'admin',
  '%61dmin',
  'adm%69n',
  '%2561dmin',
  'Admin',
  'ａdmin',
  'public',
  'keys',
  'files',
  'api',
  'v1',
  'api..',
  'a@b',
  'a%40b',
  'caf%C3%A9',
  'caf%c3%a9',
  'x',
  '/',
  '//',
  '/./',
  '/../',
  '/%2e/',
  '/%2e%2e/',
  '/.%2E/',
  '/..;/',
  '/;/',
  '%2f',
  '%2F',
  '%5c',
  '\\',
  '%252f',
  '%c0%af',
  ';x',
  '%3Bx',
  ';',
  '%00',
  '%0a',
  '#',
  '%23',
  '?',
  '%3f',
  '.',
  '..',
  '%20',
  '+',
  ' ',
  '%',
  '%e0%80%af',
  '/.',
  '/..',
  '...',
];
const targets = fc
  .array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 6 })
  .map((parts) => `/${parts.join('')}`);

function read(target: string, method = 'GET', ...fields: string[]): CanonicalRequest | Refusal {
  return canonicalRequest(
    {
      method,
      target,
      rawHeaders: ['Host', 'a', ...fields],
      httpVersion: '1.1',
      remoteAddress: '192.0.2.7',
      encrypted: false,
    },
    limits.head,
  );
}

function destinationOf(request: CanonicalRequest, configuration: Configuration): string | undefined {
  const exchange = exchangeOf(request);
  const destination = matchDestination(exchange, configuration);
  return isRefusal(destination) ? undefined : (exchange.compiled?.route.id ?? 'page');
}

function exchangeOf(request: CanonicalRequest): Exchange {
  const upstreams = { random: () => 0 };
  const ends = { record: () => undefined, refuse: () => undefined, failed: () => undefined, upstreams };
  const incoming = { method: 'GET', rawHeaders: [] } as unknown as Incoming;
  const exchange = new Exchange('req_1', 0, incoming, {} as Outgoing, plainConnection, ends);
  exchange.request = request;
  return exchange;
}

describe('rel-T40 whatever a path is spelled like', () => {
  it('an origin that reads what is forwarded in any way finds the handler of the route that judged it, in 100,000 cases', () => {
    fc.assert(
      fc.property(tables, fc.array(targets, { minLength: 40, maxLength: 40 }), (configuration, all) => {
        for (const target of all) {
          const request = read(target);
          if (isRefusal(request)) continue;
          const judged = destinationOf(request, configuration);
          if (judged === undefined) continue;
          for (const reading of readings) {
            const seen = reading(request.path);
            // A reading with a byte no path has is one that the origin refuses, too.
            if (/[^\x21-\x7e]/.test(seen) || !seen.startsWith('/')) continue;
            const found = configuration.routes.match({ host: 'a', method: 'GET', path: seen });
            if (!isRefusal(found) && found.route.route.id === judged) continue;
            throw new Error(`${target} was judged as ${judged}, and read as ${seen} leads elsewhere`);
          }
        }
      }),
      { numRuns: 2_600 },
    );
  }, 120_000);

  it('every spelling of one path gets one verdict of the inspector', () => {
    const spell = (path: string, at: number) =>
      path.replace(/[a-z]/g, (letter, place: number) =>
        (place + at) % 3 === 0 ? `%${letter.charCodeAt(0).toString(16)}` : letter,
      );
    const inspector = new Engine();
    const verdictOf = (request: CanonicalRequest): string => {
      let verdict = '';
      inspector.open(
        { head: request, plan: 'structural:block', tenant: 'default', requestId: 'req_1' },
        (answer) => (verdict ||= answer.verdict),
      );
      return verdict;
    };
    fc.assert(
      fc.property(targets, fc.integer({ min: 0, max: 2 }), (target, at) => {
        const [plain, spelled] = [read(target), read(spell(target, at))];
        if (isRefusal(plain) || isRefusal(spelled)) return;
        expect(spelled.path).toBe(plain.path);
        expect(verdictOf(spelled)).toBe(verdictOf(plain));
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    ['//admin', undefined],
    ['/admin/', '/admin'],
    ['/%61dmin', '/admin'],
    ['/public/..%2fadmin', undefined],
    ['/public/%2e%2e/admin', undefined],
    ['/api../v1', '/'],
    ['/admin;x', undefined],
    ['/admin%00', undefined],
    ['/admin%2f', undefined],
    ['/Admin', '/'],
    ['/%EF%BD%81dmin', '/'],
    ['/admin%3f', '/'],
    ['/admin.', '/'],
    ['/admin#', undefined],
    ['/%c0%afadmin', undefined],
    ['//problems', undefined],
    ['/problems', 'page'],
  ])('%s leads to %s', (target, expected) => {
    const configuration = compiled(PREFIXES.map((prefix) => route(prefix, {})));
    const request = read(target);
    const found = isRefusal(request) ? undefined : destinationOf(request, configuration);
    const prefix = found?.startsWith('t/v1/r') ? PREFIXES[Number(found.slice('t/v1/r'.length))] : found;
    expect(prefix).toBe(expected);
  });
});

describe('what a browser asks before it calls a route that names its methods', () => {
  const browsers = [{ policy: 'cors', config: { origins: ['https://app.example.com'] } }];
  const named = (id: string, methods: string[], more: Partial<SnapshotRoute> = {}): SnapshotRoute =>
    someRoute({ id, match: { host: null, pathPrefix: '/api', methods }, ...more });
  const configuration = compiled([
    named('reads', ['GET'], { policies: browsers }),
    named('writes', ['POST', 'PUT']),
    someRoute({ id: 'all', match: { host: null, pathPrefix: '/files', methods: [] } }),
  ]);
  const origin = ['Origin', 'https://app.example.com'];
  const about = (method: string): string[] => [...origin, 'Access-Control-Request-Method', method];

  it.each([
    ['goes to the route of that method', '/api', about('GET'), 'reads'],
    ['goes with HEAD where GET goes', '/api', about('HEAD'), 'reads'],
    ['goes to no route that has no answer to it', '/api', about('PUT'), undefined],
    ['goes nowhere about a method that no route has', '/api', about('DELETE'), undefined],
    ['is no such question without a method', '/api', origin, undefined],
    ['is no such question without an origin', '/api', ['Access-Control-Request-Method', 'GET'], undefined],
    ['goes where every method goes', '/files', about('GET'), 'all'],
  ])('%s', (_, target, fields, expected) => {
    const request = read(target, 'OPTIONS', ...fields);
    if (isRefusal(request)) throw new Error(JSON.stringify(request));
    expect(destinationOf(request, configuration)).toBe(expected);
  });

  it('is the question of OPTIONS alone', () => {
    const request = read('/api', 'DELETE', ...about('GET'));
    if (isRefusal(request)) throw new Error(JSON.stringify(request));
    expect(destinationOf(request, configuration)).toBeUndefined();
  });
});
