import { isRefusal, type RequestHead } from '@sallyport/contracts';
import { policyInput, someRoute } from '@sallyport/testkit';
import { RequestDraft } from '../../draft';
import { servicesWithoutMemory } from '../../policy-services';
import { requestTransform } from './request-transform';

function send(config: object, body = '', mediaType = 'application/json', head: Partial<RequestHead> = {}) {
  const hooks = requestTransform.compile(requestTransform.config.parse(config), someRoute(), servicesWithoutMemory);
  const fields = [
    { name: 'content-type', value: mediaType },
    { name: 'content-digest', value: 'x' },
  ];
  const field = new Map([...fields.map(({ name, value }) => [name, value] as const), ...(head.field ?? [])]);
  const input = policyInput({
    method: 'POST',
    hasBody: body !== '',
    mediaType,
    fields,
    query: 'a=1&b=%20&a=2',
    hasQuery: true,
    ...head,
    field,
  });
  const draft = new RequestDraft(input.request, '/orders');
  let made: unknown = hooks.shape!(input, draft);
  const { requestBody } = hooks;
  let sent: string = body;
  if (!made && requestBody?.mode === 'whole' && requestBody.wants!(input)) {
    requestBody.run(input, Buffer.from(body), draft, (given) => (made = given));
    if (Buffer.isBuffer(made)) sent = made.toString();
  }
  return isRefusal(made) ? { refused: made.code } : { body: sent, query: draft.query, fields: draft.fields };
}

describe('the request-transform policy', () => {
  it('changes places of the body and keeps the rest to the digit', () => {
    const made = send(
      {
        json: [
          { rename: '/id', to: 'order' },
          { set: '/by', text: '{consumer}' },
        ],
      },
      '{"id": 12345678901234567890, "n": 1.50}',
    );
    expect(made.body).toBe('{"order":12345678901234567890,"n":1.50,"by":""}');
    expect(made.fields!.has('content-digest')).toBe(false);
  });

  it('sets fields and parameters from the body, and leaves the other parameters as they stand', () => {
    const made = send(
      {
        fields: [{ set: 'X-Order', body: '/id' }],
        query: [
          { set: 'b', body: '/name' },
          { rename: 'a', to: 'c' },
        ],
      },
      '{"id":7,"name":"x & y"}',
    );
    expect([made.body, made.query, made.fields!.get('x-order')]).toEqual([
      '{"id":7,"name":"x & y"}',
      'c=1&c=2&b=x%20%26%20y',
      '7',
    ]);
    expect(made.fields!.has('content-digest')).toBe(true);
  });

  it.each([
    ['it stands before', 'tenant=evil&customer=c1', 'tenant=c1'],
    ['it stands behind, twice', 'customer=c1&x=1&tenant=evil&tenant=worse', 'tenant=c1&x=1'],
    ['there is none to rename', 'tenant=t1', 'tenant=t1'],
  ])('renames a parameter in the place of one that has the new name: %s', (_, query, sent) => {
    expect(send({ query: [{ rename: 'customer', to: 'tenant' }] }, '', 'application/json', { query }).query).toBe(sent);
  });

  it.each(['{"name":"x"}', '[]', ''])(
    'leaves nothing of the caller in what it sets from a body without it: %s',
    (body) => {
      const config = { fields: [{ set: 'x-order', body: '/id' }], query: [{ set: 'a', body: '/id' }] };
      const forged = { fields: [{ name: 'x-order', value: 'forged' }] };
      const made = send(config, body, 'application/json', forged);
      expect([made.fields!.get('x-order'), made.query]).toEqual([undefined, 'b=%20']);
    },
  );

  it('never lets a value of the body end a field', () => {
    expect(send({ fields: [{ set: 'x-a', body: '/a' }] }, '{"a":"1\\r\\nx-admin: 1"}').fields!.get('x-a')).not.toMatch(
      /[\r\n]/,
    );
  });

  it('turns forms into JSON and back', () => {
    const form = send(
      { convert: 'form-to-json', json: [{ set: '/z', value: 1 }] },
      'a=1&a=2&b=x+y',
      'application/x-www-form-urlencoded',
    );
    expect([form.body, form.fields!.get('content-type')]).toEqual([
      '{"a":["1","2"],"b":"x y","z":1}',
      'application/json',
    ]);
    const json = send({ convert: 'json-to-form' }, '{"a":[1,2],"b":"x y"}');
    expect([json.body, json.fields!.get('content-type')]).toEqual([
      'a=1&a=2&b=x+y',
      'application/x-www-form-urlencoded',
    ]);
  });

  it.each<[string, object, string, string, string]>([
    ['text', { json: [{ wrap: 'a' }] }, 'x', 'text/plain', 'MEDIA_TYPE_UNSUPPORTED'],
    ['broken JSON', { json: [{ wrap: 'a' }] }, '{', 'application/json', 'REQUEST_MALFORMED'],
    ['a member twice', { json: [{ wrap: 'a' }] }, '{"a":1,"a":2}', 'application/json', 'REQUEST_MALFORMED'],
    ['what lacks a place', { json: [{ unwrap: '/a' }] }, '{}', 'application/json', 'TRANSFORM_REQUEST_IMPOSSIBLE'],
    [
      'what no form can say',
      { convert: 'json-to-form' },
      '{"a":{"b":1}}',
      'application/json',
      'TRANSFORM_REQUEST_IMPOSSIBLE',
    ],
  ])('refuses %s', (_, config, body, type, code) => expect(send(config, body, type).refused).toBe(code));

  it('lets other types pass where the operator says so, with the fields set all the same', () => {
    const made = send(
      { json: [{ wrap: 'a' }], fields: [{ set: 'x-a', text: 'b' }], otherTypes: 'pass' },
      'x',
      'text/plain',
    );
    expect([made.body, made.fields!.get('x-a')]).toEqual(['x', 'b']);
  });

  it('works on the head alone where there is no body', () => {
    const made = send({
      fields: [
        { set: 'x-a', body: '/id' },
        { set: 'x-b', text: '{method}' },
      ],
      query: [{ remove: 'a' }],
    });
    expect([made.query, made.fields!.get('x-a'), made.fields!.get('x-b')]).toEqual(['b=%20', undefined, 'POST']);
  });

  it.each([
    { fields: [{ set: 'host', text: 'x' }] },
    { fields: [{ set: 'x-sallyport-subject', text: 'x' }] },
    { json: [{ set: 'a', value: 1 }] },
  ])('refuses the configuration %j', (config) => {
    expect(requestTransform.config.safeParse(config).success).toBe(false);
  });
});
