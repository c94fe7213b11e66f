import type { SnapshotRoute } from '@sallyport/contracts';
import { compileRoute, type CompiledRoute } from '@sallyport/pipeline';

/** What the data door serves under `/v1` itself, whatever is published. */
export type ModelEndpoint = 'chat-completions' | 'models';

/** A model endpoint as a route, so that it is verified, limited, inspected and recorded like any other. */
export interface ModelRoute {
  readonly endpoint: ModelEndpoint;
  readonly compiled: CompiledRoute;
  readonly method: 'GET' | 'POST';
}

function modelRoute(endpoint: ModelEndpoint, method: 'GET' | 'POST', path: string): ModelRoute {
  const route: SnapshotRoute = {
    id: `system/v1/${endpoint}`,
    tenant: 'default',
    service: 'models',
    version: 'v1',
    state: 'published',
    lifecycle: { deprecatedAt: null, sunsetAt: null, successor: null },
    class: 'public',
    match: { host: null, pathPrefix: path, methods: [method] },
    stripPrefix: false,
    upstream: '',
    auth: { anonymous: false, kinds: ['api-key', 'jwt'], trust: [], scopes: [] },
    policies: [{ policy: 'waf', config: { profile: 'llm' } }],
    trustTrace: false,
  };
  return { endpoint, method, compiled: compileRoute(route) };
}

/** By exact path. */
export const modelRoutes: ReadonlyMap<string, ModelRoute> = new Map([
  ['/v1/chat/completions', modelRoute('chat-completions', 'POST', '/v1/chat/completions')],
  ['/v1/models', modelRoute('models', 'GET', '/v1/models')],
]);
