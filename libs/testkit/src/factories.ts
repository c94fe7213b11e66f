import type { Principal, RequestHead, SnapshotRoute } from '@sallyport/contracts';

/** A route as the catalog would publish it; say only what the test is about. */
export function someRoute(more: Partial<SnapshotRoute> = {}): SnapshotRoute {
  return {
    id: 'orders/v1/all',
    tenant: 'default',
    service: 'orders',
    version: 'v1',
    state: 'published',
    lifecycle: { deprecatedAt: null, sunsetAt: null, successor: null },
    class: 'public',
    match: { host: null, pathPrefix: '/orders', methods: [] },
    stripPrefix: false,
    upstream: 'orders',
    auth: { anonymous: false, kinds: ['api-key', 'jwt'], trust: [], scopes: [] },
    policies: [],
    trustTrace: false,
    ...more,
  };
}

/** A caller as a verifier would establish it. */
export function somePrincipal(more: Partial<Principal> = {}): Principal {
  return {
    tenant: 'default',
    subject: 'billing-bot',
    client: 'billing-bot',
    consumer: 'billing',
    actors: [],
    scopes: new Set(),
    roles: [],
    credential: { kind: 'api-key', id: '7QmX2aB0cde' },
    until: Number.MAX_SAFE_INTEGER,
    models: ['*'],
    quotas: [],
    ...more,
  };
}

/** A canonical request head. */
export function someHead(more: Partial<RequestHead> = {}): RequestHead {
  return {
    method: 'GET',
    scheme: 'http',
    authority: 'gateway.example',
    path: '/orders',
    query: '',
    hasQuery: false,
    rawTarget: '/orders',
    version: '1.1',
    fields: [],
    field: new Map(),
    clientAddress: '192.0.2.7',
    contentLength: undefined,
    hasBody: false,
    mediaType: undefined,
    ...more,
  };
}
