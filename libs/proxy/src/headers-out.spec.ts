import { isRefusal, type Principal, type RequestHead } from '@sallyport/contracts';
import { canonicalRequest } from './canonical-request';
import { callerFields, fieldsToClient, fieldsToUpstream, isSendable, type ForwardedFacts } from './headers-out';
import { limits } from './limits';
import { fieldValue } from './raw-fields';

function head(...rawHeaders: string[]): RequestHead {
  const request = canonicalRequest(
    {
      method: 'POST',
      target: '/orders',
      rawHeaders: ['Host', 'shop.example', ...rawHeaders],
      httpVersion: '1.1',
      remoteAddress: '192.0.2.7',
      encrypted: true,
    },
    limits.head,
  );
  if (isRefusal(request)) throw new Error(JSON.stringify(request));
  return request;
}

const principal: Principal = {
  tenant: 'default',
  subject: 'käthe',
  client: 'cli',
  consumer: 'demo',
  actors: [],
  scopes: new Set(),
  roles: [],
  credential: { kind: 'api-key', id: 'k1' },
  until: 0,
  models: [],
  quotas: [],
};

const facts: ForwardedFacts = {
  requestId: 'req_1',
  host: 'orders.internal:8090',
  principal,
  traceparent: '00-aa-bb-01',
  contentLength: 3,
};

const valuesOf = (fields: readonly string[], name: string) =>
  fields.filter((_, at) => at % 2 === 1 && fields[at - 1] === name);

describe('fieldsToUpstream', () => {
  it('sends a name that is no text as the text it can be', () => {
    const out = fieldsToUpstream(head(), { ...facts, principal: { ...principal, subject: 'a\ud800' } });
    expect(valuesOf(out, 'x-sallyport-subject')).toEqual(['a%EF%BF%BD']);
  });

  it('sets our own fields once each, whatever the caller sent', () => {
    const sent = head('X-Forwarded-For', '6.6.6.6', 'X-Sallyport-Subject', 'root', 'traceparent', '00-cc-dd-00');
    const out = fieldsToUpstream(sent, facts);
    const expected = {
      host: 'orders.internal:8090',
      'x-forwarded-for': '192.0.2.7',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'shop.example',
      'x-sallyport-request-id': 'req_1',
      'x-sallyport-subject': 'k%C3%A4the',
      'x-sallyport-consumer': 'demo',
      'x-sallyport-tenant': 'default',
      traceparent: '00-aa-bb-01',
      'content-length': '3',
    };
    for (const [name, value] of Object.entries(expected)) expect(valuesOf(out, name)).toEqual([value]);
  });

  it('says nothing about a caller that is not known', () => {
    const out = fieldsToUpstream(head(), {
      ...facts,
      principal: undefined,
      traceparent: undefined,
      contentLength: undefined,
    });
    for (const name of [
      'x-sallyport-subject',
      'x-sallyport-consumer',
      'x-sallyport-tenant',
      'traceparent',
      'content-length',
    ])
      expect(fieldValue(out, name)).toBeUndefined();
  });

  it('tells of a caller what is told apart from the request as well', () => {
    const told = callerFields(head(), facts.principal);
    const out = fieldsToUpstream(head(), facts);
    expect(told).toHaveLength(12);
    for (let at = 0; at < told.length; at += 2) expect(valuesOf(out, told[at]!)).toEqual([told[at + 1]]);
  });

  it('keeps the credential, the framing and the expectation of the caller inside', () => {
    const sent = head(
      'Authorization',
      'Bearer secret',
      'Expect',
      '100-continue',
      'Content-Length',
      '9',
      'x-api-key',
      'k',
      'Accept',
      'a',
    );
    const out = fieldsToUpstream(sent, { ...facts, contentLength: undefined }, ['x-api-key']);
    expect(out.join()).not.toMatch(/secret|100-continue/);
    for (const name of ['content-length', 'x-api-key']) expect(fieldValue(out, name)).toBeUndefined();
    expect(fieldValue(out, 'accept')).toBe('a');
  });

  it('passes baggage on only where the caller is trusted with the trace', () => {
    const sent = head('Baggage', 'a=b');
    expect(fieldValue(fieldsToUpstream(sent, facts), 'baggage')).toBeUndefined();
    expect(fieldValue(fieldsToUpstream(sent, { ...facts, keepBaggage: true }), 'baggage')).toBe('a=b');
  });

  it('keeps repeated fields apart and in order', () => {
    expect(valuesOf(fieldsToUpstream(head('X-Tag', '1', 'X-Tag', '2'), facts), 'x-tag')).toEqual(['1', '2']);
  });
});

describe('fieldsToClient', () => {
  it('drops what belongs to the connection, names software or speaks in our name', () => {
    const out = fieldsToClient(200, [
      ...[
        'connection',
        'close, X-Hop, content-length',
        'x-hop',
        '1',
        'keep-alive',
        'a',
        'transfer-encoding',
        'chunked',
      ],
      ...[
        'server',
        'nginx',
        'x-powered-by',
        'php',
        'x-sallyport-request-id',
        'forged',
        'set-cookie',
        'a',
        'set-cookie',
        'b',
      ],
      ...['content-length', '3'],
    ]);
    expect(out).toEqual(['set-cookie', 'a', 'set-cookie', 'b', 'content-length', '3']);
  });

  it('leaves no length on an answer that has no body', () => {
    expect(fieldsToClient(204, ['content-length', '3', 'etag', 'a'])).toEqual(['etag', 'a']);
    expect(fieldsToClient(101, ['content-length', '0', 'etag', 'a'])).toEqual(['etag', 'a']);
    expect(fieldsToClient(304, ['content-length', '3'])).toEqual(['content-length', '3']);
  });
});

describe('isSendable', () => {
  it('takes bytes of any alphabet and no control character', () => {
    expect(isSendable('x-a', 'caf\u00e9\t')).toBe(true);
    expect(isSendable('x-a', 'a\u0001')).toBe(false);
    expect(isSendable('x a', 'a')).toBe(false);
  });
});
