import type { Principal, RouteClass, Snapshot, SnapshotUpstream } from '@sallyport/contracts';
import type { CompiledRoute, Limit } from '@sallyport/pipeline';
import { SnapshotRejected, type Sliced } from '@sallyport/platform';
import { RouteConflictError, RouteTable, type RoutePattern } from '@sallyport/proxy';

/** One revision, compiled: frozen, and kept by every request that started on it. */
export interface Configuration {
  readonly revision: string;
  readonly routes: RouteTable<CompiledRoute>;
  readonly upstreams: ReadonlyMap<string, SnapshotUpstream>;
  readonly consumerLimits: ReadonlyMap<string, readonly Limit[]>;
  /** Class of each virtual model, by `<tenant>/<name>`. */
  readonly modelClasses: ReadonlyMap<string, RouteClass>;
  /** Of the virtual models that carry policies, by `<tenant>/<name>`. */
  readonly modelPolicies: ReadonlyMap<string, CompiledRoute>;
  readonly snapshot: Snapshot;
}

/**
 * Compiles a snapshot off the request path.
 * @param compiled its routes, in their order.
 * @param models what its models carry, as routesOfModels names it.
 * @throws SnapshotRejected naming the place; the caller keeps the configuration it has.
 */
export function* compileConfiguration(
  snapshot: Snapshot,
  compiled: readonly CompiledRoute[],
  models: readonly CompiledRoute[] = [],
): Sliced<Configuration> {
  const routes = yield* compileTable(compiled);
  yield* probe(routes, compiled);
  return Object.freeze({
    revision: snapshot.revision,
    routes,
    upstreams: yield* mapOf(snapshot.upstreams, (upstream) => [upstream.id, upstream]),
    consumerLimits: yield* mapOf(snapshot.consumers, ({ tenant, name, limits }) => [consumerKey(tenant, name), limits]),
    modelClasses: yield* mapOf(snapshot.models, (model) => [`${model.tenant}/${model.name}`, model.class]),
    modelPolicies: new Map(models.map((model) => [`${model.route.tenant}/${model.route.version}`, model])),
    snapshot,
  });
}

function* compileTable(compiled: readonly CompiledRoute[]): Sliced<RouteTable<CompiledRoute>> {
  try {
    return yield* RouteTable.compiling(compiled, patternOf);
  } catch (error) {
    if (!(error instanceof RouteConflictError)) throw error;
    const { route, reason } = (error as RouteConflictError<CompiledRoute>).conflicts[0]!;
    throw new SnapshotRejected(`routes[${compiled.indexOf(route)}].match`, reason);
  }
}

function patternOf({ route: { match } }: CompiledRoute): RoutePattern {
  return match;
}

/** What no route can name as its host or method, and a route for any must answer, too. */
const ANY_HOST = '';
const ANY_METHOD = '';

/** Every route must answer an example of itself: a table in which one cannot be reached is not put in force. */
function* probe(table: RouteTable<CompiledRoute>, compiled: readonly CompiledRoute[]): Sliced<void> {
  for (const [index, candidate] of compiled.entries()) {
    const { host, methods, pathPrefix } = candidate.route.match;
    const question = { host: host?.toLowerCase() ?? ANY_HOST, method: methods[0] ?? ANY_METHOD, path: pathPrefix };
    const found = table.match(question);
    if (!('route' in found) || found.route !== candidate) {
      throw new SnapshotRejected(`routes[${index}].match`, 'the route does not answer an example of itself');
    }
    yield;
  }
}

/** Entries that are put into a map in one step. */
const STEP = 256;

function* mapOf<Row, Value>(
  rows: readonly Row[],
  entryOf: (row: Row) => readonly [string, Value],
): Sliced<Map<string, Value>> {
  const map = new Map<string, Value>();
  for (const [index, row] of rows.entries()) {
    map.set(...entryOf(row));
    if (index % STEP === 0) yield;
  }
  return map;
}

function consumerKey(tenant: string, consumer: string): string {
  return `${tenant}/${consumer}`;
}

const NO_LIMITS: readonly Limit[] = [];

/** The limits that the configuration gives the caller's consumer. */
export function principalLimitsOf(
  configuration: Configuration | undefined,
  principal: Principal | undefined,
): readonly Limit[] {
  if (!configuration || !principal) return NO_LIMITS;
  return configuration.consumerLimits.get(consumerKey(principal.tenant, principal.consumer)) ?? NO_LIMITS;
}
