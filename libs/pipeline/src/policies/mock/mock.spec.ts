import type { RequestHead } from '@sallyport/contracts';
import { policyInput, someRoute } from '@sallyport/testkit';
import { RequestDraft } from '../../draft';
import { isReply, type Verdict } from '../../policy';
import { servicesWithoutMemory } from '../../policy-services';
import { mock } from './mock';

function answer(given: object, head: Partial<RequestHead>): unknown {
  const input = policyInput(head, { matched: '/orders'.length });
  const hooks = mock.compile(mock.config.parse(given), someRoute(), servicesWithoutMemory);
  let verdict: Verdict;
  hooks.intercept!(input, (given) => (verdict = given), new RequestDraft(input.request, input.request.path));
  if (!isReply(verdict)) return verdict?.code;
  return [verdict.status, Buffer.from(verdict.body).toString(), Object.fromEntries(pairs(verdict.fields))];
}

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, at) => (at % 2 === 0 ? [[name, raw[at + 1]!] as [string, string]] : []));
}

describe('fixed replies', () => {
  const replies = [
    { method: 'GET', path: '/{id}', json: { id: 1 } },
    { method: 'POST', status: 201, fields: { Location: '/orders/1' }, body: 'made' },
    { path: '/gone', status: 410 },
  ];

  it('are found by method and path below the route', () => {
    expect(answer({ replies }, { path: '/orders/7' })).toEqual([
      200,
      '{"id":1}',
      { 'content-type': 'application/json' },
    ]);
    expect(answer({ replies }, { path: '/orders', method: 'POST' })).toEqual([
      201,
      'made',
      { location: '/orders/1', 'content-type': 'text/plain; charset=utf-8' },
    ]);
    expect(answer({ replies }, { path: '/orders/gone', method: 'DELETE' })).toEqual([410, '', {}]);
  });

  it('serve HEAD like GET', () => {
    expect(answer({ replies }, { path: '/orders/7', method: 'HEAD' })).toMatchObject([200, '{"id":1}', {}]);
  });

  it('leave the rest to a 404, or to the upstream', () => {
    expect(answer({ replies }, { path: '/orders' })).toBe('ROUTE_NOT_FOUND');
    expect(answer({ replies, otherwise: 'upstream' }, { path: '/orders' })).toBeUndefined();
  });
});

describe('the examples of an OpenAPI document', () => {
  const openapi = {
    openapi: '3.1.0',
    components: { responses: { Missing: { content: { 'application/problem+json': { example: { title: 'No' } } } } } },
    paths: {
      '/{order-id}': {
        get: {
          responses: {
            '404': { $ref: '#/components/responses/Missing' },
            '200': { content: { 'application/json': { examples: { one: { value: { id: 'a' } } } } } },
          },
        },
        delete: { responses: { '204': { description: 'gone' } } },
      },
      '/latest': { get: { responses: { '200': { content: { 'application/json': { example: { id: 'latest' } } } } } } },
    },
  };

  it('answer for their operation, literal paths before parameters', () => {
    expect(answer({ openapi }, { path: '/orders/7' })).toMatchObject([200, '{"id":"a"}', {}]);
    expect(answer({ openapi }, { path: '/orders/latest' })).toMatchObject([200, '{"id":"latest"}', {}]);
    expect(answer({ openapi }, { path: '/orders/7', method: 'DELETE' })).toEqual([204, '', {}]);
  });

  it('answer with another status when the caller prefers it', () => {
    const preferring = (prefer: string): unknown =>
      answer({ openapi }, { path: '/orders/7', field: new Map([['prefer', prefer]]) });
    expect(preferring('status=404')).toMatchObject([404, '{"title":"No"}', {}]);
    expect(preferring('respond-async, status=404')).toMatchObject([404, expect.anything(), {}]);
    expect(preferring('status=500')).toMatchObject([200, expect.anything(), {}]);
  });
});

describe('the example that is meant where nobody asks for one', () => {
  const json = (example: string) => ({ content: { 'application/json': { example } } });
  const answered = (responses: object, more: object = {}) =>
    answer({ openapi: { openapi: '3.1.0', paths: { '/': { get: { responses } } }, ...more } }, { path: '/orders' });

  it.each([
    ['the lowest success', { default: json('error'), '201': json('made'), '200': json('ok') }, 200, '"ok"'],
    ['a success before the default', { default: json('error'), '201': json('made') }, 201, '"made"'],
    [
      'any success before the default',
      { default: json('error'), '2XX': json('fine'), '404': json('no') },
      200,
      '"fine"',
    ],
    ['the default before an error', { default: json('any'), '404': json('no') }, 200, '"any"'],
    ['an error where there is nothing else', { '5XX': json('worse'), '404': json('no') }, 404, '"no"'],
  ])('is %s', (_, responses, status, body) => expect(answered(responses)).toMatchObject([status, body, {}]));

  it('is found behind references', () => {
    const components = {
      schemas: { Order: { $ref: '#/components/schemas/Base' }, Base: { example: { id: 'b' } } },
      examples: { one: { value: { id: 'e' } } },
    };
    const content = (media: object) => ({ '200': { content: { 'application/json': media } } });
    expect([
      answered(content({ schema: { $ref: '#/components/schemas/Order' } }), { components }),
      answered(content({ examples: { one: { $ref: '#/components/examples/one' } } }), { components }),
    ]).toMatchObject([
      [200, '{"id":"b"}', {}],
      [200, '{"id":"e"}', {}],
    ]);
  });

  it.each(['/café', '/caf%c3%a9', '/c%61fé'])('is found at a path that is written %s', (path) => {
    const openapi = { openapi: '3.1.0', paths: { [path]: { get: { responses: { '200': json('here') } } } } };
    expect(answer({ openapi }, { path: '/orders/caf%C3%A9' })).toMatchObject([200, '"here"', {}]);
  });
});

describe('the configuration of mock', () => {
  it.each([
    ['nothing', {}],
    ['two bodies', { replies: [{ body: 'a', json: 1 }] }],
    ['framing', { replies: [{ fields: { 'content-length': '3' } }] }],
    ['a document without paths', { openapi: { openapi: '3.1.0' } }],
    ['a broken template', { replies: [{ path: '/{a}/{a}' }] }],
  ])('refuses %s', (_, given) => {
    expect(mock.config.safeParse(given).success).toBe(false);
  });
});
