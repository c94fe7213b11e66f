import * as fc from 'fast-check';
import { readHttp2Head } from './http2-head';

const request = [':method', 'GET', ':scheme', 'https', ':authority', 'api.example', ':path', '/orders?page=2'];
const read = (fields: readonly string[] = [], encrypted = true) => readHttp2Head([...request, ...fields], encrypted);

describe('the head of an HTTP/2 request', () => {
  it('says in fields what the pseudo fields say', () => {
    expect(read(['accept', '*/*'])).toEqual({
      method: 'GET',
      target: '/orders?page=2',
      rawHeaders: ['host', 'api.example', 'accept', '*/*'],
      fault: undefined,
    });
  });

  it('takes Host where no authority is named', () => {
    const head = readHttp2Head([':method', 'GET', ':scheme', 'http', ':path', '/', 'host', 'api.example'], false);
    expect([head.rawHeaders, head.fault]).toEqual([['host', 'api.example'], undefined]);
  });

  it('has its authority for a target where it asks for a tunnel (RFC 9113 §8.5)', () => {
    const head = readHttp2Head([':method', 'CONNECT', ':authority', 'db.example:5432'], true);
    expect([head.method, head.target, head.fault]).toEqual(['CONNECT', 'db.example:5432', undefined]);
  });

  it('joins cookies that were split for compression (RFC 9113 §8.2.3)', () => {
    expect(read(['cookie', 'a=1', 'accept', '*/*', 'cookie', 'b=2']).rawHeaders).toEqual([
      'host',
      'api.example',
      'accept',
      '*/*',
      'cookie',
      'a=1; b=2',
    ]);
  });

  it.each([
    ['another Host than the authority', ['host', 'other.example']],
    ['a field of the connection', ['connection', 'close']],
    ['chunks', ['transfer-encoding', 'chunked']],
    ['an upgrade', ['upgrade', 'websocket']],
    ['te that asks for a coding', ['te', 'trailers, gzip']],
    ['a capital letter in a name', ['Accept', '*/*']],
    ['a pseudo field behind the others', ['accept', '*/*', ':path', '/admin']],
    ['a pseudo field twice', [':path', '/admin']],
    ['an unknown pseudo field', [':protocol', 'websocket']],
  ])('is malformed with %s', (_, fields) => expect(read(fields).fault).toEqual(expect.any(String)));

  it('is malformed when it says http over TLS, but not when TLS ended before a plain listener', () => {
    const plain = [':method', 'GET', ':scheme', 'http', ':authority', 'a', ':path', '/'];
    expect(readHttp2Head(plain, true).fault).toBeDefined();
    expect(readHttp2Head(plain, false).fault).toBeUndefined();
    expect(readHttp2Head(request, false).fault).toBeUndefined();
  });

  it('never lets a pseudo field, or a second Host that differs, through to the fields', () => {
    const name = fc.constantFrom(':path', ':authority', ':x', 'host', 'cookie', 'te', 'accept');
    fc.assert(
      fc.property(fc.array(fc.tuple(name, fc.string({ maxLength: 8 })), { maxLength: 8 }), (pairs) => {
        const head = read(pairs.flat());
        const names = head.rawHeaders.filter((_, at) => at % 2 === 0);
        expect(names.filter((one) => one.startsWith(':'))).toEqual([]);
        if (head.fault === undefined) expect(names.filter((one) => one === 'cookie').length).toBeLessThanOrEqual(1);
      }),
    );
  });
});
