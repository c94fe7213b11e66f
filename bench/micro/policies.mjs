// What the policies of a route cost a request: `node bench/micro/policies.mjs [--seconds 0.5] [--json]`
// Prints nanoseconds of processor time for the hooks of one request, the median of several windows.
import { createRequire } from 'node:module';
import { nanosecondsOf, smallBenchmark } from '../processor-time.mjs';

const require = createRequire(new URL('../../dist/', import.meta.url));

const ranges = Array.from({ length: 10_000 }, (_, at) => `10.${at >> 8}.${at & 255}.0/24`);

/** Routes by what they carry. */
const routes = {
  'no policy': [],
  'body-limit': [{ 'body-limit': { maxBytes: 65_536 } }],
  'rate-limit, one': [{ 'rate-limit': { limit: 100, window: '1m' } }],
  'rate-limit, three windows': [
    {
      'rate-limit': {
        limits: [
          { limit: 10, window: '1s', by: 'key' },
          { limit: 100, window: '1m' },
          { name: 'lane', limit: 100, window: '1m', by: ['route', { header: 'x-lane' }] },
        ],
      },
    },
  ],
  'ip-allow-deny, 10,000 ranges': [{ 'ip-allow-deny': { allow: ranges } }],
  cors: [{ cors: { origins: ['https://app.example.com'] } }],
  'header-rewrite': [
    { 'header-rewrite': { request: { set: { 'x-caller': '{consumer}' } }, answer: { remove: ['x-runtime'] } } },
  ],
  'path-rewrite, prefix': [{ 'path-rewrite': { rules: [{ prefix: '/orders', to: '/v2/orders' }] } }],
  'path-rewrite, pattern': [{ 'path-rewrite': { rules: [{ pattern: '/orders/(\\d+)', to: '/o/$1' }] } }],
  'request-size': [{ 'request-size': { fields: 40, fieldBytes: 4096, headerBytes: 8192, targetBytes: 2048 } }],
  'concurrency-limit': [{ 'concurrency-limit': { limit: 10 } }],
  'load-shedding': [{ 'load-shedding': { priority: 'low' } }],
};
routes['all of these'] = Object.values(routes)
  .flat()
  .filter((policy, at, all) => all.findIndex((one) => Object.keys(one)[0] === Object.keys(policy)[0]) === at);

smallBenchmark(import.meta, 'request', measure);

/** @returns processor nanoseconds for the hooks of one request of each route. */
export function measure(seconds) {
  return Object.fromEntries(
    Object.entries(routes).map(([name, policies]) => [name, nanosecondsOf(requestOf(policies), seconds)]),
  );
}

/** Everything the ingress does with hooks between the head of a request and its record, but for what they wait for. */
function requestOf(policies) {
  const { AnswerDraft, chargesOf, compileRoute, RequestDraft } = require('./libs/pipeline/src/index.js');
  const compiled = compileRoute({
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
    auth: { anonymous: false, kinds: ['api-key'], trust: [], scopes: [] },
    policies: policies.map((policy) => {
      const [[id, config]] = Object.entries(policy);
      return { policy: id, config };
    }),
    trustTrace: false,
  });
  const fields = [
    { name: 'host', value: 'shop.example' },
    { name: 'origin', value: 'https://app.example.com' },
    { name: 'accept', value: 'application/json' },
    { name: 'x-lane', value: 'blue' },
  ];
  const request = {
    method: 'GET',
    path: '/orders/17',
    query: 'expand=lines',
    hasQuery: true,
    rawTarget: '/orders/17?expand=lines',
    fields,
    field: new Map(fields.map(({ name, value }) => [name, value])),
    clientAddress: '10.7.7.7',
    contentLength: undefined,
    hasBody: false,
  };
  const principal = { consumer: 'billing', credential: { kind: 'api-key', id: 'k' }, quotas: [], tenant: 'default' };
  const answer = ['content-type', 'application/json', 'content-length', '42', 'x-runtime', '3'];
  const settled = { status: 200, refusal: undefined, bytesIn: 0, bytesOut: 42, aborted: false };
  const refused = (verdict) => {
    if (verdict !== undefined) throw new Error(`refused: ${JSON.stringify(verdict)}`);
  };
  return () => {
    let notes;
    const exchange = {
      route: compiled.route,
      requestId: 'req_1',
      startedAt: 0,
      matched: 7,
      principal,
      capBody: () => undefined,
      keep: (owner, value) => (notes ??= new Map()).set(owner, value),
      kept: (owner) => notes?.get(owner),
    };
    const input = { request, exchange };
    for (const { run } of compiled.admit) refused(run(input));
    for (const { run } of compiled.authorised) run(input, refused);
    const charges = chargesOf(compiled, [], input);
    if (compiled.shape.length > 0) {
      const draft = new RequestDraft(request, request.path);
      for (const { run } of compiled.shape) refused(run(input, draft));
      if (draft.head.fields.length === 0) throw new Error('no fields');
    }
    if (compiled.answerHead.length > 0) {
      const draft = new AnswerDraft('upstream', 200, answer);
      for (const { run } of compiled.answerHead) refused(run(input, draft));
    }
    for (const { run } of compiled.settle) run(input, settled);
    return charges;
  };
}
