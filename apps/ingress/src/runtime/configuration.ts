import type { Principal, RouteClass, Snapshot, SnapshotUpstream } from '@sallyport/contracts';
import type { CompiledRoute, Limit } from '@sallyport/pipeline';
import { RouteTable } from '@sallyport/proxy';

/** One revision, compiled: frozen, and kept by every request that started on it. */
export interface Configuration {
  readonly revision: string;
  readonly routes: RouteTable<CompiledRoute>;
  readonly upstreams: ReadonlyMap<string, SnapshotUpstream>;
  readonly consumerLimits: ReadonlyMap<string, readonly Limit[]>;
  /** Class of each virtual model, by `<tenant>/<name>`. */
  readonly modelClasses: ReadonlyMap<string, RouteClass>;
  readonly snapshot: Snapshot;
}

/**
 * Compiles a snapshot off the request path.
 * @param compiled its routes, in their order.
 * @throws RouteConflictError naming the place; the caller keeps the configuration it has.
 */
export function compileConfiguration(snapshot: Snapshot, compiled: readonly CompiledRoute[]): Configuration {
  return Object.freeze({
    revision: snapshot.revision,
    routes: RouteTable.compile(compiled, ({ route }) => ({
      host: route.match.host,
      pathPrefix: route.match.pathPrefix,
      methods: route.match.methods,
    })),
    upstreams: new Map(snapshot.upstreams.map((upstream) => [upstream.id, upstream])),
    consumerLimits: new Map(snapshot.consumers.map(({ tenant, name, limits }) => [consumerKey(tenant, name), limits])),
    modelClasses: new Map(snapshot.models.map((model) => [`${model.tenant}/${model.name}`, model.class])),
    snapshot,
  });
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
