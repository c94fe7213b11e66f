import { array, assert, integer, nat, property, uint8Array, constantFrom } from 'fast-check';
import { ResponseParser } from './response-parser';

const HEAD_BYTES = 32 * 1024;

interface Read {
  status: number;
  fields: readonly string[];
  body: string;
  complete: boolean;
  reusable: boolean;
  fault: string | undefined;
}

/** Feeds an answer in pieces that end at these places. */
function read(text: string, cuts: readonly number[] = [], method = 'GET', maySwitch = false): Read {
  const parser = new ResponseParser(HEAD_BYTES);
  parser.begin(method, maySwitch);
  const bytes = Buffer.from(text, 'latin1');
  const places = [...new Set([0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length])].sort(
    (a, b) => a - b,
  );
  let body = '';
  for (let at = 1; at < places.length && parser.fault === undefined; at++) {
    parser.feed(bytes.subarray(places[at - 1], places[at]));
    body += parser.pieces.map((piece) => piece.toString('latin1')).join('');
  }
  const { status, fields, complete, reusable, fault } = parser;
  return { status, fields, body, complete, reusable, fault };
}

const ok = (rest: string) => `HTTP/1.1 200 OK\r\n${rest}`;

const answers = [
  ok('content-length: 2\r\nX-A:  b \r\n\r\nok'),
  ok('content-length: 0\r\n\r\n'),
  ok('transfer-encoding: chunked\r\n\r\n2\r\nok\r\n3;a="b"\r\n, a\r\n0\r\nx-t: 1\r\n\r\n'),
  ok('Transfer-Encoding: Chunked\r\n\r\n00A\r\n0123456789\r\n0\r\n\r\n'),
  'HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\ncontent-length: 1\r\n\r\nx',
  'HTTP/1.1 204\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\ncontent-length: 77\r\n\r\n',
  'HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\na',
];

describe('an answer over HTTP/1.1', () => {
  it('is read with its fields in lower case and its body in order', () => {
    expect(read(answers[0]!)).toEqual({
      status: 200,
      fields: ['content-length', '2', 'x-a', 'b'],
      body: 'ok',
      complete: true,
      reusable: true,
      fault: undefined,
    });
    expect(read(answers[2]!)).toMatchObject({ body: 'ok, a', complete: true, reusable: true });
    expect(read(answers[4]!)).toMatchObject({ status: 404, body: 'x', complete: true });
  });

  it('is the same wherever the reads end', () => {
    assert(
      property(constantFrom(...answers), array(nat(120), { maxLength: 20 }), (text, cuts) => {
        expect(read(text, cuts)).toEqual(read(text));
      }),
      { numRuns: 500 },
    );
    for (const text of answers)
      expect(
        read(
          text,
          Array.from(text, (_, at) => at),
        ),
      ).toEqual(read(text));
  });

  it('ends with the connection where it says neither length nor chunks', () => {
    const parser = new ResponseParser(HEAD_BYTES);
    parser.begin('GET');
    parser.feed(Buffer.from(ok('\r\nsome')));
    expect([parser.endsWithConnection, parser.complete, parser.reusable]).toEqual([true, false, false]);
  });

  it.each([
    [ok('connection: close\r\ncontent-length: 0\r\n\r\n'), false],
    [ok('connection: x, Close\r\ncontent-length: 0\r\n\r\n'), false],
    [ok('connection: closed\r\ncontent-length: 0\r\n\r\n'), true],
    ['HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n', false],
    ['HTTP/1.0 200 OK\r\nconnection: Keep-Alive\r\ncontent-length: 0\r\n\r\n', true],
    ['HTTP/1.0 200 OK\r\nconnection: close\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n', false],
    ['HTTP/1.1 204 No\r\ncontent-length: 0\r\n\r\n', true],
    ['HTTP/1.1 204 No\r\ncontent-length: 5\r\n\r\n', false],
    ['HTTP/1.1 204 No\r\ntransfer-encoding: chunked\r\n\r\n', false],
    ['HTTP/1.1 304 Not\r\ncontent-length: 5\r\n\r\n', true],
  ])('%j leaves its connection usable: %s', (text, expected) => expect(read(text).reusable).toBe(expected));

  it('has no body where the method or the status says so', () => {
    expect(read(ok('content-length: 5\r\n\r\n'), [], 'HEAD')).toMatchObject({ complete: true, body: '' });
    expect(read(ok('transfer-encoding: chunked\r\n\r\n'), [], 'HEAD')).toMatchObject({ complete: true, body: '' });
  });

  it.each([
    ['two lengths', ok('content-length: 1\r\ncontent-length: 2\r\n\r\na')],
    ['the same length twice', ok('content-length: 1\r\ncontent-length: 1\r\n\r\na')],
    ['a list of lengths', ok('content-length: 1, 1\r\n\r\na')],
    ['a signed length', ok('content-length: +1\r\n\r\na')],
    ['a length in hexadecimal', ok('content-length: 0x1\r\n\r\na')],
    ['an empty length', ok('content-length:\r\n\r\n')],
    ['an absurd length', ok('content-length: 9999999999999999\r\n\r\n')],
    ['length and chunks', ok('content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n')],
    ['chunks and length', ok('transfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n')],
    ['another encoding', ok('transfer-encoding: gzip\r\n\r\n')],
    ['an encoding before chunks', ok('transfer-encoding: gzip, chunked\r\n\r\n')],
    ['chunks twice', ok('transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n')],
    ['identity', ok('transfer-encoding: identity\r\n\r\n')],
    ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['a switch of protocols', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n'],
    ['an informational answer with a length', 'HTTP/1.1 103 Early\r\ncontent-length: 0\r\n\r\n'],
    ['an informational answer in chunks', 'HTTP/1.1 103 Early\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['nine informational answers', 'HTTP/1.1 103 Early\r\n\r\n'.repeat(9)],
    ['another version', 'HTTP/1.2 200 OK\r\n\r\n'],
    ['HTTP/0.9', 'HTTP/0.9 200 OK\r\n\r\n'],
    ['HTTP/2', 'HTTP/2.0 200 OK\r\n\r\n'],
    ['another protocol', 'SSH-2.0-OpenSSH\r\n'],
    ['a status below 100', 'HTTP/1.1 099 Odd\r\n\r\n'],
    ['a status above 599', 'HTTP/1.1 600 Odd\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n\r\n'],
    ['two blanks before the status', 'HTTP/1.1  200 OK\r\n\r\n'],
    ['a NUL in the reason', 'HTTP/1.1 200 O\0K\r\n\r\n'],
    ['lines that end in a line feed', 'HTTP/1.1 200 OK\ncontent-length: 0\n\n'],
    ['one line that ends in a line feed', ok('a: b\nc: d\r\n\r\n')],
    ['a carriage return in a value', ok('a: b\rc: d\r\n\r\n')],
    ['a NUL in a value', ok('a: b\0\r\n\r\n')],
    ['a folded line', ok('a: b\r\n c\r\n\r\n')],
    ['a folded first line', ok(' a: b\r\n\r\n')],
    ['a blank before the colon', ok('a : b\r\n\r\n')],
    ['a name of nothing', ok(': b\r\n\r\n')],
    ['a line without a colon', ok('a\r\n\r\n')],
    ['a blank in a name', ok('a b: c\r\n\r\n')],
    ['bytes after a length', ok('content-length: 2\r\n\r\nokX')],
    ['an empty line after a length', ok('content-length: 2\r\n\r\nok\r\n')],
    ['bytes after chunks', ok('transfer-encoding: chunked\r\n\r\n0\r\n\r\nX')],
    ['bytes after 204', 'HTTP/1.1 204 No\r\n\r\nX'],
    ['a chunk in 0x', ok('transfer-encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n')],
    ['a signed chunk', ok('transfer-encoding: chunked\r\n\r\n-1\r\na\r\n0\r\n\r\n')],
    ['a chunk without a size', ok('transfer-encoding: chunked\r\n\r\n\r\na\r\n')],
    ['a chunk after a blank', ok('transfer-encoding: chunked\r\n\r\n 1\r\na\r\n')],
    ['a chunk with a blank', ok('transfer-encoding: chunked\r\n\r\n1 \r\na\r\n')],
    ['a chunk line that ends in a line feed', ok('transfer-encoding: chunked\r\n\r\n1\na\r\n')],
    ['a chunk line that never ends', ok(`transfer-encoding: chunked\r\n\r\n1;${'a'.repeat(300)}\r\n`)],
    ['a chunk that is longer than it says', ok('transfer-encoding: chunked\r\n\r\n1\r\nab\r\n')],
    ['a chunk that ends in a line feed', ok('transfer-encoding: chunked\r\n\r\n1\r\na\n0\r\n\r\n')],
    ['a chunk beyond counting', ok(`transfer-encoding: chunked\r\n\r\n${'f'.repeat(17)}\r\n`)],
    ['a carriage return in an extension', ok('transfer-encoding: chunked\r\n\r\n1;a\rb\r\na\r\n')],
    ['a trailer that is no field', ok('transfer-encoding: chunked\r\n\r\n0\r\nhello\r\n\r\n')],
    ['a trailer that ends in a line feed', ok('transfer-encoding: chunked\r\n\r\n0\r\na: b\n\r\n')],
    ['trailers without end', ok(`transfer-encoding: chunked\r\n\r\n0\r\n${'a: b\r\n'.repeat(2000)}`)],
    ['a head of more than 32 KiB', ok(`a: ${'b'.repeat(HEAD_BYTES)}\r\n\r\n`)],
    ['a head of more than 32 KiB that never ends', ok(`a: ${'b'.repeat(HEAD_BYTES)}`)],
  ])('is not one with %s, however it is cut', (_, text) => {
    expect(read(text).fault).toBeDefined();
    expect(read(text).reusable).toBe(false);
    const step = Math.max(1, Math.floor(text.length / 400));
    expect(
      read(
        text,
        Array.from({ length: 400 }, (__, at) => at * step),
      ).fault,
    ).toBeDefined();
  });

  it('is not made of anything without a fault being named or more being awaited', () => {
    const pieces = constantFrom(
      'HTTP/1.1 200 OK',
      '\r\n',
      '\r\n\r\n',
      'content-length: 3',
      'transfer-encoding: chunked',
      '3',
      'abc',
      ':',
      ' ',
      '\n',
      '\0',
      '0',
    );
    assert(
      property(array(pieces, { maxLength: 12 }), array(nat(80)), (parts, cuts) => {
        const whole = read(parts.join(''));
        const cut = read(parts.join(''), cuts);
        expect([cut.fault === undefined, cut.complete]).toEqual([whole.fault === undefined, whole.complete]);
      }),
      { numRuns: 2_000 },
    );
    assert(
      property(uint8Array({ maxLength: 400 }), integer({ min: 1, max: 50 }), (bytes, step) => {
        const parser = new ResponseParser(HEAD_BYTES);
        parser.begin('GET');
        for (let at = 0; at < bytes.length; at += step) parser.feed(Buffer.from(bytes.subarray(at, at + step)));
        expect(parser.complete).toBe(false);
      }),
      { numRuns: 500 },
    );
  });
});

describe('an agreement to switch protocols that was asked for', () => {
  const switched = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n';
  const hint = 'HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n';

  it('is the last that is read as HTTP, however it comes: what follows is the protocol’s', () => {
    const text = `${hint}${switched}HTTP/1.1 200 OK\r\n\r\n`;
    for (let cut = 1; cut < text.length; cut++) {
      const { status, fields, body, fault } = read(text, [cut], 'GET', true);
      expect([status, fields, body, fault]).toEqual([101, ['upgrade', 'x'], 'HTTP/1.1 200 OK\r\n\r\n', undefined]);
    }
  });

  it.each([
    ['in HTTP/1.0', switched.replace('1.1', '1.0')],
    ['with a body', switched.replace('\r\n\r\n', '\r\ncontent-length: 1\r\n\r\n')],
    ['with chunks', switched.replace('\r\n\r\n', '\r\ntransfer-encoding: chunked\r\n\r\n')],
    ['after hints without end', hint.repeat(9) + switched],
    ['with too long a head', switched.replace('x', 'x'.repeat(HEAD_BYTES))],
  ])('is none %s', (_, text) => expect(read(text, [], 'GET', true).fault).toBeDefined());
});
