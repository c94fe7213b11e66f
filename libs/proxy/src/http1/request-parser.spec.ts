import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { array, assert, constantFrom, nat, property, uint8Array, tuple } from 'fast-check';
import { isRefusal } from '@sallyport/contracts';
import { canonicalRequest } from '../canonical-request';
import { nameFacts } from '../inbound-fields';
import { limits } from '../limits';
import { RequestParser, type ParsedHead, type RequestFault } from './request-parser';

const HEAD_BYTES = limits.head.blockBytes + limits.head.targetBytes + 1024;

interface Read {
  readonly requests: readonly { readonly head: ParsedHead; readonly body: string; readonly complete: boolean }[];
  readonly fault: RequestFault | undefined;
}

/** Reads a connection that brings its bytes in pieces that end at these places. */
function read(text: string, cuts: readonly number[] = []): Read {
  const parser = new RequestParser(limits.head);
  const bytes = Buffer.from(text, 'latin1');
  const requests: { head: ParsedHead; body: string; complete: boolean }[] = [];
  const places = [...new Set([0, ...cuts.map((cut) => Math.min(cut, bytes.length)), bytes.length])].sort(
    (a, b) => a - b,
  );
  for (let at = 1; at < places.length; at++) {
    for (let rest = bytes.subarray(places[at - 1], places[at]); rest.length > 0;) {
      const had = parser.head;
      rest = rest.subarray(parser.feed(rest));
      if (parser.fault) return { requests, fault: parser.fault };
      if (parser.head && !had) requests.push({ head: parser.head, body: '', complete: false });
      const last = requests.at(-1);
      if (!last || !parser.head) continue;
      last.body += parser.pieces.map((piece) => piece.toString('latin1')).join('');
      last.complete = parser.complete;
      if (parser.complete) parser.next();
    }
  }
  return { requests, fault: undefined };
}

/** Collects what nobody holds. */
function collect(): void {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
}

const reasonOf = (text: string) => read(text).fault?.reason;
const get = (fields = '') => `GET /a?b=c HTTP/1.1\r\nHost: here\r\n${fields}\r\n`;
const chunked = (body: string) => `POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;

const connections = [
  get() + get('X-A:  b \t\r\n'),
  `POST /p HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\nhello${get()}`,
  chunked(`3\r\nabc\r\n00A;x="y"\r\n0123456789\r\n0\r\nT: v\r\n\r\n${get()}`),
  `\r\n\r\n${get()}\r\n${get()}`,
  'GET / HTTP/1.0\r\nHost: here\r\nConnection: keep-alive\r\n\r\n',
  `POST /p HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n${get()}`,
];

describe('a request over HTTP/1.1', () => {
  it('is read with its fields as they were written and its body in order', () => {
    const { requests, fault } = read(connections[2]!);
    expect(fault).toBeUndefined();
    expect(requests).toEqual([
      {
        head: {
          method: 'POST',
          target: '/',
          httpVersion: '1.1',
          rawHeaders: ['Host', 'here', 'Transfer-Encoding', 'chunked'],
          bodyFollows: true,
          persistent: true,
          upgrade: false,
        },
        body: 'abc0123456789',
        complete: true,
      },
      {
        head: expect.objectContaining({ method: 'GET', target: '/a?b=c', bodyFollows: false }),
        body: '',
        complete: true,
      },
    ]);
    expect(read(connections[0]!).requests[1]!.head.rawHeaders).toEqual(['Host', 'here', 'X-A', 'b']);
    expect(read(connections[5]!).requests).toHaveLength(2);
  });

  it('is the same wherever the reads end', () => {
    assert(
      property(constantFrom(...connections), array(nat(200), { maxLength: 12 }), (text, cuts) => {
        expect(read(text, cuts)).toEqual(read(text));
      }),
    );
    for (const text of connections)
      expect(
        read(
          text,
          Array.from({ length: text.length }, (_, at) => at),
        ),
      ).toEqual(read(text));
  });

  it('is never read from bytes that are none, and no bytes do harm', () => {
    assert(
      property(uint8Array({ maxLength: 200 }), array(nat(200), { maxLength: 4 }), (bytes, cuts) => {
        const { requests } = read(Buffer.from(bytes).toString('latin1'), cuts);
        for (const { head } of requests) expect(head.method).toMatch(/^[A-Z-]+$/);
      }),
    );
  });

  it.each([
    ['a bare line feed', 'GET / HTTP/1.1\nHost: a\n\n', 'a line ends without a carriage return'],
    ['a carriage return inside of a line', 'GET / HTTP/1.1\rHost: a', 'a carriage return stands inside of a line'],
    ['a zero byte', 'GET / HT\0TP', 'a byte of its head is zero'],
    ['a first byte that begins no method', '{"a":1}', 'its first byte begins no method'],
    ['TLS', '\x16\x03\x01\x02\x00', 'its first byte begins no method'],
    ['no version', 'GET /\r\n\r\n', 'its first line is no request line'],
    ['two blanks', 'GET  / HTTP/1.1\r\n\r\n', 'its first line is no request line'],
    ['a blank at the end', 'GET / HTTP/1.1 \r\n\r\n', 'its first line is no request line'],
    ['a tab', 'GET\t/ HTTP/1.1\r\n\r\n', 'its first line is no request line'],
    ['a version in small letters', 'GET / http/1.1\r\n\r\n', 'its first line is no request line'],
    ['a version of two digits', 'GET / HTTP/1.10\r\n\r\n', 'its first line is no request line'],
    ['a method nobody knows', 'FETCH / HTTP/1.1\r\n\r\n', 'nobody knows its method'],
    ['a method in small letters', 'get / HTTP/1.1\r\n\r\n', 'nobody knows its method'],
    ['a line without a colon', get('nothing\r\n'), 'a line of its head is no field'],
    ['a field without a name', get(': v\r\n'), 'a line of its head is no field'],
    ['a chunk without a size', chunked('\r\n'), 'a chunk has no size'],
    ['a chunk whose size is none', chunked('3x\r\nabc\r\n'), 'the size of a chunk is malformed'],
    ['a chunk with a sign', chunked('+3\r\nabc\r\n'), 'a chunk has no size'],
    ['a chunk longer than it says', chunked('3\r\nabcd\r\n'), 'a chunk does not end where it says'],
    ['a chunk that ends with a line feed', chunked('3\r\nabc\n'), 'a chunk does not end where it says'],
    ['a chunk size that ends with a line feed', chunked('3\nabc'), 'the size of a chunk is malformed'],
    ['a chunk of more than can be counted', chunked('fffffffffffff\r\n'), 'a chunk is too large'],
    ['a size of leading zeros', chunked(`${'0'.repeat(17)}1\r\na\r\n`), 'a chunk is too large'],
    ['a long extension', chunked(`1;${'x'.repeat(257)}\r\na\r\n`), 'a chunk extension of more than 256 bytes'],
    ['a control character in an extension', chunked('1;\x01\r\na\r\n'), 'an extension of a chunk is malformed'],
    ['a blank in an extension', chunked('1; a=b\r\na\r\n'), 'an extension of a chunk is malformed'],
    ['an extension without a name', chunked('1;\r\na\r\n'), 'an extension of a chunk is malformed'],
    ['an extension without a value', chunked('1;a=\r\na\r\n'), 'an extension of a chunk is malformed'],
    ['an extension that is not closed', chunked('1;a="b\r\na\r\n'), 'an extension of a chunk is malformed'],
    ['something behind a quoted value', chunked('1;a="b"c\r\na\r\n'), 'an extension of a chunk is malformed'],
    ['a length in the trailers', chunked('0\r\nContent-Length: 3\r\n\r\n'), 'a trailer says where the message ends'],
    [
      'a tab behind a length',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\t\r\n\r\nabc',
      'a tab ends a line that says where the message ends',
    ],
    ['a line of the trailers that is no field', chunked('0\r\nnothing\r\n\r\n'), 'a line of the trailers is no field'],
    [
      'trailers without a carriage return',
      chunked('0\r\nT: v\n'),
      'a line of the trailers ends without a carriage return',
    ],
    [
      'a line of many trailers that is no field',
      chunked(`0\r\n${'T: v\r\n'.repeat(100)}nothing\r\n`),
      'a line of the trailers is no field',
    ],
    ['many trailers that are too long', chunked(`0\r\n${'T: v\r\n'.repeat(2_000)}`), 'the trailers are too long'],
    ['trailers that are too long', chunked(`0\r\nT: ${'v'.repeat(9_000)}`), 'the trailers are too long'],
    ['an empty line too many', `${'\r\n'.repeat(5)}${get()}`, 'its first line is no request line'],
  ])('is refused with %s', (_, text, reason) => {
    expect(reasonOf(text)).toBe(reason);
    expect(
      read(
        text,
        Array.from({ length: text.length }, (__, at) => at),
      ).fault,
    ).toBeDefined();
  });

  it('may bring along as much with a chunk as the limit says, and no more', () => {
    expect(limits.body.chunkExtensionBytes).toBe(256);
    expect(read(chunked(`1;${'x'.repeat(255)}\r\na\r\n0\r\n\r\n`)).requests).toMatchObject([
      { body: 'a', complete: true },
    ]);
  });

  it('may say something with a chunk in each way that RFC 9112 §7.1.1 has', () => {
    for (const extension of ['a', 'a=b', 'a="b c"', 'a="\\"";b', 'a;b=c;d="e"', 'a=""'])
      expect(read(chunked(`1;${extension}\r\nx\r\n0\r\n\r\n`)).requests).toMatchObject([{ body: 'x', complete: true }]);
  });

  it('says no more in the extensions of all its chunks than there is data for', () => {
    const chunks = (data: number, extension: number, count: number) =>
      read(
        chunked(`${`${data.toString(16)};${'x'.repeat(extension)}\r\n${'a'.repeat(data)}\r\n`.repeat(count)}0\r\n\r\n`),
      );
    expect(chunks(1, 200, 50).requests).toMatchObject([{ complete: true }]);
    expect(chunks(1, 200, 100).fault).toMatchObject({
      kind: 'malformed',
      reason: 'its chunks say more than they hold',
    });
    expect(chunks(128, 200, 1_000).requests).toMatchObject([{ complete: true }]);
    expect(read(chunked(`${'1\r\na\r\n'.repeat(20_000)}0\r\n\r\n`)).requests).toMatchObject([{ complete: true }]);
  });

  it('weighs no more than its limit, whether its head comes to an end or not, and says so before it is kept', () => {
    const large = `X: ${'v'.repeat(HEAD_BYTES)}\r\n`;
    expect(read(get(large)).fault).toMatchObject({ kind: 'too-large' });
    expect(read(get(large).slice(0, -2)).fault).toMatchObject({ kind: 'too-large' });
    expect(read(get(large), [100, 1_000, 20_000]).fault).toMatchObject({ kind: 'too-large' });
  });

  it('may weigh what its target and its fields may weigh, both at once', () => {
    const { blockBytes, targetBytes } = limits.head;
    const target = `/${'a'.repeat(targetBytes - 1)}`;
    const fields = `Host: ${'a'.repeat(blockBytes - 'Host: \r\n'.length)}\r\n`;
    for (const cuts of [[], [100, 9_000, 20_000]]) {
      const { requests, fault } = read(`PROPPATCH ${target} HTTP/1.1\r\n${fields}\r\n`, cuts);
      expect(fault).toBeUndefined();
      expect(requests[0]!.head.target).toBe(target);
    }
  });

  it('is told that its target is what is too long, however long it is', () => {
    for (const bytes of [30_000, 200_000])
      for (const cuts of [[], [100, 9_000, 20_000]])
        for (const text of [`GET /${'a'.repeat(bytes)} HTTP/1.1\r\nHost: a\r\n\r\n`, `GET /${'a'.repeat(bytes)}`])
          expect(read(text, cuts).fault).toMatchObject({ kind: 'target-too-long' });
    expect(read('A'.repeat(30_000)).fault).toMatchObject({ kind: 'too-large' });
  });

  it('leaves nothing behind of what came with the end of its head', async () => {
    const request = `${get('Content-Length: 60000\r\n')}${'b'.repeat(60_000)}`;
    const parsers: RequestParser[] = [];
    const fed: WeakRef<ArrayBufferLike>[] = [];
    const pass = (): void => {
      const parser = new RequestParser(limits.head);
      parser.feed(Buffer.from(request.slice(0, 1)));
      const rest = Buffer.from(request.slice(1));
      fed.push(new WeakRef(rest.buffer));
      parser.feed(rest);
      expect(parser.complete).toBe(true);
      parser.next();
      parsers.push(parser);
    };
    for (let count = 0; count < 100; count++) pass();
    // What a weak reference was made of lives until the end of the turn (ECMA-262 §9.10).
    await new Promise(setImmediate);
    collect();
    expect(fed.filter((buffer) => buffer.deref() !== undefined)).toEqual([]);
    expect(parsers).toHaveLength(100);
  });

  it('is not kept whole because the name of one of its fields is remembered', () => {
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let count = 0; count < 500; count++) {
      const [request] = read(get(`x-remembered-name-${count}: ${'v'.repeat(20_000)}\r\n`)).requests;
      nameFacts(request!.head.rawHeaders[2]!);
    }
    collect();
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(5_000_000);
  });

  it('shows what has come of a head that is refused, from its own first byte', () => {
    const broken = 'GET / HTTP/1.1\r\nnothing\r\n\r\n';
    expect(read(get() + broken).fault?.head?.toString('latin1')).toBe(broken);
    expect(read(`${get()}GET / HT`, [60]).fault).toBeUndefined();
    expect(read(`${get()}GET /\nx`, [60]).fault?.head?.toString('latin1')).toBe('GET /\nx');
  });

  it.each([
    ['two lengths', 'Content-Length: 3\r\nContent-Length: 3\r\n'],
    ['two lengths in one field', 'Content-Length: 3, 3\r\n'],
    ['a length with a sign', 'Content-Length: +3\r\n'],
    ['a length that is none', 'Content-Length: 0x3\r\n'],
    ['an empty length', 'Content-Length:\r\n'],
    ['a length and chunks', 'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n'],
    ['chunks and a length', 'Transfer-Encoding: chunked\r\nContent-Length: 3\r\n'],
    ['chunks twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n'],
    ['another coding', 'Transfer-Encoding: gzip, chunked\r\n'],
    ['identity', 'Transfer-Encoding: identity\r\n'],
  ])('has no end that could be told where it says so with %s, and nothing behind it is read', (_, fields) => {
    const { requests, fault } = read(`POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\nabc${get()}`);
    expect(fault).toBeUndefined();
    expect(requests).toMatchObject([{ head: { bodyFollows: true }, body: '', complete: false }]);
  });

  it('has no chunks over HTTP/1.0, and no end in a version nobody serves', () => {
    for (const version of ['1.0', '2.0', '0.9', '1.2']) {
      const { requests } = read(
        `POST / HTTP/${version}\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${get()}`,
      );
      expect(requests).toMatchObject([{ head: { httpVersion: version, bodyFollows: true }, complete: false }]);
    }
  });

  it.each([
    ['HTTP/1.1', '', true],
    ['HTTP/1.1', 'Connection: close\r\n', false],
    ['HTTP/1.1', 'Connection: x-a, Close\r\n', false],
    ['HTTP/1.1', 'Connection: close\r\nConnection: keep-alive\r\n', false],
    ['HTTP/1.1', 'Connection: keep-alive\r\nConnection: close\r\n', false],
    ['HTTP/1.0', '', false],
    ['HTTP/1.0', 'Connection: Keep-Alive\r\n', true],
    ['HTTP/1.0', 'Connection: keep-alive, close\r\n', false],
  ])('over %s with %j keeps its connection: %s', (version, fields, persistent) => {
    expect(read(`GET / ${version}\r\nHost: a\r\n${fields}\r\n`).requests[0]!.head.persistent).toBe(persistent);
  });

  it('asks for another protocol where both fields say so', () => {
    const upgrade = (fields: string) => read(get(fields)).requests[0]!.head.upgrade;
    expect(upgrade('Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n')).toBe(true);
    expect(upgrade('Upgrade: websocket\r\n')).toBe(false);
    expect(upgrade('Connection: upgrade\r\n')).toBe(false);
    expect(upgrade('Connection: upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n')).toBe(false);
  });
});

describe('where a message ends', () => {
  const framing = constantFrom(
    'Content-Length: 3',
    'Content-Length: 03',
    'content-length: 3',
    'Content-Length: 3, 3',
    'Content-Length : 3',
    'Content_Length: 3',
    'Content-Length: ',
    'Transfer-Encoding: chunked',
    'transfer-encoding: CHUNKED',
    'Transfer-Encoding:\tchunked',
    'Transfer-Encoding: chunked, chunked',
    'Transfer-Encoding: gzip',
    'Transfer-Encoding : chunked',
    'Transfer_Encoding: chunked',
    ' Transfer-Encoding: chunked',
    'X: y',
    'Connection: content-length',
    'Connection: transfer-encoding',
  );

  it('is known, and the same, for every message that the canonical request takes', () => {
    assert(
      property(tuple(array(framing, { maxLength: 4 }), constantFrom('1.0', '1.1')), ([fields, version]) => {
        const text = `POST /a HTTP/${version}\r\nHost: here\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n3\r\nabc\r\n0\r\n\r\n`;
        const { requests, fault } = read(text);
        const head = requests[0]?.head;
        if (!head) return expect(fault).toBeDefined();
        const request = canonicalRequest({ ...head, remoteAddress: '127.0.0.1', encrypted: false }, limits.head);
        if (isRefusal(request)) return;
        expect(request.hasBody).toBe(head.bodyFollows);
        if (request.contentLength === 3) expect(requests[0]!.body).toBe('3\r\n');
        else if (request.hasBody) expect(requests[0]).toMatchObject({ body: 'abc', complete: true });
        else expect(requests[0]!.complete).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('is taken with no line end, and no zero byte, that another parser could see in it, on any listener, however it is cut', () => {
    const pieces = constantFrom(
      'X-A',
      'X_A',
      'Host',
      ': ',
      'b',
      ' ',
      '\t',
      '\r',
      '\n',
      '\r\n',
      '\0',
      'Content-Length: 0',
    );
    const isTaken = (text: string, underscoreNames: 'refuse' | 'drop', cuts: readonly number[]): boolean => {
      const head = read(text, cuts).requests[0]?.head;
      if (!head) return false;
      const request = { ...head, remoteAddress: '127.0.0.1', encrypted: false };
      return !isRefusal(canonicalRequest(request, { ...limits.head, underscoreNames }));
    };
    assert(
      property(array(pieces, { maxLength: 9 }), constantFrom('refuse', 'drop'), nat(90), (parts, names, cut) => {
        const text = `GET / HTTP/1.1\r\nHost: a\r\n${parts.join('')}\r\n\r\n`;
        const whole = isTaken(text, names, []);
        expect(isTaken(text, names, [cut])).toBe(whole);
        const head = text.slice(0, text.indexOf('\r\n\r\n')).replaceAll('\r\n', '');
        if (whole) expect(head).not.toMatch(/[\r\n\0]/);
      }),
      { numRuns: 5_000 },
    );
  });
});
