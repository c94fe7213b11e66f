import { isRefusal, type Refusal } from '@sallyport/contracts';
import fc from 'fast-check';
import { AddressList } from './address';
import { Oddity } from './canonical-path';
import { canonicalRequest, type CanonicalRequest, type RawRequest } from './canonical-request';
import { limits } from './limits';
import vectors from './testdata/canonical-requests.json';

interface Vector {
  name: string;
  method?: string;
  version?: string;
  target: string;
  host?: string | null;
  fields?: string[][];
  refused?: string;
  path?: string;
  query?: string;
  authority?: string;
  hasBody?: boolean;
  contentLength?: number;
  kept?: string[];
  oddities?: number;
}

function raw(change: Partial<RawRequest> = {}): RawRequest {
  return {
    method: 'GET',
    target: '/',
    rawHeaders: ['Host', 'shop.example'],
    httpVersion: '1.1',
    remoteAddress: '192.0.2.7',
    encrypted: false,
    ...change,
  };
}

function accepted(request: RawRequest): CanonicalRequest {
  const outcome = canonicalRequest(request, limits.head);
  if (isRefusal(outcome)) throw new Error(`refused: ${JSON.stringify(outcome)}`);
  return outcome;
}

function refused(request: RawRequest): Refusal {
  const outcome = canonicalRequest(request, limits.head);
  if (!isRefusal(outcome)) throw new Error(`accepted: ${outcome.path}`);
  return outcome;
}

describe('canonicalRequest', () => {
  it.each((vectors as Vector[]).map((vector) => [vector.name, vector] as const))('%s', (_, vector) => {
    const host = vector.host === undefined ? 'shop.example' : vector.host;
    const request = raw({
      method: vector.method ?? 'GET',
      target: vector.target,
      httpVersion: vector.version ?? '1.1',
      rawHeaders: [...(host === null ? [] : ['Host', host]), ...(vector.fields ?? []).flat()],
    });
    if (vector.refused) {
      expect(refused(request).code).toBe(vector.refused);
      return;
    }
    const head = accepted(request);
    expect(head.path).toBe(vector.path);
    expect(head.query).toBe(vector.query ?? '');
    expect(head.oddities).toBe(vector.oddities ?? 0);
    expect(head.hasQuery).toBe(vector.target.includes('?'));
    if (vector.authority) expect(head.authority).toBe(vector.authority);
    if (vector.hasBody !== undefined) expect(head.hasBody).toBe(vector.hasBody);
    if (vector.contentLength !== undefined) expect(head.contentLength).toBe(vector.contentLength);
    if (vector.kept) expect(head.fields.map(({ name }) => name)).toEqual(vector.kept);
  });

  it('keeps what is removed for whoever inspects, and says nothing where nothing is', () => {
    const fields = [
      'Connection',
      'X-Mine, close',
      'X-Mine',
      'a',
      'X-Forwarded-For',
      '<b>',
      'X-Real-IP',
      'c',
      'Accept',
      'd',
    ];
    const head = accepted(raw({ rawHeaders: ['Host', 'shop.example', ...fields] }));
    expect(head.fields.map(({ name }) => name)).toEqual(['host', 'accept']);
    expect(head.removed!.map(({ name, value }) => `${name}: ${value}`)).toEqual([
      'connection: X-Mine, close',
      'x-forwarded-for: <b>',
      'x-real-ip: c',
      'x-mine: a',
    ]);
    expect(accepted(raw({})).removed).toBeUndefined();
  });

  it('names the methods it serves when it refuses one it never serves', () => {
    expect(refused(raw({ method: 'TRACE' })).params).toMatchObject({
      method: 'TRACE',
      allow: expect.stringContaining('GET'),
    });
  });

  it('takes a target, a field, a block and a number of fields up to the limit and not one byte more', () => {
    const { targetBytes, fieldBytes, fields, blockBytes } = limits.head;
    const target = (bytes: number) => raw({ target: `/${'a'.repeat(bytes - 1)}` });
    expect(accepted(target(targetBytes)).path).toHaveLength(targetBytes);
    expect(refused(target(targetBytes + 1))).toMatchObject({ code: 'URI_TOO_LONG', params: { maxBytes: targetBytes } });

    const field = (bytes: number) => raw({ rawHeaders: ['Host', 'a', 'x', 'v'.repeat(bytes - 1)] });
    accepted(field(fieldBytes));
    expect(refused(field(fieldBytes + 1)).code).toBe('HEADERS_TOO_LARGE');

    const many = (count: number) =>
      raw({ rawHeaders: ['Host', 'a', ...Array.from({ length: count - 1 }, (_, at) => [`x-${at}`, '']).flat()] });
    accepted(many(fields));
    expect(refused(many(fields + 1)).code).toBe('HEADERS_TOO_LARGE');

    const host = 'Host: a'.length + 2;
    const block = (bytes: number) => {
      const rest = bytes - host;
      const one = Math.floor(rest / 3);
      const sizes = [one, one, rest - 2 * one];
      return raw({ rawHeaders: ['Host', 'a', ...sizes.flatMap((size) => ['x', 'v'.repeat(size - 5)])] });
    };
    accepted(block(blockBytes));
    expect(refused(block(blockBytes + 1)).code).toBe('HEADERS_TOO_LARGE');
  });

  it.each(['FETCH', 'get', 'Get', 'M-SEARCH', ''])('is one of no method but those that are known: %j', (method) => {
    for (const httpVersion of ['1.1', '2'])
      expect(refused(raw({ method, httpVersion })).code).toBe('REQUEST_MALFORMED');
    accepted(raw({ method: 'PROPFIND', httpVersion: '2' }));
  });

  it('joins a list and keeps its members in order', () => {
    const head = accepted(raw({ rawHeaders: ['Host', 'a', 'X-Tag', 'one', 'Accept', '*/*', 'x-tag', 'two'] }));
    expect(head.field.get('x-tag')).toBe('one, two');
    expect(head.fields.map(({ value }) => value)).toEqual(['a', 'one', '*/*', 'two']);
  });

  it('is not fooled by the names of object members', () => {
    const head = accepted(
      raw({ rawHeaders: ['Host', 'a', '__proto__', 'x'].map((text) => text.replaceAll('_', '-')) }),
    );
    expect(head.field.get('constructor')).toBeUndefined();
    expect(refused(raw({ rawHeaders: ['Host', 'a', '__proto__', 'x'] })).code).toBe('REQUEST_MALFORMED');
  });

  it('reads the media type once and takes no junk for one', () => {
    const typed = (value: string) => accepted(raw({ rawHeaders: ['Host', 'a', 'Content-Type', value] }));
    expect(typed('Application/JSON; Charset="UTF-8"')).toMatchObject({
      mediaType: 'application/json',
      charset: 'utf-8',
    });
    for (const junk of [
      'application/json\ta',
      ' application/json',
      'application/json garbage',
      'a/b, c/d',
      'a/b; c',
      'a/b;c=1;c=2',
    ])
      expect(typed(junk).mediaType).toBeUndefined();
  });

  it('unwraps an IPv4 address that came in IPv6 clothes', () => {
    expect(accepted(raw({ remoteAddress: '::ffff:192.0.2.7' })).clientAddress).toBe('192.0.2.7');
    expect(accepted(raw({ remoteAddress: '2001:db8::1' })).clientAddress).toBe('2001:db8::1');
  });

  it('is frozen', () => {
    const head = accepted(raw());
    expect(Object.isFrozen(head) && Object.isFrozen(head.fields) && head.fields.every(Object.isFrozen)).toBe(true);
  });

  it('knows the scheme from the connection alone', () => {
    expect(
      accepted(raw({ encrypted: true, rawHeaders: ['Host', 'a:443', 'X-Forwarded-Proto', 'http'] })),
    ).toMatchObject({
      scheme: 'https',
      authority: 'a',
    });
  });
});

describe('properties of the canonical path', () => {
  const segmentCharacters = 'abzAZ09-._~!$&\'()*+,;=:@%/\\?# {}"\u00e9\u0001'.split('');
  const spelled = fc
    .array(
      fc.oneof(
        fc.constantFrom(...segmentCharacters),
        fc.integer({ min: 0, max: 255 }).map((byte) => `%${byte.toString(16).padStart(2, '0')}`),
        fc.constantFrom('..', './', '%2e', '%252e', '%c0%ae', '/..;/', '%E2%82%AC', '%25', '%32%65', '%32%66', '2%65'),
      ),
      { maxLength: 24 },
    )
    .map((parts) => `/${parts.join('')}`);

  it('never throws, and what it accepts it accepts again unchanged', () => {
    fc.assert(
      fc.property(spelled, (target) => {
        const first = canonicalRequest(raw({ target }), limits.head);
        if (isRefusal(first)) return;
        const again = accepted(raw({ target: first.path }));
        expect(again.path).toBe(first.path);
      }),
      { numRuns: 5_000 },
    );
  });

  it('leaves nothing an origin could resolve: decoding once gives no slash, dot segment, control character or broken text', () => {
    fc.assert(
      fc.property(spelled, (target) => {
        const head = canonicalRequest(raw({ target }), limits.head);
        // Only routes that keep an escaped slash ever see one.
        if (isRefusal(head) || head.oddities & Oddity.encodedSlash) return;
        const decoded = head.path.split('/').map((segment) => decodeURIComponent(segment));
        for (const segment of decoded) {
          expect(segment).not.toMatch(/[/\\\x00-\x1f\x7f]/);
          expect(['.', '..']).not.toContain(segment.split(';')[0]);
        }
      }),
      { numRuns: 5_000 },
    );
  });

  it.each(['/%25%32%65%25%32%65/a', '/a%25%32%66b', '/a%255%63b', '/a%25%35cb', '/%25%34%31'])(
    'refuses an escape behind an escaped percent sign, however its digits are spelled: %s',
    (target) => {
      expect(refused(raw({ target }))).toMatchObject({
        code: 'REQUEST_MALFORMED',
        params: { reason: 'the path is escaped twice' },
      });
    },
  );

  it('gives every spelling of unreserved characters the same path', () => {
    const unreserved = fc.stringMatching(/^[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,8}$/);
    fc.assert(
      fc.property(unreserved, fc.infiniteStream(fc.boolean()), (segment, choices) => {
        const disguised = [...segment]
          .map((character) => (choices.next().value ? `%${character.charCodeAt(0).toString(16)}` : character))
          .join('');
        expect(accepted(raw({ target: `/${disguised}` })).path).toBe(`/${segment}`);
      }),
    );
  });

  it('passes the query on byte for byte', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[!"$-~]{0,60}$/), (query) => {
        expect(accepted(raw({ target: `/a?${query}` })).query).toBe(query);
      }),
    );
  });
});

describe('what a listener may set', () => {
  const withFields = (...rawHeaders: string[]) => raw({ rawHeaders: ['Host', 'a', ...rawHeaders] });

  it('drops fields with an underscore in their name, and counts them all the same', () => {
    const lenient = { ...limits.head, underscoreNames: 'drop' as const };
    const head = canonicalRequest(withFields('X_User', 'admin', 'Transfer_Encoding', 'chunked', 'X-Tag', 'a'), lenient);
    expect(isRefusal(head) ? head : head.fields.map(({ name }) => name)).toEqual(['host', 'x-tag']);
    const many = Array.from({ length: 100 }, () => ['a_b', '']).flat();
    expect(canonicalRequest(withFields(...many), lenient)).toMatchObject({ code: 'HEADERS_TOO_LARGE' });
  });

  it.each([
    ['a name with a line feed in it', 'X_A\nTransfer-Encoding', 'chunked'],
    ['a value with a line feed in it', 'X_A', 'b\nTransfer-Encoding: chunked'],
    ['a carriage return', 'X_A', 'b\rc'],
    ['NUL', 'X_A', 'b\0'],
    ['a folded line', ' x_a', 'b'],
    ['a space before the colon', 'Transfer_Encoding ', 'chunked'],
  ])('drops no line that is no field: %s', (_, name, value) => {
    const lenient = { ...limits.head, underscoreNames: 'drop' as const };
    expect(canonicalRequest(withFields(name, value), lenient)).toMatchObject({ code: 'REQUEST_MALFORMED' });
  });

  describe('whose word is taken', () => {
    const trustedProxies = new AddressList(['10.0.0.0/8', '2001:db8:1::/48']);
    const from = (remoteAddress: string, ...rawHeaders: string[]) =>
      accepted({ ...withFields(...rawHeaders), remoteAddress, trustedProxies });

    it.each([
      [
        'a stranger names nobody',
        '192.0.2.7',
        ['X-Forwarded-For', '1.1.1.1', 'X-Forwarded-Proto', 'https'],
        '192.0.2.7',
        'http',
      ],
      [
        'a proxy names the caller',
        '10.0.0.1',
        ['X-Forwarded-For', '1.1.1.1', 'X-Forwarded-Proto', 'https'],
        '1.1.1.1',
        'https',
      ],
      [
        'what the caller wrote itself counts for nothing',
        '10.0.0.1',
        ['X-Forwarded-For', '9.9.9.9, 1.1.1.1'],
        '1.1.1.1',
        'http',
      ],
      [
        'hops of our own are stepped over',
        '10.0.0.1',
        ['X-Forwarded-For', '1.1.1.1, 10.0.0.9, 10.0.0.8'],
        '1.1.1.1',
        'http',
      ],
      [
        'several fields are one list',
        '10.0.0.1',
        ['X-Forwarded-For', '9.9.9.9', 'X-Forwarded-For', '1.1.1.1'],
        '1.1.1.1',
        'http',
      ],
      ['all hops are ours', '10.0.0.1', ['X-Forwarded-For', '10.0.0.7, 10.0.0.8'], '10.0.0.7', 'http'],
      ['junk ends the search', '10.0.0.1', ['X-Forwarded-For', '1.1.1.1, unknown'], '10.0.0.1', 'http'],
      ['a port is no part of an address', '10.0.0.1', ['X-Forwarded-For', '1.1.1.1:4711'], '1.1.1.1', 'http'],
      ['IPv6 in brackets', '2001:db8:1::1', ['X-Forwarded-For', '[2001:db8:2::1]:80'], '2001:db8:2::1', 'http'],
      ['a mapped address is the address', '::ffff:10.0.0.1', ['X-Forwarded-For', '::ffff:1.1.1.1'], '1.1.1.1', 'http'],
      [
        'a scheme for each hop',
        '10.0.0.1',
        ['X-Forwarded-For', '1.1.1.1, 10.0.0.8', 'X-Forwarded-Proto', 'https, http'],
        '1.1.1.1',
        'https',
      ],
      ['a scheme that is none', '10.0.0.1', ['X-Forwarded-Proto', 'gopher'], '10.0.0.1', 'http'],
      ['a scheme alone', '10.0.0.1', ['X-Forwarded-Proto', 'https'], '10.0.0.1', 'https'],
      [
        'more hops than any network has do not make the caller one of us',
        '10.0.0.1',
        ['X-Forwarded-For', '1.1.1.1,'.repeat(1000) + '198.51.100.7'],
        '198.51.100.7',
        'http',
      ],
      [
        'more hops of ours than any network has',
        '10.0.0.1',
        ['X-Forwarded-For', '1.1.1.1,'.repeat(40) + '10.0.0.9,'.repeat(31) + '10.0.0.8'],
        '10.0.0.9',
        'http',
      ],
    ])('%s', (_, peer, rawHeaders, address, scheme) => {
      const head = from(peer, ...rawHeaders);
      expect([head.clientAddress, head.scheme]).toEqual([address, scheme]);
      expect([...head.field.keys()]).toEqual(['host']);
    });

    it('and nothing else: the host is the one that was sent to us', () => {
      expect(from('10.0.0.1', 'X-Forwarded-Host', 'evil.example').host).toBe('a');
    });
  });

  it('grants the wish for WebSocket only where it can be granted, and no other wish', () => {
    const wish = (upgrade: string, more: Partial<RawRequest> = {}) => ({
      ...withFields('Connection', 'keep-alive, Upgrade', 'Upgrade', upgrade),
      ...more,
    });
    expect(accepted(wish('websocket', { upgradable: true })).upgrade).toBe('websocket');
    expect(refused(wish('websocket')).code).toBe('REQUEST_MALFORMED');
    for (const other of ['h2c', 'websocket, h2c', 'TLS/1.2', '']) {
      expect(refused(wish(other, { upgradable: true })).code).toBe('REQUEST_MALFORMED');
    }
    expect(refused({ ...wish('websocket', { upgradable: true }), method: 'POST' }).code).toBe('REQUEST_MALFORMED');
    expect(refused({ ...withFields('Upgrade', 'websocket'), upgradable: true }).code).toBe('REQUEST_MALFORMED');
  });

  it('knows one expectation', () => {
    const expecting = (value: string, httpVersion = '1.1') => ({
      ...withFields('Content-Length', '3', 'Expect', value),
      method: 'POST',
      httpVersion,
    });
    expect(accepted(expecting('100-Continue')).expectsContinue).toBe(true);
    expect(accepted(expecting('100-continue', '1.0')).expectsContinue).toBe(false);
    expect(accepted(withFields('Expect', '100-continue')).expectsContinue).toBe(false);
    expect(refused(expecting('100-continue, x')).code).toBe('REQUEST_MALFORMED');
    expect(refused(expecting('200-ok')).code).toBe('REQUEST_MALFORMED');
  });
});
