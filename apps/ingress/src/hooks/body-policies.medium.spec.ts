import type { ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { someRoute } from '@sallyport/testkit';
import {
  everyKeyIsAConsumer,
  IngressUnderTest,
  RecordingUpstream,
  someUpstream,
  until,
  type Answer,
  type Asking,
} from '../ingress-under-test';

let ingress: IngressUnderTest;
let upstream: RecordingUpstream;

beforeAll(async () => {
  upstream = await RecordingUpstream.listen();
  ingress = await IngressUnderTest.start({ verifier: everyKeyIsAConsumer });
});

afterAll(async () => {
  await ingress.close();
  await upstream.close();
});

beforeEach(() => {
  upstream.seen = [];
});

const json = (response: ServerResponse, value: unknown, fields: Record<string, string> = {}): void => {
  const body = typeof value === 'string' ? value : JSON.stringify(value);
  response
    .writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body), ...fields })
    .end(body);
};

describe('response-cache in the gateway', () => {
  it('answers a caller from memory, another one from the upstream, and forgets what is changed', async () => {
    await serve([{ policy: 'response-cache', config: {} }]);
    upstream.respond = (_, response) => json(response, { n: upstream.seen.length }, { 'cache-control': 'max-age=60' });
    const get = async (key = 'one') => (await call('/orders/1', { key })).body;
    expect([await get(), await get(), await get('two'), await get('two')]).toEqual([
      '{"n":1}',
      '{"n":1}',
      '{"n":2}',
      '{"n":2}',
    ]);
    const hit = await call('/orders/1', { key: 'one' });
    expect([hit.fields['cache-status'], hit.fields['age'], hit.fields['content-length']]).toEqual([
      expect.stringMatching(/^Sallyport; hit; ttl=\d+$/),
      expect.stringMatching(/^\d+$/),
      '7',
    ]);
    const head = await call('/orders/1', { key: 'one', method: 'HEAD' });
    expect([head.status, head.fields['content-length'], head.body]).toEqual([200, '7', '']);
    await call('/orders/1', { key: 'one', method: 'DELETE' });
    expect(await get()).toBe('{"n":4}');
  });

  it('keeps answers apart by what the gateway and the policies of the route tell the upstream', async () => {
    await serve([
      { policy: 'request-transform', config: { query: [{ set: 'lang', text: '{header.accept-language}' }] } },
      { policy: 'response-cache', config: { shared: true } },
    ]);
    upstream.respond = ({ url, headers }, response) =>
      json(response, `${url} for ${String(headers['x-sallyport-consumer'])}`, {
        'cache-control': 'public, max-age=60',
        vary: 'X-Sallyport-Consumer',
      });
    const get = async (key: string, language: string) =>
      (await call('/orders/2', { key, fields: { 'accept-language': language } })).body;
    const asked = [await get('alice', 'en'), await get('alice', 'de'), await get('bob', 'en'), await get('bob', 'en')];
    expect(asked).toEqual([
      '/orders/2?lang=en for alice',
      '/orders/2?lang=de for alice',
      '/orders/2?lang=en for bob',
      '/orders/2?lang=en for bob',
    ]);
    expect(upstream.seen).toHaveLength(3);
  });

  it('is one call to the upstream for many who ask at once', async () => {
    await serve([{ policy: 'response-cache', config: {} }]);
    upstream.respond = (_, response) =>
      void setTimeout(() => json(response, 'slow', { 'cache-control': 'max-age=60' }), 100);
    const answers = await Promise.all(Array.from({ length: 20 }, () => call('/orders/many', { key: 'one' })));
    expect([new Set(answers.map(({ body }) => body)), upstream.seen.length]).toEqual([new Set(['slow']), 1]);
  });

  it.each([
    ['in chunks', false],
    ['of known length', true],
  ])('keeps the head of an answer %s as the policies behind it left it for the body', async (_, announced) => {
    const hide = { json: [{ remove: '/secret' }], fields: [{ remove: 'x-backend' }] };
    const text = JSON.stringify({ secret: 1, rows: Array.from({ length: 1000 }, (__, at) => at) });
    upstream.respond = (__, response) => {
      const length = announced && { 'content-length': Buffer.byteLength(text) };
      const fields = { 'cache-control': 'max-age=60', 'content-type': 'application/json', 'x-backend': 'db-7' };
      response.writeHead(200, { ...fields, ...length, etag: '"strong"', 'content-digest': 'sha-256=:x:' });
      response.write(text.slice(0, 9));
      response.end(text.slice(9));
    };
    for (const [behind, path] of [
      [{ policy: 'compression', config: { codings: ['gzip'] } }, `/orders/packed/${announced}`],
      [{ policy: 'response-transform', config: hide }, `/orders/transformed/${announced}`],
    ] as const) {
      upstream.seen = [];
      await serve([{ policy: 'response-cache', config: {} }, behind]);
      const answers = [];
      for (let times = 0; times < 2; times++) answers.push(await call(path, { fields: { 'accept-encoding': 'gzip' } }));
      const told = answers.map(({ fields, bytes }) => [
        fields['content-encoding'],
        fields['x-backend'],
        fields['etag'],
        fields['content-digest'],
        bytes.toString('hex'),
      ]);
      expect(told[1]).toEqual(told[0]);
      expect([told[1]![2], answers[1]!.fields['cache-status'], upstream.seen.length]).toEqual([
        'W/"strong"',
        expect.stringContaining('hit'),
        1,
      ]);
    }
  });

  it('confirms a stale answer at the upstream, and lets it stand in for an upstream that is gone', async () => {
    await serve([{ policy: 'response-cache', config: { staleIfError: '1m' } }]);
    upstream.respond = (request, response) => {
      if (request.headers['if-none-match'] === '"1"' && upstream.seen.length === 2)
        return response.writeHead(304, { etag: '"1"', 'x-seen': '2' }).end();
      if (upstream.seen.length > 2) return request.socket.destroy();
      json(response, 'kept', { 'cache-control': 'max-age=0', etag: '"1"' });
    };
    const bodies = [];
    for (let times = 0; times < 3; times++) bodies.push(await call('/orders/stale', { key: 'one' }));
    expect(bodies.map(({ status, body }) => [status, body])).toEqual([
      [200, 'kept'],
      [200, 'kept'],
      [200, 'kept'],
    ]);
    expect(bodies.map(({ fields }) => fields['cache-status'])).toEqual([
      'Sallyport; fwd=uri-miss; fwd-status=200; stored',
      'Sallyport; hit; fwd=stale; fwd-status=304',
      expect.stringMatching(/^Sallyport; hit; fwd=stale; ttl=-?\d+$/),
    ]);
  });
});

describe('response-cache before an upstream of other paths', () => {
  it('forgets what a change says it has changed, by the path that callers know', async () => {
    const route = someRoute({ stripPrefix: true, policies: [{ policy: 'response-cache', config: {} }] });
    await ingress.publish([route], someUpstream(upstream.url));
    upstream.respond = ({ method }, response) =>
      method === 'POST'
        ? response.writeHead(201, { location: '/7' }).end()
        : json(response, { n: upstream.seen.length }, { 'cache-control': 'max-age=60' });
    const bodies = [(await call('/orders/7', {})).body, (await call('/orders/7', {})).body];
    await call('/orders/new', { method: 'POST' });
    expect([...bodies, (await call('/orders/7', {})).body]).toEqual(['{"n":1}', '{"n":1}', '{"n":3}']);
  });
});

describe('response-cache before an upstream that fails', () => {
  it('gives nothing for a 304 about another answer, and asks anew the next time', async () => {
    await serve([{ policy: 'response-cache', config: {} }]);
    upstream.respond = ({ headers }, response) =>
      headers['if-none-match'] === undefined
        ? json(response, 'kept', { 'cache-control': 'max-age=0', etag: '"1"' })
        : response.writeHead(304, { etag: '"2"' }).end();
    const statuses = [];
    for (let times = 0; times < 3; times++) statuses.push((await call('/orders/contradicted', {})).status);
    expect(statuses).toEqual([200, 502, 200]);
  });

  it('gives everybody who waits what may stand in, and asks once', async () => {
    await serve([{ policy: 'response-cache', config: { staleIfError: '1h' } }]);
    upstream.respond = (_, response) => json(response, 'kept', { 'cache-control': 'max-age=0', etag: '"1"' });
    await call('/orders/failing', {});
    upstream.seen = [];
    upstream.respond = (_, response) => void setTimeout(() => response.writeHead(503).end(), 200);
    const answers = await Promise.all(Array.from({ length: 4 }, () => call('/orders/failing', {})));
    expect([answers.map(({ status, body }) => `${status} ${body}`), upstream.seen.length]).toEqual([
      ['200 kept', '200 kept', '200 kept', '200 kept'],
      1,
    ]);
    expect((await call('/orders/failing', { method: 'HEAD' })).status).toBe(200);
  });
});

describe('idempotency-key in the gateway', () => {
  beforeEach(() => serve([{ policy: 'idempotency-key', config: { required: true } }]));
  const post = (key: string | undefined, body = '{"a":1}') =>
    call('/orders', { method: 'POST', body, fields: key === undefined ? {} : { 'idempotency-key': key } });

  it('lets a request through once, answers it again as before, and refuses another one with its key', async () => {
    upstream.respond = (_, response) =>
      json(response, { n: upstream.seen.length }, { location: '/orders/1', 'set-cookie': 'sid=1' });
    const [first, again, other, without] = [
      await post('order-0001'),
      await post('"order-0001"'),
      await post('order-0001', '{"a":2}'),
      await post(undefined),
    ];
    expect([first.status, first.body, first.fields['idempotency-replayed']]).toEqual([200, '{"n":1}', undefined]);
    expect([
      again.status,
      again.body,
      again.fields['idempotency-replayed'],
      again.fields['location'],
      again.fields['set-cookie'],
    ]).toEqual([200, '{"n":1}', 'true', '/orders/1', undefined]);
    expect([other.status, codeOf(other), without.status, codeOf(without), upstream.seen.length]).toEqual([
      422,
      'IDEMPOTENCY_MISMATCH',
      400,
      'IDEMPOTENCY_KEY_INVALID',
      1,
    ]);
  });

  it('tells those who come meanwhile to wait, and executes nothing for them', async () => {
    let release = () => undefined as void;
    upstream.respond = (_, response) => void (release = () => json(response, 'done'));
    const first = post('order-0002');
    await until(() => upstream.seen.length > 0);
    const second = await post('order-0002');
    expect([second.status, codeOf(second), second.fields['retry-after']]).toEqual([
      409,
      'IDEMPOTENCY_IN_PROGRESS',
      '1',
    ]);
    release();
    expect([(await first).body, (await post('order-0002')).body, upstream.seen.length]).toEqual(['done', 'done', 1]);
  });

  it('lets a key be used again that nothing was sent on with', async () => {
    const mock = { policy: 'mock', config: { replies: [{ method: 'GET', body: 'x' }] } };
    await serve([{ policy: 'idempotency-key', config: {} }, mock]);
    const [first, again] = [await post('order-0004'), await post('order-0004')];
    expect([first.status, again.status, codeOf(again)]).toEqual([404, 404, 'ROUTE_NOT_FOUND']);
  });

  it.each<[string, object, readonly string[]]>([
    ['could be connected to', {}, ['UPSTREAM_UNREACHABLE', 'UPSTREAM_UNREACHABLE']],
    [
      'could be connected to, at several attempts',
      { retry: { attempts: 2, on: ['connect', 'broke'] } },
      ['UPSTREAM_UNREACHABLE', 'UPSTREAM_UNREACHABLE'],
    ],
  ])('lets a key be used again when no upstream %s', async (_, more, codes) => {
    const key = `order-${Object.keys(more).length}-alone`;
    const policies = [{ policy: 'idempotency-key', config: {} }];
    await ingress.publish([someRoute({ policies: policies as never })], someUpstream('http://127.0.0.1:1', more));
    expect([codeOf(await post(key)), codeOf(await post(key))]).toEqual(codes);
  });

  it('does not execute again when one attempt broke, although another one could not be connected', async () => {
    upstream.respond = (request) => void request.socket.destroy();
    const targets = [upstream.url, 'http://127.0.0.1:1'].map((url) => ({ url, weight: 1 }));
    const retry = { attempts: 1, on: ['connect', 'broke'] } as never;
    const policies = [{ policy: 'idempotency-key', config: {} }];
    for (const order of [targets, targets.toReversed()]) {
      await ingress.publish([someRoute({ policies: policies as never })], someUpstream('', { targets: order, retry }));
      const key = `order-of-${order[0]!.url}`;
      await post(key);
      expect(codeOf(await post(key))).toBe('IDEMPOTENCY_OUTCOME_UNKNOWN');
    }
  });

  it.each([
    ['packed', { policy: 'compression', config: { minBytes: 0, codings: ['gzip'] } }],
    [
      'transformed',
      { policy: 'response-transform', config: { json: [{ wrap: 'data' }], fields: [{ remove: 'x-backend' }] } },
    ],
  ])(
    'replays an answer that a policy behind it has %s with the head that belongs to those bytes',
    async (made, behind) => {
      await serve([{ policy: 'idempotency-key', config: {} }, behind]);
      upstream.respond = (_, response) => json(response, '{"a":1}', { etag: '"s"', 'x-backend': 'db-7.internal' });
      const create = () =>
        call('/orders', {
          method: 'POST',
          body: '{}',
          fields: { 'idempotency-key': `order-${made}`, 'accept-encoding': 'gzip' },
        });
      const [first, again] = [await create(), await create()];
      const told = ({ status, body, fields }: Answer) => [
        status,
        body,
        ...['content-type', 'content-encoding', 'etag', 'vary', 'x-backend'].map((name) => fields[name]),
      ];
      expect([again.fields['idempotency-replayed'], first.fields['etag'], upstream.seen.length]).toEqual([
        'true',
        'W/"s"',
        1,
      ]);
      expect(told(again)).toEqual(told(first));
    },
  );
});

describe('a route that normalises bodies', () => {
  const normalising = () =>
    ingress.publish([someRoute({ waf: { body: { normalise: true } } })], someUpstream(upstream.url));

  it('sends the upstream what was inspected, written again, with its own length', async () => {
    await normalising();
    upstream.respond = (_, response) => json(response, 'done');
    await call('/orders', { method: 'POST', body: ' { "\\u0061" : "b" } ' });
    expect(upstream.seen).toMatchObject([{ body: '{"a":"b"}', fields: { 'content-length': '9' } }]);
  });

  it('refuses what readers differ on, and what cannot be written again', async () => {
    await normalising();
    const twice = await call('/orders', { method: 'POST', body: '{"a":1,"a":2}' });
    const xml = await call('/orders', { method: 'POST', body: '<a/>', fields: { 'content-type': 'application/xml' } });
    expect([twice.status, codeOf(twice), xml.status, codeOf(xml), upstream.seen.length]).toEqual([
      400,
      'REQUEST_MALFORMED',
      415,
      'MEDIA_TYPE_UNSUPPORTED',
      0,
    ]);
  });
});

describe('request-validation in the gateway', () => {
  it('names each fault, and lets only what is right go upstream', async () => {
    await serve([
      {
        policy: 'request-validation',
        config: { body: { type: 'object', required: ['sku'], properties: { n: { type: 'integer' } } } },
      },
    ]);
    upstream.respond = (_, response, body) => json(response, body);
    const bad = await call('/orders', { method: 'POST', body: '{"n":"1"}' });
    expect(bad.status).toBe(422);
    expect(JSON.parse(bad.body)).toMatchObject({
      code: 'SCHEMA_VIOLATION',
      errors: [
        { pointer: '/sku', code: 'required', detail: 'Is missing.' },
        { pointer: '/n', code: 'type', detail: 'Must be integer.' },
      ],
    });
    const odd = await call('/orders', { method: 'POST', body: '{}', fields: { 'content-type': 'text/plain' } });
    expect([odd.status, codeOf(odd)]).toEqual([415, 'MEDIA_TYPE_UNSUPPORTED']);
    expect(upstream.seen).toHaveLength(0);
    expect((await call('/orders', { method: 'POST', body: '{"sku":"a", "n":1}' })).body).toBe('{"sku":"a", "n":1}');
  });
});

describe('transforming in the gateway', () => {
  it('changes both ways to the digit, and makes the lengths anew', async () => {
    await serve([
      {
        policy: 'request-transform',
        config: {
          json: [{ rename: '/id', to: 'order' }],
          fields: [{ set: 'x-order', body: '/order' }],
          query: [{ set: 'by', text: '{consumer}' }],
        },
      },
      { policy: 'response-transform', config: { json: [{ remove: '/secret' }, { wrap: 'data' }] } },
    ]);
    upstream.respond = (_, response) => json(response, '{"total":12345678901234567890.10,"secret":"x"}');
    const answer = await call('/orders', { method: 'POST', body: '{"id": 12345678901234567890}' });
    expect([answer.body, answer.fields['content-length']]).toEqual([
      '{"data":{"total":12345678901234567890.10}}',
      '42',
    ]);
    expect([
      upstream.seen[0]!.url,
      upstream.seen[0]!.body,
      upstream.seen[0]!.fields['x-order'],
      upstream.seen[0]!.fields['content-length'],
    ]).toEqual(['/orders?by=one', '{"order":12345678901234567890}', '12345678901234567890', '30']);
  });

  it('lets nothing pass that was to be taken out', async () => {
    await serve([{ policy: 'response-transform', config: { json: [{ remove: '/secret' }] } }]);
    upstream.respond = (_, response) => json(response, '{"secret":"x"');
    const answer = await call('/orders', {});
    expect([answer.status, codeOf(answer), answer.body.includes('"x"')]).toEqual([
      502,
      'TRANSFORM_ANSWER_IMPOSSIBLE',
      false,
    ]);
  });
});

describe('compression in the gateway', () => {
  it('packs for those who ask, before a cache that keeps what the upstream sent', async () => {
    await serve([
      { policy: 'compression', config: { codings: ['gzip'] } },
      { policy: 'response-cache', config: {} },
    ]);
    const text = JSON.stringify(Array.from({ length: 1000 }, (_, at) => at));
    upstream.respond = (_, response) => json(response, text, { 'cache-control': 'max-age=60' });
    for (let times = 0; times < 2; times++) {
      const packed = await call('/orders/packed', { fields: { 'accept-encoding': 'gzip' } });
      expect([packed.fields['content-encoding'], packed.fields['vary'], gunzipSync(packed.bytes).toString()]).toEqual([
        'gzip',
        'accept-encoding',
        text,
      ]);
    }
    expect((await call('/orders/packed', {})).body).toBe(text);
    expect(upstream.seen).toHaveLength(1);
  });

  it('says the same in 200 and 304, of what comes from a cache', async () => {
    await serve([
      { policy: 'compression', config: { codings: ['gzip'], minBytes: 0 } },
      { policy: 'response-cache', config: {} },
    ]);
    upstream.respond = (_, response) => json(response, '{}', { 'cache-control': 'max-age=60', etag: '"v1"' });
    const get = (more: Record<string, string>) =>
      call('/orders/tagged', { fields: { 'accept-encoding': 'gzip', ...more } });
    const answers = [await get({}), await get({ 'if-none-match': 'W/"v1"' })];
    expect(answers.map(({ status, fields }) => [status, fields['etag'], fields['vary']])).toEqual([
      [200, 'W/"v1"', 'accept-encoding'],
      [304, 'W/"v1"', 'accept-encoding'],
    ]);
  });
});

function codeOf({ body }: Answer): unknown {
  return (JSON.parse(body) as { code: unknown }).code;
}

async function serve(policies: { policy: string; config: object }[]): Promise<void> {
  await ingress.publish([someRoute({ policies: policies as never })], someUpstream(upstream.url));
}

function call(path: string, { key = 'one', fields, ...asking }: Asking & { readonly key?: string }): Promise<Answer> {
  const type = asking.body !== undefined && { 'content-type': 'application/json' };
  return ingress.ask(path, { ...asking, fields: { authorization: `Bearer ${key}`, ...type, ...fields } });
}
