import fc from 'fast-check';
import { readMalformed } from './malformed';

const read = (text: string) => readMalformed(Buffer.from(text, 'latin1'));

describe('a head that no request could be read from', () => {
  it.each([
    ['GET /a HTTP/1.1', 'GET', '/a', 'HTTP/1.1'],
    ['get /a  http/3.7 ', 'get', '/a', 'http/3.7'],
    ['REVOLVER /a?b=\xc3\xa9 HTTP/1.1', 'REVOLVER', '/a?b=\xc3\xa9', 'HTTP/1.1'],
    ['GET /a b c HTTP/1.1', 'GET', '/a b c', 'HTTP/1.1'],
    ['GET /a\tHTTP/1.1', 'GET', '/a', 'HTTP/1.1'],
    ['GET /', 'GET', '/', 'HTTP/0.9'],
    ['GET ', 'GET', '', 'HTTP/0.9'],
    ['GET', 'GET', '', 'HTTP/0.9'],
    ['GET  HTTP/1.1', 'GET', '', 'HTTP/1.1'],
    ['GET /a/b', 'GET', '/a/b', 'HTTP/0.9'],
    ['GET /a FOO/1', 'GET', '/a', 'FOO/1'],
    ['', '', '', 'HTTP/0.9'],
    ['\x16\x03\x01', '\x16\x03\x01', '', 'HTTP/0.9'],
  ])('%j', (line, method, target, protocol) => {
    expect(read(`${line}\r\n\r\n`)).toEqual({ line, method, target, protocol, fields: [] });
  });

  it('takes a carriage return by itself for the end of a line', () => {
    const { fields } = read('GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n');
    expect(fields).toEqual([
      { name: 'A', value: 'b' },
      { name: 'C', value: 'd' },
    ]);
  });

  it('has its fields in order, as they were written', () => {
    const { fields } = read(
      '\r\n\nGET / HTTP/9\r\nHost: a\r\nX-A:  b: c \nx-a:d\r\nno colon\r\n : e\r\n\tfolded\r\n\r\nHost: body',
    );
    expect(fields.map(({ name, value }) => [name, value])).toEqual([
      ['Host', 'a'],
      ['X-A', 'b: c'],
      ['x-a', 'd'],
      ['no colon', ' : e folded'],
    ]);
  });

  it('is read as far as 16 KiB', () => {
    expect(read(`GET /${'a'.repeat(20_000)}`).target).toHaveLength(16 * 1024 - 4);
  });

  it('may be any bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (packet) => void readMalformed(packet)));
  });
});
