import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { openRoute, startGateway, type GatewayUnderTest } from './gateway-under-test';
import { talk } from './raw-client';
import { RawOrigin } from './raw-origin';

const hasty = { headersMs: 400, requestMs: 1_500, checkMs: 50, keepAliveMs: 300, requestsPerSocket: 3 };

let gateway: GatewayUnderTest;
let origin: RawOrigin;

beforeAll(async () => {
  origin = new RawOrigin();
  const url = await origin.listen();
  gateway = await startGateway({
    plain: { limits: { checkMs: 50 } },
    hasty: { limits: hasty },
    narrow: { limits: { head: { blockBytes: 1_024, fields: 5, fieldBytes: 512, targetBytes: 64 } } },
    few: { limits: { sockets: 4 } },
    single: { limits: { socketsPerAddress: 2 } },
    balanced: { proxyProtocol: true, limits: { headersMs: 300, checkMs: 50, socketsPerAddress: 2 } },
    behind: { limits: { socketsPerAddress: 2 }, trustedProxies: ['127.0.0.1'] },
  });
  await gateway.publish(
    [
      openRoute('/open'),
      openRoute('/small', { limits: { bodyBytes: 10 } }),
      openRoute('/large', { limits: { bodyBytes: 3_000_000 } }),
      openRoute('/unpacked', { limits: { decompressedBytes: 100_000, decompressedRatio: 5 } }),
      openRoute('/packed-twice', { limits: { decompressedLayers: 2 } }),
      openRoute('/never-packed', { limits: { decompressedLayers: 0 } }),
      openRoute('/json', { limits: { jsonDepth: 3, jsonKeys: 4, jsonStringBytes: 8 } }),
      openRoute('/deep', {
        limits: { jsonDepth: 100, jsonKeys: 20_000, jsonStringBytes: 2_000_000, bodyBytes: 9_000_000 },
      }),
      openRoute('/parts', { limits: { multipartParts: 2, multipartHeaderBytes: 128, multipartFileNameBytes: 8 } }),
      openRoute('/patient', { limits: { requestSeconds: 60 } }),
      openRoute('/stream', { limits: { heartbeatSeconds: 1 } }),
      openRoute('/brief', { limits: { streamSeconds: 1 } }),
      openRoute('/events', { limits: { eventBytes: 1_024 } }),
    ],
    url,
    { timeouts: { connectMs: 1_000, firstByteMs: 5_000, idleMs: 10_000 } },
  );
});
afterAll(async () => {
  await gateway?.close();
  await origin?.close();
});
beforeEach(() => origin.reset());

const port = (door = 'plain') => gateway.ports[door]!;
const post = (path: string, body: string | Buffer, fields = '') => {
  const text = Buffer.isBuffer(body) ? body.toString('latin1') : body;
  return `POST ${path} HTTP/1.1\r\nHost: a\r\n${fields}Content-Length: ${text.length}\r\n\r\n${text}`;
};
const get = (path: string, fields = '') => `GET ${path} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
const statusOf = async (bytes: string | string[], door?: string) => {
  const { answers } = await talk(port(door), bytes);
  return answers.map(({ status, code }) => code ?? status).join(' ');
};

describe('limits of a listener', () => {
  it('bound the head: target, fields, one field, all of them', async () => {
    expect(await statusOf(get(`/open/${'a'.repeat(58)}`), 'narrow')).toBe('200');
    expect(await statusOf(get(`/open/${'a'.repeat(59)}`), 'narrow')).toBe('URI_TOO_LONG');
    expect(await statusOf(get(`/open/${'a'.repeat(5_000)}`), 'narrow')).toBe('URI_TOO_LONG');
    expect(await statusOf(`GET /open/${'a'.repeat(5_000)}`, 'narrow')).toBe('URI_TOO_LONG');
    expect(await statusOf(get('/open', 'A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\n'), 'narrow')).toBe('200');
    expect(await statusOf(get('/open', 'A: 1\r\nB: 1\r\nC: 1\r\nD: 1\r\nE: 1\r\n'), 'narrow')).toBe(
      'HEADERS_TOO_LARGE',
    );
    expect(await statusOf(get('/open', `A: ${'b'.repeat(511)}\r\n`), 'narrow')).toBe('200');
    expect(await statusOf(get('/open', `A: ${'b'.repeat(512)}\r\n`), 'narrow')).toBe('HEADERS_TOO_LARGE');
    const three = `A: ${'b'.repeat(400)}\r\nB: ${'b'.repeat(400)}\r\nC: ${'b'.repeat(300)}\r\n`;
    expect(await statusOf(get('/open', three), 'narrow')).toBe('HEADERS_TOO_LARGE');
  });

  it('rel-T26 end a head that does not come: 408, and the connection closed', async () => {
    const { answers, closed, took } = await talk(port('hasty'), 'GET /open HTTP/1.1\r\nHost: a\r\nX-A: ');
    expect(answers.map(({ code }) => code)).toEqual(['REQUEST_TIMEOUT']);
    expect(closed).toBe(true);
    expect(took).toBeLessThan(2_500);
  });

  it('rel-T26 end a body that does not come, unless the route is patient', async () => {
    const unfinished = (path: string) => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc`;
    const { answers, closed } = await talk(port('hasty'), unfinished('/open'));
    expect(answers.map(({ code }) => code)).toEqual(['REQUEST_TIMEOUT']);
    expect(closed).toBe(true);
    expect(origin.requests.some(({ complete }) => complete)).toBe(false);
    expect(await statusOf([unfinished('/patient'), 'defghij'], 'hasty')).toBe('200');
  });

  it('close a connection that is idle, and one that has carried enough requests', async () => {
    const idle = await talk(port('hasty'), get('/open'), { quiet: 2_000 });
    expect([idle.answers.length, idle.closed]).toEqual([1, true]);
    const { answers, closed } = await talk(
      port('hasty'),
      [get('/open/1'), get('/open/2'), get('/open/3'), get('/open/4')],
      {
        pause: 120,
      },
    );
    expect(answers.slice(0, 3).map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(answers[2]!.fields.get('connection')).toBe('close');
    expect(closed).toBe(true);
    expect(origin.seen('/open/4')).toEqual([]);
  });

  it('bound the connections: all of them, and those of one address', async () => {
    const held = (door: string, count: number) => Promise.all(Array.from({ length: count }, () => isServed(door)));
    expect((await held('few', 6)).filter(Boolean)).toHaveLength(4);
    expect((await held('single', 4)).filter(Boolean)).toHaveLength(2);
    expect((await held('behind', 4)).filter(Boolean)).toHaveLength(4);
  });
});

describe('a listener behind a balancer', () => {
  const header = 'PROXY TCP4 192.0.2.7 198.51.100.9 4444 443\r\n';

  it('knows the caller from the header in front of the connection, and believes no field', async () => {
    const { answers } = await talk(port('balanced'), `${header}${get('/open', 'X-Forwarded-For: 9.9.9.9\r\n')}`);
    expect(answers.map(({ status }) => status)).toEqual([200]);
    expect(origin.requests[0]!.fields).toContainEqual(['x-forwarded-for', '192.0.2.7']);
  });

  it('reads the header however it is cut, and bodies and further requests behind it', async () => {
    const pieces = [
      header.slice(0, 9),
      `${header.slice(9)}POST /open HTTP/1.1\r\nHo`,
      'st: a\r\nContent-Length: 3\r\n\r\nabc',
    ];
    const { answers } = await talk(port('balanced'), [...pieces, get('/open/2')]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(origin.requests[0]!.body).toBe('abc');
  });

  it.each([
    ['without a header', get('/open')],
    ['with a header that is none', `PROXY TCP4 192.0.2.7\r\n${get('/open')}`],
    ['with half a header', header.slice(0, 20)],
  ])('closes a connection %s without a word', async (_, bytes) => {
    const { text, closed } = await talk(port('balanced'), bytes);
    expect([text, closed]).toEqual(['', true]);
    expect(origin.requests).toEqual([]);
  });

  it('takes the header for what it is elsewhere: no HTTP', async () => {
    expect(await statusOf(`${header}${get('/open')}`)).toBe('REQUEST_MALFORMED');
  });
});

/** Opens a connection, asks, and keeps it open for a while. */
function isServed(door: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port(door), '127.0.0.1', () => socket.write(get('/open')));
    let served = false;
    socket.on('data', () => (served = true));
    socket.on('error', () => undefined);
    setTimeout(() => {
      socket.destroy();
      resolve(served);
    }, 400);
  });
}

describe('limits of a route', () => {
  it('bound the body, announced or not', async () => {
    expect(await statusOf(post('/small', '0123456789'))).toBe('200');
    expect(await statusOf(post('/small', '0123456789a'))).toBe('BODY_TOO_LARGE');
    const chunked =
      'POST /small HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n';
    expect(await statusOf(chunked)).toBe('BODY_TOO_LARGE');
    expect(await statusOf(post('/large', 'x'.repeat(2_000_000)))).toBe('200');
    expect(await statusOf(post('/open', 'x'.repeat(1_048_577)))).toBe('BODY_TOO_LARGE');
    expect(origin.requests.filter(({ complete }) => complete)).toHaveLength(2);
  });

  it('rel-T28 refuse a gigabyte before it is read', async () => {
    const head = 'POST /open HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n';
    for (const more of ['', 'Expect: 100-continue\r\n']) {
      const { answers, closed, text } = await talk(port(), `${head}${more}\r\n`);
      expect(answers.map(({ code }) => code)).toEqual(['BODY_TOO_LARGE']);
      expect(text).not.toContain('100 Continue');
      expect(closed).toBe(true);
    }
  });

  it('rel-T29 bound what a packed body unpacks to', async () => {
    const packed = (path: string, bytes: Buffer, coding = 'gzip', type = 'application/json') =>
      statusOf(post(path, bytes, `Content-Type: ${type}\r\nContent-Encoding: ${coding}\r\n`));
    const json = Buffer.from(JSON.stringify({ text: 'hello' }));
    expect(await packed('/open', gzipSync(json))).toBe('200');
    expect(origin.requests[0]!.body).toBe(gzipSync(json).toString('latin1'));
    expect(await packed('/open', gzipSync(Buffer.from('{"a":')))).toBe('WAF_MALFORMED');
    expect(await packed('/open', gzipSync(Buffer.alloc(20_000_000)), 'gzip', 'application/octet-stream')).toBe(
      'BODY_TOO_LARGE',
    );
    expect(await packed('/unpacked', gzipSync(Buffer.alloc(90_000)), 'gzip', 'a/b')).toBe('BODY_TOO_LARGE');
    expect(await packed('/open', gzipSync(gzipSync(json)), 'gzip, gzip')).toBe('MEDIA_TYPE_UNSUPPORTED');
    expect(await packed('/packed-twice', gzipSync(gzipSync(json)), 'gzip, gzip')).toBe('200');
    expect(await packed('/never-packed', gzipSync(json))).toBe('MEDIA_TYPE_UNSUPPORTED');
    expect(await packed('/open', json, 'compress')).toBe('MEDIA_TYPE_UNSUPPORTED');
    expect(await packed('/open', json, 'gzip')).toBe('REQUEST_MALFORMED');
  });

  it('rel-T30 bound what a JSON document is made of', async () => {
    const sent = (path: string, body: string) => statusOf(post(path, body, 'Content-Type: application/json\r\n'));
    expect(await sent('/json', '[[[1]]]')).toBe('200');
    expect(await sent('/json', '[[[[1]]]]')).toBe('WAF_MALFORMED');
    expect(await sent('/json', '{"a":1,"b":2,"c":3,"d":4}')).toBe('200');
    expect(await sent('/json', '{"a":1,"b":2,"c":3,"d":4,"e":5}')).toBe('WAF_MALFORMED');
    expect(await sent('/json', '["12345678"]')).toBe('200');
    expect(await sent('/json', '["123456789"]')).toBe('WAF_MALFORMED');
    expect(await sent('/deep', '['.repeat(100) + ']'.repeat(100))).toBe('200');
    expect(await sent('/open', '['.repeat(65) + ']'.repeat(65))).toBe('WAF_MALFORMED');
    expect(await sent('/open', '{"__proto__":{"admin":true}}')).toBe('WAF_MALFORMED');
    expect(await sent('/open', '{"\\u005f_proto__":1}')).toBe('WAF_MALFORMED');
    expect(await sent('/deep', `{${Array.from({ length: 15_000 }, (_, at) => `"${at}":1`).join(',')}}`)).toBe('200');
  });

  it('bound what a form of several parts is made of', async () => {
    const part = (name: string, head = '') =>
      `--b\r\nContent-Disposition: form-data; name="a"${name}\r\n${head}\r\nx\r\n`;
    const sent = (body: string) =>
      statusOf(post('/parts', `${body}--b--\r\n`, 'Content-Type: multipart/form-data; boundary=b\r\n'));
    expect(await sent(part('') + part(''))).toBe('200');
    expect(await sent(part('') + part('') + part(''))).toBe('WAF_MALFORMED');
    expect(await sent(part('; filename="12345678"'))).toBe('200');
    expect(await sent(part('; filename="123456789"'))).toBe('WAF_MALFORMED');
    expect(await sent(part('', `X-A: ${'b'.repeat(128)}\r\n`))).toBe('WAF_MALFORMED');
  });

  const stream = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n';

  it('keep a silent stream of events open', async () => {
    origin.respond = (socket) => void socket.write(`${stream}data: 1\n\n`);
    const { text } = await talk(port(), get('/stream'), { patience: 2_700 });
    expect(text).toContain('data: 1\n\n');
    expect(text.split(':\n\n')).toHaveLength(3);
  });

  it('end a stream that takes too long with an event that says so', async () => {
    origin.respond = (socket) => void socket.write(`${stream}data: 1\n\n`);
    const { answers, text } = await talk(port(), get('/brief'), { patience: 4_000 });
    expect(answers).toHaveLength(1);
    expect(text).toContain('event: error');
    expect(text).toContain('UPSTREAM_TIMEOUT');
  });

  it('end a stream with an event that is too long', async () => {
    origin.respond = (socket) => {
      socket.write(`${stream}data: 1\n\n`);
      setTimeout(() => socket.write(`data: ${'x'.repeat(1_100)}`), 20);
    };
    const { answers, text } = await talk(port(), get('/events'), { patience: 3_000 });
    expect(answers).toHaveLength(1);
    expect(text).not.toContain('xxxxxxxx');
    expect(text).toContain('UPSTREAM_EVENT_TOO_LARGE');
  });

  it('let what waits for a slow reader grow to a bound, and then pause the upstream', async () => {
    let written = 0;
    origin.respond = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 104857600\r\n\r\n');
      const more = (): void => {
        while (written < 104_857_600) {
          written += 65_536;
          if (!socket.write(Buffer.alloc(65_536))) return void socket.once('drain', more);
        }
      };
      more();
    };
    const client = connect(port(), '127.0.0.1', () => client.write(get('/open')));
    client.on('error', () => undefined);
    client.pause();
    for (let before = -1; written === 0 || written !== before;) {
      before = written;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    // Buffers of the kernel on both ways hold most of it.
    expect(written).toBeLessThan(40_000_000);
    client.destroy();
  });
});
