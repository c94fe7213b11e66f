import type { Json, Principal } from '@sallyport/contracts';
import { refuse } from '@sallyport/contracts';
import { eventText } from './event';
import type { RequestFacts } from './facts';
import { changeCommitted, controlReported, findingRaised, logRead, sessionRefused } from './kinds';
import { requestAdmitted, requestCompleted } from './request-record';
import { createPseudonym } from './pseudonym';
import type { AuditEvent } from './trail';

/*
 * The shape of OCSF 1.8.0 (schema.ocsf.io) for the classes we write: which members a class or object knows, which it
 * demands, and of which it demands at least one. `record_integrity` is of 1.9.
 */

interface Shape {
  readonly required?: readonly string[];
  readonly optional?: readonly string[];
  readonly atLeastOne?: readonly string[];
  /** Members that are objects, or arrays of objects, of a shape. */
  readonly objects?: Readonly<Record<string, Shape>>;
}

const named: Shape = { optional: ['name', 'uid', 'version'], atLeastOne: ['name', 'uid'] };
const endpoint: Shape = {
  optional: ['hostname', 'svc_name', 'uid', 'name', 'port'],
  atLeastOne: ['uid', 'name', 'hostname', 'svc_name'],
};
const user: Shape = { optional: ['name', 'uid', 'type_id', 'credential_uid'], atLeastOne: ['name', 'uid'] };
const product: Shape = { required: ['vendor_name'], optional: ['name', 'version', 'uid'], atLeastOne: ['name', 'uid'] };
const resource: Shape = { optional: ['type', 'uid', 'name'], atLeastOne: ['name', 'uid'] };

const base: Shape = {
  required: ['activity_id', 'category_uid', 'class_uid', 'metadata', 'severity_id', 'time', 'type_uid'],
  optional: ['activity_name', 'message', 'status_code', 'status_detail', 'status_id', 'unmapped'],
  objects: {
    metadata: {
      required: ['product', 'version'],
      optional: ['log_name', 'logged_time', 'profiles', 'sequence', 'tenant_uid', 'uid'],
      objects: { product },
    },
    unmapped: { optional: ['sallyport'] },
  },
};

const profiles: Readonly<Record<string, Shape>> = {
  ai_operation: {
    optional: ['ai_model', 'message_context'],
    objects: {
      ai_model: { required: ['ai_provider', 'name'], optional: ['version', 'uid'] },
      message_context: {
        optional: ['completion_tokens', 'name', 'prompt_tokens', 'service', 'total_tokens', 'uid'],
        atLeastOne: ['application', 'service'],
        objects: { service: named },
      },
    },
  },
  host: { optional: ['actor'] },
  record_integrity: {
    required: ['attestation_list'],
    objects: { attestation_list: { optional: ['authority_uid', 'chain_uid', 'fingerprint', 'prev_event'] } },
  },
  security_control: { optional: ['action_id', 'disposition_id', 'policy', 'is_alert'], objects: { policy: named } },
  trace: {
    optional: ['trace'],
    objects: {
      trace: {
        required: ['uid'],
        optional: ['span'],
        objects: { span: { required: ['end_time', 'start_time', 'uid'] } },
      },
    },
  },
};

const objects: Readonly<Record<string, Shape>> = {
  actor: {
    optional: ['app_name', 'app_uid', 'session', 'user'],
    atLeastOne: ['user', 'session', 'app_name', 'app_uid'],
    objects: { session: { optional: ['uid', 'issuer'] }, user },
  },
  src_endpoint: endpoint,
  dst_endpoint: endpoint,
  http_request: {
    optional: ['http_method', 'length', 'url'],
    objects: { url: { optional: ['path'], atLeastOne: ['path'] } },
  },
  http_response: { required: ['code'], optional: ['latency', 'length'] },
  api: { required: ['operation'], optional: ['service', 'version'], objects: { service: named } },
  resources: resource,
};

const classes: Readonly<Record<number, Shape & { readonly activities: readonly number[] }>> = {
  2003: {
    activities: [1, 2, 3],
    required: ['compliance', 'finding_info'],
    optional: ['resources'],
    objects: {
      compliance: { required: ['standards'], optional: ['control', 'status_id'] },
      finding_info: { required: ['uid'], optional: ['title', 'types'] },
      resources: resource,
    },
  },
  2004: {
    activities: [1, 2, 3],
    required: ['finding_info'],
    optional: ['is_alert', 'resources'],
    objects: { finding_info: { required: ['uid'], optional: ['title', 'types'] }, resources: resource },
  },
  3002: {
    activities: [1, 2, 3, 4, 5],
    required: ['user'],
    optional: ['actor', 'dst_endpoint', 'http_request', 'is_remote', 'service', 'session', 'src_endpoint'],
    atLeastOne: ['service', 'dst_endpoint'],
    objects: { ...objects, user, service: named },
  },
  3004: {
    activities: [1, 2, 3, 4],
    required: ['entity'],
    optional: ['comment', 'entity_result', 'http_request', 'src_endpoint'],
    objects: { ...objects, entity: { optional: ['name', 'type', 'uid', 'version'], atLeastOne: ['name', 'uid'] } },
  },
  4002: {
    activities: [1, 2, 3, 4, 5, 6, 7, 8, 9],
    optional: ['dst_endpoint', 'http_request', 'http_response', 'src_endpoint'],
    atLeastOne: ['http_request', 'http_response'],
    objects,
  },
  6002: { activities: [1, 2, 3, 4], required: ['app'], objects: { app: product } },
  6003: {
    activities: [1, 2, 3, 4],
    required: ['actor', 'api', 'src_endpoint'],
    optional: ['dst_endpoint', 'http_request', 'http_response', 'resources'],
    objects,
  },
};

type Members = { readonly [name: string]: Json };

function faults(value: Json, shapes: readonly Shape[], at: string): string[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => faults(item as Json, shapes, `${at}[${index}]`));
  if (typeof value !== 'object' || value === null) return [`${at} is no object`];
  const members = value as Members;
  const known = new Set(shapes.flatMap(({ required = [], optional = [] }) => [...required, ...optional]));
  return [
    ...Object.keys(members).flatMap((name) => (known.has(name) ? [] : [`${at}.${name} is not known`])),
    ...shapes.flatMap(({ required = [] }) =>
      required.flatMap((name) => (name in members ? [] : [`${at}.${name} is missing`])),
    ),
    ...shapes.flatMap(({ atLeastOne }) =>
      !atLeastOne || atLeastOne.some((name) => name in members) ? [] : [`${at} has none of ${atLeastOne.join()}`],
    ),
    ...shapes.flatMap(({ objects: inner = {} }) =>
      Object.entries(inner).flatMap(([name, shape]) =>
        members[name] === undefined ? [] : faults(members[name], [shape], `${at}.${name}`),
      ),
    ),
  ];
}

function faultsOf(document: Members): string[] {
  const spec = classes[document['class_uid'] as number];
  if (!spec) return [`class ${JSON.stringify(document['class_uid'])} is not known`];
  const { profiles: names } = document['metadata'] as { readonly profiles: readonly string[] };
  const found = faults(document, [base, spec, ...names.map((name) => profiles[name]!)], 'event');
  const activity = document['activity_id'] as number;
  if (![0, 99, ...spec.activities].includes(activity)) found.push(`activity ${activity} is not known`);
  if (document['type_uid'] !== (document['class_uid'] as number) * 100 + activity) found.push('type_uid is wrong');
  if (Math.floor((document['class_uid'] as number) / 1000) !== document['category_uid'])
    found.push('category is wrong');
  if (activity === 99 && document['class_uid'] === 6002 && !document['activity_name'])
    found.push('activity has no name');
  return found;
}

// ---- one of everything --------------------------------------------------------------------------------------------

const making = { now: 1_795_450_000_123, random: (count: number) => Buffer.alloc(count, 7) };
const pseudonym = createPseudonym(Buffer.alloc(32, 1));

const principal: Principal = {
  tenant: 'acme',
  subject: 'user-4711@acme.example',
  client: 'app_billing',
  consumer: 'billing-bot',
  actors: [],
  scopes: new Set(['orders:read']),
  roles: [],
  credential: { kind: 'api-key', id: 'K7QmX2abcde' },
  until: 0,
  models: ['*'],
  quotas: [],
};

const request: RequestFacts = {
  ...making,
  pseudonym,
  requestId: 'req_8sQ2',
  tenant: 'acme',
  startedAt: 1_795_449_999_311,
  endedAt: 1_795_450_000_123,
  method: 'GET',
  path: '/orders/1',
  status: 200,
  bytesIn: 0,
  bytesOut: 2210,
  outcome: 'ok',
  clientAddress: '203.0.113.9',
  route: { id: 'orders/v1/all', service: 'orders', version: 'v1', class: 'public' },
  configVersion: 'c_318',
  principal,
  upstream: { host: 'orders.internal' },
  decidedBy: { waf: 'service', auth: 'local' },
  skipped: [],
  limit: { policy: 'default', remaining: 87 },
  waf: { verdict: 'pass', hits: [] },
  trace: { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' },
};

const model: RequestFacts = {
  ...request,
  method: 'POST',
  path: '/v1/chat/completions',
  model: {
    operation: 'chat.completions',
    requested: 'fast',
    provider: 'openai',
    model: 'gpt-4o-mini',
    stream: true,
    usage: { input: 412, output: 96, source: 'reported' },
    costUsd: '0.00012',
    priceVersion: 'p_1',
    attempts: [{ provider: 'openai', model: 'gpt-4o-mini', status: 200, outcome: 'ok', ttftMs: 310 }],
  },
};

const refusal = refuse('LIMIT_EXCEEDED', { policy: 'default' });
const finding = {
  ...making,
  pseudonym,
  tenant: 'acme',
  requestId: 'req_1',
  title: 'Path traversal in the request target',
  what: 'waf',
  severity: 'high' as const,
  action: 'blocked' as const,
  waf: {
    verdict: 'refuse' as const,
    score: 5,
    hits: [{ rule: 7700001, severity: 'critical', variable: 'REQUEST_URI' }],
  },
  route: 'orders/v1/all',
  clientAddress: '203.0.113.9',
};

const every: readonly (readonly [name: string, event: AuditEvent])[] = [
  ['a proxied request', requestCompleted(request)],
  [
    'a request without a caller or a route',
    requestCompleted({ ...request, principal: undefined, route: undefined, upstream: undefined }),
  ],
  ['a request the client left', requestCompleted({ ...request, status: 0, outcome: 'client_aborted' })],
  ['a request by a method nobody knows', requestCompleted({ ...request, method: 'PURGE' })],
  ['a model call', requestCompleted(model)],
  [
    'a model call without a price, usage or target',
    requestCompleted({
      ...model,
      model: { operation: 'chat.completions', requested: 'fast', stream: false, costUsd: null, attempts: [] },
    }),
  ],
  [
    'a call of our own that needs no model',
    requestCompleted({ ...request, operation: 'models.list', path: '/v1/models' }),
  ],
  ['a limited request', requestCompleted({ ...request, outcome: 'refused', status: 429, refusal })],
  [
    'a folded refusal',
    requestCompleted({
      ...request,
      outcome: 'refused',
      status: 401,
      refusal: refuse('AUTH_REQUIRED'),
      principal: undefined,
      folded: { count: 61, firstRequestId: 'req_1', lastRequestId: 'req_61' },
    }),
  ],
  ['an admission', requestAdmitted(request)],
  ['an admission of a model call', requestAdmitted(model)],
  [
    'a refused key',
    sessionRefused({
      ...making,
      pseudonym,
      tenant: 'acme',
      requestId: 'req_1',
      refusal: refuse('AUTH_KEY_INVALID'),
      credential: { kind: 'api-key', id: 'K7QmX2abcde' },
      clientAddress: '203.0.113.9',
      route: 'orders/v1/all',
      decidedBy: 'service',
      trace: request.trace,
    }),
  ],
  [
    'a refused credential that could not be read',
    sessionRefused({
      ...making,
      pseudonym,
      tenant: 'acme',
      requestId: 'req_1',
      refusal: refuse('AUTH_TOKEN_INVALID', {}, { reason: 'no such key id' }),
      clientAddress: '203.0.113.9',
      decidedBy: 'local',
    }),
  ],
  [
    'a change',
    changeCommitted({
      ...making,
      tenant: 'acme',
      actor: { name: 'admin', via: 'cli' },
      object: { type: 'route', id: 'r1', name: 'all' },
      action: 'update',
      before: { path: '/a' },
      after: { path: '/b' },
      reason: 'moved',
      configVersion: 'c_9',
      traceId: request.trace!.traceId,
    }),
  ],
  [
    'a creation',
    changeCommitted({
      ...making,
      tenant: 'acme',
      actor: { name: 'admin', via: 'api' },
      object: { type: 'key', id: 'k1', name: 'ci' },
      action: 'create',
      after: { z: 1, a: 2 },
    }),
  ],
  ['a start', controlReported({ ...making, tenant: 'acme', app: 'ingress', what: 'start' })],
  [
    'an applied configuration',
    controlReported({ ...making, tenant: 'acme', app: 'ingress', what: 'config-applied', detail: { revision: 'c_9' } }),
  ],
  [
    'a gap',
    controlReported({ ...making, tenant: 'acme', app: 'ingress', what: 'gap', state: 'failed', detail: { losses: 5 } }),
  ],
  [
    'a torn tail',
    controlReported({ ...making, tenant: 'acme', app: 'ingress', what: 'torn-tail', detail: { bytes: 17 } }),
  ],
  ['a finding', findingRaised(finding)],
  [
    'a finding that was only flagged',
    findingRaised({ ...finding, action: 'flagged', route: undefined, trace: request.trace }),
  ],
  [
    'a reading of the log',
    logRead({
      ...making,
      tenant: 'acme',
      actor: { name: 'admin', via: 'console' },
      operation: 'search',
      query: { who: 'x', from: 'y' },
      count: 3,
    }),
  ],
];

const documentOf = (event: AuditEvent) =>
  JSON.parse(
    eventText(event, {
      cluster: 'c',
      chain: 'c/ingress-1/1',
      producer: 'ingress-1',
      seq: 1,
      now: making.now,
      version: '0.1.0',
    }),
  ) as Members;

it('the record of a request names the targets that failed before the one that answered', () => {
  const failed = [
    { host: 'orders-1.internal', status: 503 },
    { host: 'orders-2.internal', status: 0, code: 'UPSTREAM_TIMEOUT' },
  ];
  const event = requestCompleted({ ...request, upstream: { host: 'orders-3.internal', failed }, canary: true });
  expect(documentOf(event)).toMatchObject({
    dst_endpoint: { hostname: 'orders-3.internal' },
    unmapped: { sallyport: { canary: true, upstream_failed: failed } },
  });
});

describe('a record has the shape of its OCSF class', () => {
  it.each(every)('%s', (_, event) => {
    expect(faultsOf(documentOf(event))).toEqual([]);
  });

  it('which the check would notice if it had not', () => {
    const { api: _, ...rest } = documentOf(requestCompleted(model));
    expect(faultsOf({ ...rest, surprise: 1, type_uid: 1 })).toEqual([
      'event.surprise is not known',
      'event.api is missing',
      'type_uid is wrong',
    ]);
  });
});

describe('a record', () => {
  it.each(every)('of %s is laid out in sorted order, so that writing it needs no sort', (_, event) => {
    const inOrder = (value: unknown): boolean =>
      typeof value !== 'object' || value === null
        ? true
        : Array.isArray(value)
          ? value.every(inOrder)
          : Object.keys(value).every(
              (name, at, names) => (at === 0 || names[at - 1]! < name) && inOrder((value as Members)[name]),
            );
    const { unmapped, ...body } = event.body as { readonly unmapped: { readonly sallyport: Members } };
    expect(inOrder(body)).toBe(true);
    // Patches hold what the caller handed in, in the caller's order.
    const { change: _change, ...ours } = unmapped.sallyport;
    expect(inOrder(ours)).toBe(true);
  });

  it.each(every)('of %s shows no address, and no subject in clear', (_, event) => {
    const text = JSON.stringify(event.body);
    expect(text).not.toContain('203.0.113.9');
    expect(text).not.toContain('user-4711');
  });

  it.each([
    ['ok', {}, 1, 1],
    ['flagged', { waf: { verdict: 'flag', hits: [] } }, 3, 15],
    ['limited', { outcome: 'refused', refusal }, 2, 2],
    ['unauthorised', { outcome: 'refused', refusal: refuse('AUTH_REQUIRED') }, 2, 26],
    ['shed', { outcome: 'shed' }, 2, 2],
    ['abandoned', { outcome: 'client_aborted' }, 1, 17],
    ['broken upstream', { outcome: 'upstream_error' }, 1, 27],
  ] as const)('of a request that was %s states action and disposition', (_, more, action, disposition) => {
    const { body } = requestCompleted({ ...request, ...(more as Partial<RequestFacts>) });
    expect(body).toMatchObject({ action_id: action, disposition_id: disposition });
  });

  it('of a change holds digests of both states and the patch between them', () => {
    const { body } = changeCommitted({
      ...making,
      tenant: 'acme',
      actor: { name: 'admin', via: 'cli' },
      object: { type: 'route', id: 'r1', name: 'all' },
      action: 'update',
      before: { path: '/a' },
      after: { path: '/b' },
    });
    const { change } = (body['unmapped'] as { sallyport: { change: Members } }).sallyport;
    expect(change).toMatchObject({ json_patch: [{ op: 'replace', path: '/path', value: '/b' }], via: 'cli' });
    expect(change['before_digest']).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(change['before_digest']).not.toBe(change['after_digest']);
  });

  it('states tokens as the provider counts them and money as text', () => {
    const { body } = requestCompleted(model);
    expect(body['message_context']).toEqual({
      completion_tokens: 96,
      prompt_tokens: 412,
      service: { name: 'fast' },
      total_tokens: 508,
    });
    expect(body['unmapped']).toMatchObject({ sallyport: { cost_usd: '0.00012', price_version: 'p_1' } });
  });
});

describe('a pseudonym', () => {
  it('is the same for the same subject of a tenant, and says nothing across tenants or peppers', () => {
    expect(pseudonym('acme', 'alice')).toMatch(/^hmac:[0-9a-f]{32}$/);
    expect(pseudonym('acme', 'alice')).toBe(createPseudonym(Buffer.alloc(32, 1))('acme', 'alice'));
    expect(pseudonym('acme', 'alice')).not.toBe(pseudonym('other', 'alice'));
    expect(pseudonym('acme', 'alice')).not.toBe(createPseudonym(Buffer.alloc(32, 2))('acme', 'alice'));
  });
});
