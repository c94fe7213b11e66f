import { isRefusal } from '@sallyport/contracts';
import fc from 'fast-check';
import { RouteConflictError, RouteTable, withoutPrefix, type RoutePattern } from './route-table';

interface Named extends RoutePattern {
  readonly name: string;
}

const route = (name: string, pathPrefix: string, methods: string[] = [], host: string | null = null): Named => ({
  name,
  host,
  pathPrefix,
  methods,
});
const compile = (...routes: Named[]) => RouteTable.compile(routes, (one) => one);

function ask(table: RouteTable<Named>, path: string, method = 'GET', host = 'shop.example'): string {
  const outcome = table.match({ host, method, path });
  return isRefusal(outcome) ? outcome.code : outcome.route.name;
}

describe('RouteTable', () => {
  it('matches whole segments and the longest of them', () => {
    const table = compile(route('orders', '/orders'), route('admin', '/orders/admin/'));
    expect(ask(table, '/orders')).toBe('orders');
    expect(ask(table, '/orders/')).toBe('orders');
    expect(ask(table, '/orders/1/lines')).toBe('orders');
    expect(ask(table, '/orders/admin')).toBe('admin');
    expect(ask(table, '/orders/administrators')).toBe('orders');
    expect(ask(table, '/ordersx')).toBe('ROUTE_NOT_FOUND');
    expect(ask(table, '/Orders')).toBe('ROUTE_NOT_FOUND');
    expect(ask(table, '/')).toBe('ROUTE_NOT_FOUND');
  });

  it('serves everything below the root when the prefix is a slash', () => {
    expect(ask(compile(route('all', '/')), '/a/b')).toBe('all');
    expect(ask(compile(route('all', '/')), '/')).toBe('all');
  });

  it('asks the exact host first and any host after it', () => {
    const table = compile(route('any', '/a'), route('shop', '/a', [], 'Shop.example'), route('deep', '/a/b'));
    expect(ask(table, '/a')).toBe('shop');
    expect(ask(table, '/a/b')).toBe('shop');
    expect(ask(table, '/a', 'GET', 'other.example')).toBe('any');
    expect(ask(table, '/a/b', 'GET', 'other.example')).toBe('deep');
  });

  it('never hands a method to a shorter prefix, and names those that are served', () => {
    const table = compile(route('all', '/a'), route('read', '/a/b', ['GET']), route('write', '/a/b', ['POST']));
    expect(ask(table, '/a/b', 'GET')).toBe('read');
    expect(ask(table, '/a/b', 'HEAD')).toBe('read');
    expect(ask(table, '/a/b', 'POST')).toBe('write');
    const refused = table.match({ host: '', method: 'DELETE', path: '/a/b' });
    expect(refused).toMatchObject({ code: 'METHOD_NOT_ALLOWED', params: { allow: 'GET, HEAD, POST' } });
  });

  it('prefers a route that names the method to one that takes any', () => {
    const table = compile(route('any', '/a'), route('post', '/a', ['POST']));
    expect(ask(table, '/a', 'POST')).toBe('post');
    expect(ask(table, '/a', 'PUT')).toBe('any');
  });

  it('is not escaped from by a spelling that only some origins tell apart', () => {
    const table = compile(route('all', '/'), route('guarded', '/@admin'));
    expect(ask(table, '/%40admin')).toBe('guarded');
    expect(ask(table, '/%40admin/x')).toBe('guarded');
  });

  it('reports every conflict and every prefix that can match nothing', () => {
    const build = () =>
      compile(
        route('a', '/a', ['GET']),
        route('b', '/a/', ['GET', 'PUT']),
        route('c', '/%61'),
        route('d', '/a'),
        route('e', '/x/../y'),
      );
    expect(build).toThrow(RouteConflictError);
    try {
      build();
    } catch (error) {
      const { conflicts } = error as RouteConflictError<Named>;
      expect(conflicts.map(({ route: one, other }) => [one.name, other?.name])).toEqual([
        ['b', 'a'],
        ['d', 'c'],
        ['e', undefined],
      ]);
    }
  });

  it('is not fooled by the names of object members', () => {
    expect(ask(compile(route('a', '/a')), '/constructor', 'GET', '__proto__')).toBe('ROUTE_NOT_FOUND');
  });

  it('agrees with a matcher that looks at every route', () => {
    const segments = fc.constantFrom('a', 'b', 'ab', 'A', '.x', '@');
    const path = fc.array(segments, { maxLength: 4 }).map((parts) => `/${parts.join('/')}`);
    const pattern = fc.record({
      host: fc.constantFrom(null, 'one', 'two'),
      pathPrefix: path,
      methods: fc.subarray(['GET', 'POST', 'DELETE']),
    });
    const question = fc.record({
      host: fc.constantFrom('one', 'two', 'three'),
      method: fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE', 'PUT'),
      path,
    });
    fc.assert(
      fc.property(
        fc.array(pattern, { maxLength: 12 }),
        fc.array(question, { minLength: 1, maxLength: 12 }),
        (patterns, asked) => {
          const kept: Named[] = [];
          for (const one of patterns) {
            const candidate = { ...one, name: String(kept.length) };
            if (!kept.some((other) => overlaps(other, candidate))) kept.push(candidate);
          }
          const table = compile(...kept);
          for (const one of asked) expect(ask(table, one.path, one.method, one.host)).toBe(naive(kept, one));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('finds one of ten thousand routes about as fast as one of ten', () => {
    const routes = Array.from({ length: 10_000 }, (_, at) => route(String(at), `/team-${at % 100}/api-${at}`));
    const spentOn = (some: Named[]) => {
      const table = RouteTable.compile(some, (one) => one);
      const before = process.cpuUsage();
      for (let at = 0; at < 50_000; at++) table.match({ host: 'a', method: 'GET', path: '/team-7/api-7/x/y' });
      return process.cpuUsage(before).user;
    };
    spentOn(routes);
    expect(spentOn(routes)).toBeLessThan(5 * spentOn(routes.slice(0, 10)) + 50_000);
    expect(ask(compile(...routes), '/team-77/api-4277/x')).toBe('4277');
  });
});

function overlaps(one: RoutePattern, other: RoutePattern): boolean {
  if (one.host !== other.host || one.pathPrefix !== other.pathPrefix) return false;
  if (one.methods.length === 0 || other.methods.length === 0) return one.methods.length === other.methods.length;
  return one.methods.some((method) => other.methods.includes(method));
}

function naive(routes: readonly Named[], asked: { host: string; method: string; path: string }): string {
  const covers = (prefix: string) => prefix === '/' || asked.path === prefix || asked.path.startsWith(`${prefix}/`);
  for (const host of [asked.host, null]) {
    const candidates = routes.filter((one) => one.host === host && covers(one.pathPrefix));
    const longest = Math.max(...candidates.map((one) => one.pathPrefix.length));
    const there = candidates.filter((one) => one.pathPrefix.length === longest);
    if (there.length === 0) continue;
    const named = (method: string) => there.find((one) => one.methods.includes(method));
    const found =
      named(asked.method) ??
      (asked.method === 'HEAD' ? named('GET') : undefined) ??
      there.find((one) => !one.methods.length);
    return found?.name ?? 'METHOD_NOT_ALLOWED';
  }
  return 'ROUTE_NOT_FOUND';
}

describe('withoutPrefix', () => {
  it('leaves a path behind, at least a slash', () => {
    expect(withoutPrefix('/orders', 7)).toBe('/');
    expect(withoutPrefix('/orders/', 7)).toBe('/');
    expect(withoutPrefix('/orders/1', 7)).toBe('/1');
    expect(withoutPrefix('/orders', 0)).toBe('/orders');
  });

  it('judges what is left again', () => {
    expect(withoutPrefix('/a/../b', 2)).toMatchObject({ code: 'REQUEST_MALFORMED' });
  });
});
