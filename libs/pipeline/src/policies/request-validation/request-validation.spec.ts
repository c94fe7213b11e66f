import { isRefusal, type RequestHead } from '@sallyport/contracts';
import { policyInput, someRoute } from '@sallyport/testkit';
import { RequestDraft } from '../../draft';
import { servicesWithoutMemory } from '../../policy-services';
import { requestValidation } from './request-validation';

const JSON_TYPE = 'application/json';

/** What becomes of one request: `passes`, or a code with the places of its faults. */
function send(
  config: object,
  head: Partial<RequestHead> = {},
  body?: string | Buffer,
  type: string | undefined = JSON_TYPE,
): unknown {
  const hooks = requestValidation.compile(requestValidation.config.parse(config), someRoute(), servicesWithoutMemory);
  const bytes = Buffer.from(body ?? '');
  const field = new Map(head.field);
  if (body !== undefined && type !== undefined) field.set('content-type', type);
  const essence = /^[^;]*/
    .exec(type ?? '')![0]
    .trim()
    .toLowerCase();
  const input = policyInput(
    {
      method: body === undefined ? 'GET' : 'POST',
      path: '/orders',
      hasBody: body !== undefined,
      mediaType: body === undefined ? undefined : essence,
      ...head,
      field,
    },
    { matched: '/orders'.length },
  );
  const draft = new RequestDraft(input.request, input.request.path);
  let verdict: unknown = hooks.shape!(input, draft);
  const { requestBody } = hooks;
  if (!verdict && requestBody?.mode === 'whole' && requestBody.wants!(input))
    requestBody.run(input, bytes, draft, (given) => (verdict = given));
  if (!isRefusal(verdict)) return 'passes';
  return verdict.violations
    ? [verdict.code, ...verdict.violations.map(({ pointer, code }) => `${pointer} ${code}`)]
    : verdict.code;
}

const order = {
  type: 'object',
  required: ['sku'],
  additionalProperties: false,
  properties: { sku: { type: 'string' }, n: { type: 'integer', maximum: 9 } },
};

describe('schemas for the parts of a request', () => {
  it.each<[string, unknown]>([
    ['{"sku":"a","n":3}', 'passes'],
    ['{"n":10,"x":1}', ['SCHEMA_VIOLATION', '/sku required', '/n maximum', '/x additionalProperties']],
    ['{"sku":"a","sku":1}', 'REQUEST_MALFORMED'],
    ['{"sku":"a"', 'REQUEST_MALFORMED'],
    [`${'['.repeat(65)}`, 'REQUEST_MALFORMED'],
    ['\ufeff{"sku":"a"}', 'REQUEST_MALFORMED'],
    ['{"__proto__":{"sku":"a"}}', ['SCHEMA_VIOLATION', '/sku required', '/__proto__ additionalProperties']],
  ])('a body of %s: %j', (body, outcome) => expect(send({ body: order }, {}, body)).toEqual(outcome));

  it('rel-T42 a body of any other type, or one said in an odd way, is refused and never skipped', () => {
    const bad = '{"n":10}';
    const types = [
      'text/plain',
      'application/json x',
      'application/json;',
      'application/json; charset=utf-16',
      'application/json; charset=utf-8; charset=utf-16',
      'application/json\t',
      ' application/json,text/plain',
      '',
      'application/jsonx',
      'application/json; charset="utf-7"',
    ];
    expect(types.map((type) => send({ body: order }, {}, bad, type))).toEqual(
      types.map(() => 'MEDIA_TYPE_UNSUPPORTED'),
    );
    for (const type of ['application/json', 'Application/JSON; charset=UTF-8', 'application/json ; charset="utf-8"']) {
      expect(send({ body: order }, {}, bad, type)).toEqual(['SCHEMA_VIOLATION', '/sku required', '/n maximum']);
    }
  });

  it('does not look into what is packed, and so does not let it pass', () => {
    expect(send({ body: order }, { field: new Map([['content-encoding', 'gzip']]) }, '{"sku":"a"}')).toBe(
      'MEDIA_TYPE_UNSUPPORTED',
    );
  });

  it('takes a missing body only where it is not required', () => {
    expect(send({ body: order })).toEqual(['SCHEMA_VIOLATION', ' required']);
    expect(send({ body: order, bodyRequired: false })).toBe('passes');
  });

  it.each<[string, unknown]>([
    ['n=3&tag=a&tag=b', 'passes'],
    ['n=x', ['SCHEMA_VIOLATION', '/query/n type']],
    ['n=3&n=4', ['SCHEMA_VIOLATION', '/query/n type']],
    ['tag=a', 'passes'],
    ['other=1', ['SCHEMA_VIOLATION', '/query/other additionalProperties']],
    ['n=%zz', ['SCHEMA_VIOLATION', '/query encoding']],
  ])('a query of %s: %j', (query, outcome) => {
    const schema = {
      additionalProperties: false,
      properties: { n: { type: 'integer' }, tag: { type: 'array', items: { type: 'string' } } },
    };
    expect(send({ query: schema }, { query, hasQuery: true })).toEqual(outcome);
  });

  it('the path and the fields of the head', () => {
    const config = {
      path: { template: '/{id}', schema: { properties: { id: { type: 'integer' } } } },
      header: { required: ['x-team'] },
    };
    const field = new Map([['x-team', 'a']]);
    expect(send(config, { path: '/orders/7', field })).toBe('passes');
    expect(send(config, { path: '/orders/seven' })).toEqual([
      'SCHEMA_VIOLATION',
      '/path/id type',
      '/header/x-team required',
    ]);
    expect(send(config, { path: '/orders/7/lines', field })).toEqual(['SCHEMA_VIOLATION', '/path template']);
  });

  it('read as JSON what inspection judges as JSON', () => {
    const config = { body: order, mediaTypes: ['text/json', 'application/vnd.order+json'] };
    for (const type of ['text/json', 'application/vnd.order+json'])
      expect([send(config, {}, '{"sku":"a"}', type), send(config, {}, '{', type)]).toEqual([
        'passes',
        'REQUEST_MALFORMED',
      ]);
  });

  it('forms, with numbers where the schema takes numbers', () => {
    const config = { body: order, mediaTypes: ['application/x-www-form-urlencoded'] };
    expect(send(config, {}, 'sku=a+b&n=3', 'application/x-www-form-urlencoded')).toBe('passes');
    expect(send(config, {}, 'sku=a&n=30', 'application/x-www-form-urlencoded')).toEqual([
      'SCHEMA_VIOLATION',
      '/n maximum',
    ]);
    expect(send(config, {}, 'sku=a&sku=b', 'application/x-www-form-urlencoded')).toEqual([
      'SCHEMA_VIOLATION',
      '/sku type',
    ]);
  });
});

const openapi = {
  openapi: '3.1.0',
  paths: {
    '/': {
      parameters: [{ $ref: '#/components/parameters/page' }],
      get: {
        parameters: [
          { name: 'ids', in: 'query', explode: false, schema: { type: 'array', items: { type: 'integer' } } },
          {
            name: 'filter',
            in: 'query',
            style: 'deepObject',
            schema: { type: 'object', properties: { min: { type: 'integer' } }, additionalProperties: false },
          },
          { name: 'q', in: 'query', content: { 'application/json': { schema: { type: 'object' } } } },
          { name: 'X-Mode', in: 'header', required: true, schema: { enum: ['fast', 'safe'] } },
          { name: 'sid', in: 'cookie', schema: { type: 'string', minLength: 3 } },
        ],
      },
      post: {
        requestBody: {
          required: true,
          content: {
            'application/json': { schema: { $ref: '#/components/schemas/Order' } },
            'text/*': {},
          },
        },
      },
    },
    '/{id}': { get: { parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'integer' } }] } },
    '/export.{kind}': {
      get: { parameters: [{ name: 'kind', in: 'path', required: true, schema: { enum: ['csv'] } }] },
    },
    '/latest': { get: {} },
  },
  components: {
    parameters: { page: { name: 'page', in: 'query', schema: { type: 'integer', minimum: 1 } } },
    schemas: { Order: { ...order, properties: { ...order.properties, next: { $ref: '#/components/schemas/Order' } } } },
  },
};

describe('an OpenAPI document', () => {
  const mode = new Map([['x-mode', 'fast']]);

  it.each<[string, object, unknown]>([
    ['GET', { path: '/orders', field: mode, query: 'page=2&ids=1,2&filter[min]=3&q=%7B%7D', hasQuery: true }, 'passes'],
    [
      'GET',
      { path: '/orders', field: mode, query: 'page=0', hasQuery: true },
      ['SCHEMA_VIOLATION', '/query/page minimum'],
    ],
    [
      'GET',
      { path: '/orders', field: mode, query: 'page=1&page=2', hasQuery: true },
      ['SCHEMA_VIOLATION', '/query/page repeated'],
    ],
    [
      'GET',
      { path: '/orders', field: mode, query: 'ids=1,x', hasQuery: true },
      ['SCHEMA_VIOLATION', '/query/ids/1 type'],
    ],
    [
      'GET',
      { path: '/orders', field: mode, query: 'filter[max]=3', hasQuery: true },
      ['SCHEMA_VIOLATION', '/query/filter/max additionalProperties'],
    ],
    ['GET', { path: '/orders', field: mode, query: 'q=[', hasQuery: true }, ['SCHEMA_VIOLATION', '/query/q json']],
    ['GET', { path: '/orders' }, ['SCHEMA_VIOLATION', '/header/x-mode required']],
    [
      'GET',
      {
        path: '/orders',
        field: new Map([
          ['x-mode', 'slow'],
          ['cookie', 'a=b; sid=x'],
        ]),
      },
      ['SCHEMA_VIOLATION', '/header/x-mode enum', '/cookie/sid minLength'],
    ],
    ['GET', { path: '/orders/7' }, 'passes'],
    ['HEAD', { path: '/orders/7' }, 'passes'],
    ['GET', { path: '/orders/x' }, ['SCHEMA_VIOLATION', '/path/id type']],
    ['GET', { path: '/orders/latest' }, 'passes'],
    ['DELETE', { path: '/orders/7' }, 'METHOD_NOT_ALLOWED'],
    ['GET', { path: '/orders/7/lines' }, 'ROUTE_NOT_FOUND'],
  ])('%s %j: %j', (method, head, outcome) => expect(send({ openapi }, { method, ...head })).toEqual(outcome));

  it('checks bodies by their media type', () => {
    expect(send({ openapi }, {}, '{"sku":"a","next":{"sku":1}}')).toEqual(['SCHEMA_VIOLATION', '/next/sku type']);
    expect(send({ openapi }, {}, 'anything', 'text/csv')).toBe('passes');
    expect(send({ openapi }, {}, '<a/>', 'application/xml')).toBe('MEDIA_TYPE_UNSUPPORTED');
    expect(send({ openapi }, { method: 'POST' })).toEqual(['SCHEMA_VIOLATION', ' required']);
    expect(send({ openapi }, { method: 'GET', path: '/orders/7' }, '{}')).toBe('MEDIA_TYPE_UNSUPPORTED');
  });

  it('lets pass, or refuses, what it does not describe, as the operator says', () => {
    expect(send({ openapi, unknownOperations: 'pass' }, { path: '/orders/7/lines' })).toBe('passes');
    const query = { path: '/orders/7', query: 'debug=1', hasQuery: true };
    expect(send({ openapi }, query)).toBe('passes');
    expect(send({ openapi, unknownParameters: 'refuse' }, query)).toEqual(['SCHEMA_VIOLATION', '/query/debug unknown']);
  });

  it.each(['/café', '/caf%c3%a9', '/c%61fé'])('finds a path that is written %s', (path) => {
    const get = { parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'integer' } }] };
    const written = { openapi: '3.1.0', paths: { [path]: { get: {} }, [`${path}-{id}`]: { get } } };
    const found = ['caf%C3%A9', 'caf%C3%A9-7', 'caf%C3%A9-x', 'cafe'].map((at) =>
      send({ openapi: written }, { path: `/orders/${at}` }),
    );
    expect(found).toEqual(['passes', 'passes', ['SCHEMA_VIOLATION', '/path/id type'], 'ROUTE_NOT_FOUND']);
  });

  it('reads 3.0 by its own words', () => {
    const old = {
      openapi: '3.0.3',
      paths: {
        '/': {
          post: {
            requestBody: {
              content: {
                'application/json': {
                  schema: { type: 'object', properties: { a: { type: 'string', nullable: true } } },
                },
              },
            },
          },
        },
      },
    };
    expect(send({ openapi: old }, {}, '{"a":null}')).toBe('passes');
    expect(send({ openapi: old }, {}, '{"a":1}')).toEqual(['SCHEMA_VIOLATION', '/a type']);
  });
});

/** A document with one operation, whose parameters or body are these. */
const documentOf = (operation: object, more: object = {}) => ({ openapi: '3.1.0', paths: { '/': operation }, ...more });

/** What becomes of a query where one parameter is described. */
function ask(query: string, parameter: object, more: object = {}, others: object[] = []): unknown {
  const parameters = [{ name: 'n', in: 'query', ...parameter }, ...others];
  return send({ openapi: documentOf({ get: { parameters } }, more) }, { query, hasQuery: true });
}

describe('texts as a document of OpenAPI means them', () => {
  const integer = { type: 'integer' };
  const components = { schemas: { Page: { type: 'integer', minimum: 1 } } };

  it.each<[object, string, unknown]>([
    [{ anyOf: [integer, { type: 'null' }] }, 'n=10', 'passes'],
    [{ anyOf: [integer, { type: 'null' }] }, 'n=', 'passes'],
    [{ anyOf: [integer, { type: 'null' }] }, 'n=x', ['SCHEMA_VIOLATION', '/query/n anyOf']],
    [{ oneOf: [integer, { enum: ['all'] }] }, 'n=10', 'passes'],
    [{ oneOf: [integer, { enum: ['all'] }] }, 'n=all', 'passes'],
    [{ oneOf: [integer, { enum: ['all'] }] }, 'n=some', ['SCHEMA_VIOLATION', '/query/n oneOf']],
    [{ anyOf: [{ type: 'string', maxLength: 1 }, integer] }, 'n=10', 'passes'],
    [{ allOf: [{ $ref: '#/components/schemas/Page' }] }, 'n=10', 'passes'],
    [{ allOf: [{ $ref: '#/components/schemas/Page' }] }, 'n=0', ['SCHEMA_VIOLATION', '/query/n minimum']],
    [{ $ref: '#/components/schemas/Page', maximum: 5 }, 'n=10', ['SCHEMA_VIOLATION', '/query/n maximum']],
    [{ enum: [1, 2, 3] }, 'n=2', 'passes'],
    [{ enum: [1, 2, 3] }, 'n=4', ['SCHEMA_VIOLATION', '/query/n enum']],
    [{ const: true }, 'n=true', 'passes'],
    [{ anyOf: [{ type: 'array', items: integer }, { type: 'null' }] }, 'n=1&n=2', 'passes'],
    [{ anyOf: [{ type: 'array', items: integer, minItems: 2 }, integer] }, 'n=1', 'passes'],
    [{ anyOf: [{ type: 'array', items: integer }, integer] }, 'n=1&n=x', ['SCHEMA_VIOLATION', '/query/n anyOf']],
    [{ type: 'integer', format: 'int64' }, 'n=9223372036854775807', 'passes'],
    [{ type: 'integer', maximum: 9007199254740992 }, 'n=9007199254740993', ['SCHEMA_VIOLATION', '/query/n maximum']],
    [{ type: 'number' }, 'n=1e999', ['SCHEMA_VIOLATION', '/query/n type']],
  ])('the schema %j and %s: %j', (schema, query, outcome) =>
    expect(ask(query, { schema }, { components })).toEqual(outcome),
  );

  it('of version 3.0, too', () => {
    const schema = { allOf: [{ $ref: '#/components/schemas/Page' }], nullable: true };
    expect(ask('n=10', { schema }, { openapi: '3.0.3', components })).toBe('passes');
  });

  it.each(['1, 2', '1,2', '1 ,\t2, ', ',1,,2'])('a list in a field has white space around its members: %j', (ids) => {
    const parameter = { name: 'X-Ids', in: 'header', schema: { type: 'array', items: integer, maxItems: 2 } };
    const openapi = documentOf({ get: { parameters: [parameter] } });
    const asked = (value: string) => send({ openapi }, { field: new Map([['x-ids', value]]) });
    expect([asked(ids), asked(`${ids},x`)]).toEqual([
      'passes',
      ['SCHEMA_VIOLATION', '/header/x-ids maxItems', '/header/x-ids/2 type'],
    ]);
  });

  it('lists in forms have items of their type, as in the query', () => {
    const schema = { type: 'object', properties: { ids: { type: 'array', items: integer } } };
    const form = 'application/x-www-form-urlencoded';
    const openapi = documentOf({ post: { requestBody: { content: { [form]: { schema } } } } });
    expect([
      send({ openapi }, {}, 'ids=1&ids=2', form),
      send({ body: schema, mediaTypes: [form] }, {}, 'ids=1', form),
      send({ openapi }, {}, 'ids=1&ids=x', form),
    ]).toEqual(['passes', 'passes', ['SCHEMA_VIOLATION', '/ids/1 type']]);
  });

  it('an empty value passes where the document allows one, in the query alone', () => {
    expect(ask('n=', { schema: integer, allowEmptyValue: true, required: true })).toBe('passes');
    expect(ask('n', { schema: integer, allowEmptyValue: true })).toBe('passes');
    expect(ask('n=x', { schema: integer, allowEmptyValue: true })).toEqual(['SCHEMA_VIOLATION', '/query/n type']);
    expect(ask('n=', { schema: integer })).toEqual(['SCHEMA_VIOLATION', '/query/n type']);
  });

  it.each<[object, string, unknown]>([
    [{}, 'n=Smith%2CJohn', 'passes'],
    [{}, 'n=Smith,John', ['SCHEMA_VIOLATION', '/query/n maxItems']],
    [{ style: 'pipeDelimited' }, 'n=Smith%7CJohn', ['SCHEMA_VIOLATION', '/query/n maxItems']],
    [{ style: 'spaceDelimited' }, 'n=Smith%20John', ['SCHEMA_VIOLATION', '/query/n maxItems']],
  ])('a comma that is escaped parts no members: %j and %s: %j', (style, query, outcome) => {
    const schema = { type: 'array', maxItems: 1, items: { type: 'string' } };
    expect(ask(query, { explode: false, schema, ...style })).toEqual(outcome);
  });

  it.each<[string, unknown]>([
    ['n=1%2C2', 'passes'],
    ['n=1,2', 'passes'],
    ['n=1%2c2%2cx', ['SCHEMA_VIOLATION', '/query/n/0 type']],
    ['n=1%2C2,3', ['SCHEMA_VIOLATION', '/query/n/0 type']],
  ])('a list that a client escaped as a whole is the list that servers read: %s: %j', (query, outcome) => {
    expect(ask(query, { explode: false, schema: { type: 'array', items: integer } })).toEqual(outcome);
  });

  it('a comma that is escaped parts no members of a path either', () => {
    const parameter = { name: 'ids', in: 'path', required: true, schema: { type: 'array', maxItems: 1 } };
    const openapi = { openapi: '3.1.0', paths: { '/{ids}': { get: { parameters: [parameter] } } } };
    expect(['a%2Cb', 'a,b'].map((ids) => send({ openapi }, { path: `/orders/${ids}` }))).toEqual([
      'passes',
      ['SCHEMA_VIOLATION', '/path/ids maxItems'],
    ]);
  });

  it.each<[object | boolean, string, unknown]>([
    [integer, 'a=1&page=first', 'passes'],
    [integer, 'a=x', ['SCHEMA_VIOLATION', '/query/n/a type']],
    [false, 'b=2', ['SCHEMA_VIOLATION', '/query/n/b additionalProperties']],
    [false, 'page=first&filter[x]=1', 'passes'],
    [true, 'b=2', 'passes'],
  ])(
    'what is no other parameter is a member of a spread object of %j: %s: %j',
    (additionalProperties, query, outcome) => {
      const others = [
        { name: 'page', in: 'query', schema: { type: 'string' } },
        { name: 'filter', in: 'query', style: 'deepObject', schema: { type: 'object' } },
      ];
      expect(ask(query, { schema: { type: 'object', additionalProperties } }, {}, others)).toEqual(outcome);
    },
  );

  it.each([
    ['beside it', { required: ['id', 'name'], properties: { id: { type: 'integer', readOnly: true } } }],
    ['behind references', { required: ['id', 'name'], properties: { id: { $ref: '#/components/schemas/Id' } } }],
    ['in a schema it extends', { required: ['id', 'name'], allOf: [{ $ref: '#/components/schemas/Base' }] }],
  ])('a member that only answers have is not required of requests in version 3.0: %s', (_, schema) => {
    const id = { type: 'integer', readOnly: true };
    const schemas = { Id: id, Base: { properties: { id } } };
    const sent = (openapi: string, body: string) =>
      send(
        {
          openapi: {
            openapi,
            components: { schemas },
            paths: { '/': { post: { requestBody: { content: { [JSON_TYPE]: { schema } } } } } },
          },
        },
        {},
        body,
      );
    expect([sent('3.0.3', '{"name":"a"}'), sent('3.0.3', '{"id":1}'), sent('3.1.0', '{"name":"a"}')]).toEqual([
      'passes',
      ['SCHEMA_VIOLATION', '/name required'],
      ['SCHEMA_VIOLATION', '/id required'],
    ]);
  });
});

describe('a configuration that cannot be compiled', () => {
  it.each<[object, string, string]>([
    [{}, '', 'give an OpenAPI document, or schemas for parts of the request'],
    [{ body: {}, openapi }, '', 'give an OpenAPI document, or schemas for parts of the request'],
    [{ body: { properties: { a: { type: 'x' } } } }, 'body/properties/a/type', 'must name types of JSON'],
    [{ query: { pattern: '(?=x)' } }, 'query/pattern', 'is no regular expression'],
    [{ path: { template: 'x', schema: {} } }, 'path/template', 'begins with a slash'],
    [{ openapi: { openapi: '2.0', paths: {} } }, 'openapi/openapi', 'must be a version 3.0 or 3.1'],
    [
      { openapi: { openapi: '3.1.0', paths: { '/a': { get: { parameters: [{ $ref: 'other.yaml#/x' }] } } } } },
      'openapi/paths//a/get/parameters/0/$ref',
      'nothing is fetched',
    ],
    [
      {
        openapi: {
          openapi: '3.1.0',
          paths: { '/a': { post: { requestBody: { content: { 'application/json': { schema: { minimum: 'x' } } } } } } },
        },
      },
      'openapi/paths//a/post/requestBody/content/application/json/schema/minimum',
      'must be a number',
    ],
  ])('%j is refused with its place', (config, path, message) => {
    const parsed = requestValidation.config.safeParse(config);
    const [issue] = parsed.error!.issues;
    expect([issue!.path.join('/'), issue!.message]).toEqual([path, expect.stringContaining(message)]);
  });
});
