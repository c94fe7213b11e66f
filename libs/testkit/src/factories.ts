import type { Principal, Refusal, RequestHead, SnapshotRoute } from '@sallyport/contracts';
import type { PolicyExchange, PolicyInput } from '@sallyport/pipeline';

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

/** An exchange as the hooks of policies see it, with what they asked of it. */
export interface TestExchange extends PolicyExchange {
  readonly caps: number[];
  /** What `abandon` and throws in guarded callbacks gave. */
  readonly ended: unknown[];
  isSentOn: boolean;
  /** Ends it, as when the caller goes away or has its answer. */
  close(): void;
}

/** An exchange for hooks under test; say only what the test is about. */
export function policyExchange(
  more: Partial<
    Pick<PolicyExchange, 'route' | 'requestId' | 'startedAt' | 'matched' | 'principal' | 'meantForCanary' | 'upstream'>
  > = {},
): TestExchange {
  const notes = new Map<object, unknown>();
  const closers: (() => void)[] = [];
  const ended: unknown[] = [];
  const caps: number[] = [];
  let over = false;
  return {
    route: someRoute(),
    requestId: 'req_0000000000000000000000',
    startedAt: 0,
    matched: 0,
    principal: undefined,
    meantForCanary: false,
    isSentOn: false,
    upstream: () => undefined,
    caps,
    ended,
    capBody: (maxBytes) => void caps.push(maxBytes),
    keep: (owner, value) => void notes.set(owner, value),
    kept: (owner) => notes.get(owner),
    onClose: (closer) => void (over ? closer() : closers.push(closer)),
    guarded:
      (callback) =>
      (...values) => {
        try {
          callback(...values);
        } catch (error) {
          ended.push(error);
        }
      },
    abandon: (refusal: Refusal) => void ended.push(refusal),
    close() {
      over = true;
      for (const closer of closers.splice(0)) closer();
    },
    ...more,
  };
}

/** What a hook is given: a head and an exchange. */
export function policyInput(
  head: Partial<RequestHead> = {},
  exchange: Parameters<typeof policyExchange>[0] = {},
): PolicyInput & { readonly exchange: TestExchange } {
  return { request: someHead(head), exchange: policyExchange(exchange) };
}
