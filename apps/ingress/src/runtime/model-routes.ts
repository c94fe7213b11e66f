import { modelEndpointId, type ModelEndpoint, type Snapshot, type SnapshotRoute } from '@sallyport/contracts';
import { compileRoute, type CompiledRoute } from '@sallyport/pipeline';

/** A model endpoint as a route, so that it is verified, limited, inspected and recorded like any other. */
export interface ModelRoute {
  readonly endpoint: ModelEndpoint;
  readonly compiled: CompiledRoute;
  readonly method: 'GET' | 'POST';
}

function modelRoute(endpoint: ModelEndpoint, method: 'GET' | 'POST', path: string): ModelRoute {
  const policies = [{ policy: 'waf', config: { profile: 'llm' } }];
  const route = endpointRoute(modelEndpointId(endpoint), 'v1', method, path, policies);
  return { endpoint, method, compiled: compileRoute(route) };
}

function endpointRoute(
  id: string,
  version: string,
  method: string,
  path: string,
  policies: SnapshotRoute['policies'],
): SnapshotRoute {
  return {
    id,
    tenant: 'default',
    service: 'models',
    version,
    state: 'published',
    lifecycle: { deprecatedAt: null, sunsetAt: null, successor: null },
    class: 'public',
    match: { host: null, pathPrefix: path, methods: [method] },
    stripPrefix: false,
    upstream: '',
    auth: { anonymous: false, kinds: ['api-key', 'jwt'], trust: [], scopes: [] },
    policies,
    trustTrace: false,
  };
}

/** What the policies of each virtual model are compiled from: a route nobody can ask for by its path. */
export function routesOfModels({ models }: Snapshot): SnapshotRoute[] {
  return models.flatMap(({ tenant, name, class: routeClass, policies }) =>
    policies === undefined || policies.length === 0
      ? []
      : [{ ...endpointRoute(`models/${name}`, name, 'POST', '/v1', policies), tenant, class: routeClass }],
  );
}

/** By exact path. */
export const modelRoutes: ReadonlyMap<string, ModelRoute> = new Map([
  ['/v1/chat/completions', modelRoute('chat-completions', 'POST', '/v1/chat/completions')],
  ['/v1/models', modelRoute('models', 'GET', '/v1/models')],
]);
