import { refuse, type Refusal } from '@sallyport/contracts';
import { canonicalPath } from './canonical-path';

/** What a route answers to. */
export interface RoutePattern {
  /** Exact host without port, lower case; null: any. */
  readonly host: string | null;
  /** Whole segments: `/orders` matches `/orders` and `/orders/1`, never `/ordersx`. */
  readonly pathPrefix: string;
  /** Empty: any method. */
  readonly methods: readonly string[];
}

/** What a request asks for; a CanonicalRequest is one. */
export interface RouteQuestion {
  readonly host: string;
  readonly method: string;
  readonly path: string;
}

export interface RouteMatch<Route> {
  readonly route: Route;
  /** How many characters of the path the prefix took. */
  readonly matched: number;
}

/** Two routes that would answer the same request, or one that can answer none. */
export interface RouteConflict<Route> {
  readonly route: Route;
  /** The route that was there first; absent when the prefix itself is at fault. */
  readonly other?: Route;
  readonly reason: string;
}

/** Thrown for a set of routes that has no single answer to every request. */
export class RouteConflictError<Route> extends Error {
  constructor(readonly conflicts: readonly RouteConflict<Route>[]) {
    super(conflicts.map(({ reason }) => reason).join('; '));
    this.name = 'RouteConflictError';
  }
}

/** The routes of one host and prefix, told apart by method. */
class Methods<Route> {
  private readonly named = new Map<string, Route>();
  private any: Route | undefined;
  /** Value of the Allow field. */
  allow = '';

  /** @returns the route that answers one of these methods already. */
  add(route: Route, methods: readonly string[]): Route | undefined {
    const taken =
      methods.length === 0
        ? this.any
        : methods.map((method) => this.named.get(method)).find((one) => one !== undefined);
    if (taken !== undefined) return taken;
    if (methods.length === 0) this.any = route;
    for (const method of methods) this.named.set(method, route);
    const served = new Set(this.named.keys());
    if (served.has('GET')) served.add('HEAD');
    this.allow = [...served].sort().join(', ');
    return undefined;
  }

  /** A named method wins over “any”; HEAD follows GET unless it has a route of its own (RFC 9110 §9.3.2). */
  find(method: string): Route | undefined {
    return this.named.get(method) ?? (method === 'HEAD' ? this.named.get('GET') : undefined) ?? this.any;
  }
}

interface Segment<Route> {
  readonly children: Map<string, Segment<Route>>;
  methods: Methods<Route> | undefined;
}

function emptySegment<Route>(): Segment<Route> {
  return { children: new Map(), methods: undefined };
}

/**
 * Origins read `%40` and `@` alike although RFC 3986 §2.2 keeps them apart. A route must not be escaped from by such a
 * spelling, so segments are compared with these characters bare.
 */
const BARE_IN_SEGMENT = /%(21|24|26|27|28|29|2A|2B|2C|3A|3B|3D|40)/g;

function segmentKey(segment: string): string {
  return segment.includes('%')
    ? segment.replace(BARE_IN_SEGMENT, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : segment;
}

/**
 * Finds the route of a request: the exact host before any host, there the longest prefix by whole segments, there the
 * method. The first of these that exists decides: a method that the longest prefix lacks is refused and never handed
 * to a shorter prefix, whose policies were not meant for it. Costs one map access a segment, whatever the number of
 * routes.
 */
export class RouteTable<Route> {
  private constructor(
    private readonly hosts: ReadonlyMap<string, Segment<Route>>,
    private readonly anyHost: Segment<Route>,
  ) {}

  /**
   * @param patternOf what a route answers to
   * @throws RouteConflictError naming every route that is in the way of another
   */
  static compile<Route>(routes: Iterable<Route>, patternOf: (route: Route) => RoutePattern): RouteTable<Route> {
    const compiling = RouteTable.compiling(routes, patternOf);
    for (;;) {
      const step = compiling.next();
      if (step.done) return step.value;
    }
  }

  /** The same, one route a step: the table of a large configuration is made between requests. */
  static *compiling<Route>(
    routes: Iterable<Route>,
    patternOf: (route: Route) => RoutePattern,
  ): Generator<void, RouteTable<Route>, void> {
    const hosts = new Map<string, Segment<Route>>();
    const anyHost = emptySegment<Route>();
    const conflicts: RouteConflict<Route>[] = [];
    for (const route of routes) {
      const pattern = patternOf(route);
      const conflict = insert(rootOf(pattern.host, hosts, anyHost), route, pattern);
      if (conflict) conflicts.push(conflict);
      yield;
    }
    if (conflicts.length > 0) throw new RouteConflictError(conflicts);
    return new RouteTable(hosts, anyHost);
  }

  /** @returns the route, or ROUTE_NOT_FOUND, or METHOD_NOT_ALLOWED with `allow` among its parameters. */
  match(question: RouteQuestion): RouteMatch<Route> | Refusal {
    const { host, method, path } = question;
    const ofHost = this.hosts.get(host);
    const found = (ofHost && longestPrefix(ofHost, path)) ?? longestPrefix(this.anyHost, path);
    if (!found) return refuse('ROUTE_NOT_FOUND', { method, path: path.length > 256 ? `${path.slice(0, 256)}…` : path });
    const route = found.methods.find(method);
    if (route === undefined) return refuse('METHOD_NOT_ALLOWED', { method, allow: found.methods.allow });
    return { route, matched: found.matched };
  }
}

function rootOf<Route>(
  host: string | null,
  hosts: Map<string, Segment<Route>>,
  anyHost: Segment<Route>,
): Segment<Route> {
  if (host === null) return anyHost;
  const name = host.toLowerCase();
  let root = hosts.get(name);
  if (!root) hosts.set(name, (root = emptySegment()));
  return root;
}

function insert<Route>(root: Segment<Route>, route: Route, pattern: RoutePattern): RouteConflict<Route> | undefined {
  const canonical = canonicalPath(pattern.pathPrefix);
  if ('fault' in canonical)
    return { route, reason: `the prefix ${pattern.pathPrefix} matches nothing: ${canonical.fault}` };
  let segment = root;
  for (const name of canonical.path.split('/').filter(Boolean).map(segmentKey)) {
    let child = segment.children.get(name);
    if (!child) segment.children.set(name, (child = emptySegment()));
    segment = child;
  }
  segment.methods ??= new Methods();
  const other = segment.methods.add(route, pattern.methods);
  if (other === undefined) return undefined;
  const methods = pattern.methods.length === 0 ? 'any method' : pattern.methods.join(', ');
  return { route, other, reason: `two routes answer ${methods} on ${pattern.host ?? 'any host'}${pattern.pathPrefix}` };
}

function longestPrefix<Route>(
  root: Segment<Route>,
  path: string,
): { methods: Methods<Route>; matched: number } | undefined {
  let methods = root.methods;
  let matched = 0;
  let segment = root;
  for (let start = 1; start < path.length;) {
    const slash = path.indexOf('/', start);
    const end = slash < 0 ? path.length : slash;
    const child = segment.children.get(segmentKey(path.slice(start, end)));
    if (!child) break;
    segment = child;
    if (child.methods) {
      methods = child.methods;
      matched = end;
    }
    start = end + 1;
  }
  return methods && { methods, matched };
}

/**
 * Cuts a matched prefix off, at a segment, and judges what is left as if it had come from outside.
 * @param matched of the RouteMatch
 * @param oddities of the request: those that its route takes
 */
export function withoutPrefix(path: string, matched: number, oddities = 0): string | Refusal {
  const canonical = canonicalPath(path.slice(matched) || '/', oddities);
  return 'fault' in canonical ? refuse('REQUEST_MALFORMED', { reason: canonical.fault }) : canonical.path;
}
