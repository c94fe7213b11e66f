import { createHash, X509Certificate } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { connect as http2Connect, constants, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect as tcpConnect, type Socket } from 'node:net';
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { freePort, TestCertificates, testRuntime, type TestRuntime } from '@sallyport/testkit';
import { canonicalRequest } from '@sallyport/proxy';
import { isRefusal } from '@sallyport/contracts';
import { until } from '../ingress-under-test';
import type { Connection, Handle, Incoming, Outgoing } from './connection';
import type { HttpListener } from './http';
import { readListenersFile } from './listeners-file';
import { openListeners } from './open-listeners';

jest.setTimeout(30_000);

let certificates: TestCertificates;
let runtime: TestRuntime;
let listener: HttpListener | undefined;
let port: number;
let seen: { incoming: Incoming; connection: Connection }[];
let respond: (incoming: Incoming, response: Outgoing, connection: Connection) => void;

beforeAll(() => {
  certificates = new TestCertificates();
  certificates.authority('ca');
  certificates.authority('strangers');
  certificates.issue('api', 'ca', ['api.example.com', 'localhost']);
  certificates.issue('wild', 'ca', ['*.example.com']);
  certificates.issue('client', 'ca', []);
  certificates.issue('stranger', 'strangers', []);
});
afterAll(() => certificates.remove());

beforeEach(() => {
  runtime = testRuntime('ingress');
  seen = [];
  respond = (_, response) => {
    response.writeHead(200, ['content-length', '2', 'content-type', 'text/plain']);
    response.end(Buffer.from('ok'));
  };
});
afterEach(async () => {
  await listener?.close();
  listener = undefined;
  await runtime.close();
});

describe('a listener with TLS', () => {
  it('shows the certificate of the name it is asked for, a wildcard for one label, and the first one otherwise', async () => {
    await open();
    const names = ['api.example.com', 'API.Example.com', 'shop.example.com', 'a.b.example.com', 'other.org'];
    const shown = [];
    for (const servername of names) shown.push(altNameOf(await handshake({ servername })));
    expect(shown).toEqual([
      'DNS:api.example.com, DNS:localhost',
      'DNS:api.example.com, DNS:localhost',
      'DNS:*.example.com',
      'DNS:api.example.com, DNS:localhost',
      'DNS:api.example.com, DNS:localhost',
    ]);
    expect(altNameOf(await handshake({}))).toBe('DNS:api.example.com, DNS:localhost');
  });

  it('survives whatever a client takes for a host name (rel-T43)', async () => {
    await open();
    const junk = ['x'.repeat(255), '..', '*', '__proto__', 'a'.repeat(63) + '.', 'é.example', 'x y', '-', '127.0.0.1 '];
    for (const servername of junk) await handshake({ servername }).catch(() => undefined);
    expect((await get1()).status).toBe(200);
  });

  it('speaks TLS 1.2 and 1.3, nothing older, and only with forward secrecy (rel-T43)', async () => {
    await open();
    const ask = async (options: ConnectionOptions) => {
      const socket = await handshake({ ...options });
      return `${socket.getProtocol()} ${socket.getCipher().name}`;
    };
    expect(await ask({})).toMatch(/^TLSv1\.3 TLS_/);
    expect(await ask({ maxVersion: 'TLSv1.2' })).toMatch(/^TLSv1\.2 ECDHE-.*(GCM|POLY1305)/);
    await expect(ask({ maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' })).rejects.toThrow();
    await expect(ask({ maxVersion: 'TLSv1.2', ciphers: 'AES256-SHA:AES128-GCM-SHA256' })).rejects.toThrow();
    await expect(ask({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-SHA' })).rejects.toThrow();
  });

  it('takes no renegotiation (rel-T43)', async () => {
    await open();
    const socket = await handshake({ maxVersion: 'TLSv1.2' });
    const outcome = await new Promise((resolve) => {
      socket.on('error', resolve);
      socket.on('close', () => resolve('closed'));
      socket.renegotiate({}, (error) => resolve(error ?? 'renegotiated'));
    });
    expect(outcome).not.toBe('renegotiated');
    expect((await get1()).status).toBe(200);
  });

  it('ends a handshake that does not come to an end', async () => {
    await open({ limits: { headersMs: 200 } });
    const socket = tcpConnect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    await closed(socket);
    expect(await runtime.metrics.exposition()).toMatch(/sallyport_ingress_tls_failures_total\{[^}]*reason="handshake"/);
  });

  it('puts a new certificate in force without losing a connection, and shows when it expires', async () => {
    await open();
    const before = await handshake({ servername: 'api.example.com' });
    replace('api', 'wild');
    await until(async () => altNameOf(await handshake({ servername: 'api.example.com' })) === 'DNS:*.example.com');
    before.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    expect(await firstLine(before)).toBe('HTTP/1.1 200 OK');
    const days = /sallyport_certificate_expiry_seconds\{[^}]*host="api\.example\.com"[^}]*\} (\d+)/.exec(
      await runtime.metrics.exposition(),
    );
    expect(Number(days?.[1]) / 86_400).toBeCloseTo(30, 0);
  });

  it.each([
    ['a key that does not fit', () => copyFileSync(file('live-wild.key'), file('live-api.key'))],
    ['no PEM at all', () => writeFileSync(file('live-api.crt'), 'nothing')],
    ['a missing file', () => rmSync(file('live-api.crt'))],
  ])('keeps the certificate it has when the new one is %s', async (_, damage) => {
    await open();
    damage();
    await until(async () => (await runtime.metrics.exposition()).includes('sallyport_certificate_rejected_total'));
    expect(altNameOf(await handshake({ servername: 'api.example.com' }))).toContain('DNS:api.example.com');
    replace('api', 'wild');
    await until(async () => altNameOf(await handshake({ servername: 'api.example.com' })) === 'DNS:*.example.com');
  });

  it('does not start on a certificate that cannot be used, and names it', async () => {
    writeFileSync(file('broken.key'), 'nothing');
    const tls = { certificates: [{ certificate: 'ca.crt', key: 'broken.key' }] };
    await expect(open({ tls })).rejects.toThrow(/listener “secure”, tls\.certificates\[0\]\.key: .* is not PEM/);
  });

  describe('that asks for client certificates', () => {
    const shown = (name: string): ConnectionOptions => ({
      cert: readFileSync(file(`${name}.crt`)),
      key: readFileSync(file(`${name}.key`)),
    });

    it('lets nobody in without one of its authorities where it is required', async () => {
      await open({ tls: tls({ clientCa: 'ca.crt', clientCertificate: 'required' }) });
      expect((await get1('/', shown('client'))).status).toBe(200);
      await expect(get1('/')).rejects.toThrow();
      await expect(get1('/', shown('stranger'))).rejects.toThrow();
      expect(seen).toHaveLength(1);
    });

    it('lets those in without one where it is optional, but never those with a bad one', async () => {
      await open({ tls: tls({ clientCa: 'ca.crt', clientCertificate: 'optional' }) });
      expect((await get1('/')).status).toBe(200);
      expect((await get1('/', shown('client'))).status).toBe(200);
      await expect(get1('/', shown('stranger'))).rejects.toThrow();
      expect(seen.map(({ connection }) => connection.clientCertificate?.subject)).toEqual([undefined, 'CN=client']);
    });

    it('hands the facts of the certificate to the gateway, with the thumbprint that binds tokens to it', async () => {
      await open({ http2: true, tls: tls({ clientCa: 'ca.crt', clientCertificate: 'required' }) });
      await get1('/', shown('client'));
      await withHttp2(async (session) => void (await get2(session, '/')), shown('client'));
      const der = new X509Certificate(readFileSync(file('client.crt'))).raw;
      for (const { connection } of seen) {
        expect(connection.clientCertificate).toMatchObject({
          fingerprint: createHash('sha256').update(der).digest('hex'),
          thumbprint: createHash('sha256').update(der).digest('base64url'),
          subject: 'CN=client',
        });
      }
      expect(seen.map(({ connection }) => connection.http2)).toEqual([false, true]);
    });

    it('judges by the new authorities once the bundle is another one', async () => {
      copyFileSync(file('ca.crt'), file('live-ca.crt'));
      await open({ tls: tls({ clientCa: 'live-ca.crt', clientCertificate: 'required' }) });
      expect((await get1('/', shown('client'))).status).toBe(200);
      replaceFile('live-ca.crt', 'strangers.crt');
      await until(async () => (await get1('/', shown('stranger')).catch(() => undefined))?.status === 200);
      await expect(get1('/', shown('client'))).rejects.toThrow();
    });
  });
});

describe('a listener with HTTP/2', () => {
  it('is chosen by ALPN, beside HTTP/1.1', async () => {
    await open({ http2: true });
    expect((await get1()).status).toBe(200);
    await withHttp2(async (session) => {
      const answer = await get2(session, '/orders?page=2');
      expect([answer.fields[':status'], answer.body]).toEqual([200, 'ok']);
    });
    expect(seen.map(({ incoming }) => [incoming.httpVersion, incoming.url])).toEqual([
      ['1.1', '/'],
      ['2', '/orders?page=2'],
    ]);
    expect((await handshake({ ALPNProtocols: ['h2', 'http/1.1'] })).alpnProtocol).toBe('h2');
    await expect(handshake({ ALPNProtocols: ['spdy/1'] })).rejects.toThrow();
  });

  it('is not offered where it is not switched on', async () => {
    await open();
    expect((await handshake({ ALPNProtocols: ['h2', 'http/1.1'] })).alpnProtocol).toBe('http/1.1');
  });

  it('streams bodies both ways, and no faster than they are read', async () => {
    respond = (incoming, response) => {
      response.writeHead(200, []);
      let size = 0;
      incoming.body.on('data', (chunk: Buffer) => (size += chunk.length));
      incoming.body.on('end', () => response.end(Buffer.from(String(size))));
    };
    await open({ http2: true });
    await withHttp2(async (session) => {
      const answer = await get2(session, '/', { ':method': 'POST' }, Buffer.alloc(300_000));
      expect(answer.body).toBe('300000');
    });
    expect(seen[0]!.incoming.bodyFollows).toBe(true);
  });

  it('joins what stands in several lines, keeps cookies apart, and leaves the connection out of it', async () => {
    respond = (_, response) => {
      const fields = ['vary', 'a', 'vary', 'b', 'set-cookie', 'a=1', 'set-cookie', 'b=2', 'connection', 'close'];
      response.writeHead(200, fields);
      response.end();
    };
    await open({ http2: true });
    await withHttp2(async (session) => {
      const { fields } = await get2(session, '/');
      expect([fields['vary'], fields['set-cookie'], fields['connection']]).toEqual(['a, b', ['a=1', 'b=2'], undefined]);
    });
  });

  it('sends fields behind the body when there are any', async () => {
    respond = (_, response) => {
      response.expectTrailers!();
      response.writeHead(200, ['content-type', 'application/grpc']);
      response.write(Buffer.from('message'));
      response.trailers!(['grpc-status', '0']);
      response.end();
    };
    await open({ http2: true });
    await withHttp2(async (session) => {
      const answer = await get2(session, '/');
      expect([answer.body, answer.trailers['grpc-status']]).toEqual(['message', '0']);
    });
  });

  it('makes a head that breaks RFC 9113 a fault, and one that disagrees with itself', async () => {
    await open({ http2: true });
    await withHttp2(async (session) => {
      await get2(session, '/', { ':authority': 'api.example.com', host: 'other.example' });
    });
    expect(seen[0]!.incoming.fault).toMatch(/Host names another host/);
  });

  it('over a plain connection serves clients that know beforehand, and HTTP/1.1 as well', async () => {
    await open({ http2: true, tls: undefined });
    await withHttp2(async (session) => expect((await get2(session, '/')).body).toBe('ok'), {}, 'http');
    const socket = tcpConnect(port, '127.0.0.1');
    // In pieces: what is looked at first must still be there for the parser.
    socket.write('P');
    await new Promise((resolve) => setTimeout(resolve, 30));
    socket.write('OST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nhi');
    expect(await firstLine(socket)).toBe('HTTP/1.1 200 OK');
    expect(seen.map(({ incoming, connection }) => [incoming.method, connection.http2])).toEqual([
      ['GET', true],
      ['POST', false],
    ]);
  });

  it('tells clients to go when it drains, and lets what is under way end', async () => {
    let finish: () => void = () => undefined;
    respond = (_, response) => {
      finish = () => {
        response.writeHead(200, []);
        response.end(Buffer.from('late'));
      };
    };
    await open({ http2: true });
    await withHttp2(async (session) => {
      const goaway = new Promise((resolve) => session.on('goaway', resolve));
      const answer = get2(session, '/');
      await until(() => seen.length === 1);
      listener!.stopAccepting();
      expect(await goaway).toBe(constants.NGHTTP2_NO_ERROR);
      finish();
      expect((await answer).body).toBe('late');
      await until(() => session.destroyed || session.closed);
    });
  });

  it('ends a connection on which nothing is asked', async () => {
    await open({ http2: true, limits: { headersMs: 200, checkMs: 50 } });
    const session = http2Connect(`https://localhost:${port}`, { ca: readFileSync(file('ca.crt')) });
    session.on('error', () => undefined);
    await new Promise((resolve) => session.on('close', resolve));
  });
});

describe('an HTTP/2 client that abuses the protocol', () => {
  const empty = Buffer.alloc(0);
  const request = (id: number, flags = 5, more: Buffer = empty): Buffer =>
    frame(1, flags, id, Buffer.concat([head, more]));
  const window = (id: number, increment: number): Buffer => frame(8, 0, id, uint32(increment));
  const ids = (count: number): number[] => Array.from({ length: count }, (_, at) => 1 + 2 * at);
  const bomb = Buffer.concat([literal('x', 'v'.repeat(3900)), Buffer.alloc(12_000, 0xbe)]);
  const again = Buffer.alloc(16_000, 0xbe);
  const CALM = constants.NGHTTP2_ENHANCE_YOUR_CALM;

  it.each<[string, () => Buffer[], number | undefined]>([
    [
      '10,000 streams that are reset at once (rapid reset)',
      () => ids(10_000).flatMap((id) => [request(id, 4), frame(3, 0, id, uint32(8))]),
      CALM,
    ],
    [
      'streams it makes us reset (MadeYouReset)',
      () => ids(400).flatMap((id) => [request(id, 4), window(id, 0x7fffffff)]),
      undefined,
    ],
    ['10,000 PING frames', () => Array.from({ length: 10_000 }, () => frame(6, 0, 0, Buffer.alloc(8))), CALM],
    ['10,000 SETTINGS frames', () => Array.from({ length: 10_000 }, () => frame(4, 0, 0, empty)), undefined],
    ['a WINDOW_UPDATE of nothing on the connection', () => [window(0, 0)], undefined],
    ['a window that overflows', () => [window(0, 0x7fffffff), window(0, 0x7fffffff)], undefined],
    [
      'a flood of CONTINUATION frames',
      () => [frame(1, 1, 1, head), ...Array.from({ length: 5_000 }, () => frame(9, 0, 1, literal('a', 'b')))],
      undefined,
    ],
    [
      'header lists that unpack to megabytes (HPACK bomb)',
      () => ids(300).map((id) => request(id, 5, id === 1 ? bomb : again)),
      undefined,
    ],
    [
      'malformed heads again and again',
      () => ids(400).map((id) => request(id, 5, literal('Connection', 'x'))),
      undefined,
    ],
    ['more streams than it may open', () => ids(400).map((id) => request(id, 4)), undefined],
    ['DATA on a stream that was never opened', () => [frame(0, 0, 1, Buffer.from('x'))], undefined],
    ['an even stream id', () => [request(2)], undefined],
    ['a frame that is wrong while streams are open', () => [request(1, 4), frame(0, 0, 3, empty)], undefined],
    ['a frame larger than it may be', () => [frame(0, 0, 1, Buffer.alloc(20_000))], undefined],
    ['a header block within a header block', () => [frame(1, 1, 1, head), request(3)], undefined],
    ['PUSH_PROMISE from a client', () => [frame(5, 4, 1, Buffer.concat([uint32(2), head]))], undefined],
    ['a broken header block', () => [frame(1, 5, 1, Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]))], undefined],
  ])('is sent GOAWAY, and others do not notice: %s (rel-T27, rel-T38, rel-T39)', async (_, attack, code) => {
    respond = (incoming, response) => {
      if (incoming.method !== 'GET') return;
      response.writeHead(200, ['content-length', '2']);
      response.end(Buffer.from('ok'));
    };
    await open({ http2: true, tls: undefined, limits: { checkMs: 100, headersMs: 300 } });
    await withHttp2(
      async (session) => {
        await get2(session, '/');
        const socket = tcpConnect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        const received: Buffer[] = [];
        socket.on('data', (chunk: Buffer) => received.push(chunk));
        const codes = () =>
          framesOf(Buffer.concat(received))
            .filter(({ type }) => type === 7)
            .map(({ payload }) => payload.readUInt32BE(4));
        socket.write(Buffer.concat([PREFACE, frame(4, 0, 0, empty), ...attack()]));
        await until(() => codes().some((one) => (code === undefined ? one !== 0 : one === code)));
        socket.destroy();
        expect((await get2(session, '/')).body).toBe('ok');
      },
      {},
      'http',
    );
    expect(seen.length).toBeLessThan(150);
    await until(() => listener!.sockets === 0);
  });

  it('with 17 KiB of fields is answered 431 by whoever judges heads, and one with 5,000 loses its stream (rel-T27)', async () => {
    const verdicts: unknown[] = [];
    respond = (incoming, response, connection) => {
      const { method = '', url: target = '', rawHeaders, httpVersion, bodyFollows } = incoming;
      const raw = { method, target, rawHeaders, httpVersion, remoteAddress: '::1', encrypted: true, bodyFollows };
      const request = canonicalRequest(raw, connection.limits.head);
      verdicts.push(isRefusal(request) ? request.code : 'passed');
      response.writeHead(200, []);
      response.end();
    };
    await open({ http2: true });
    await withHttp2(async (session) => {
      await get2(
        session,
        '/',
        Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`x-${at}`, 'v'.repeat(1000)])),
      );
      const many = Object.fromEntries(Array.from({ length: 5_000 }, (_, at) => [`x-${at}`, 'v']));
      await expect(get2(session, '/', many)).rejects.toThrow();
      await get2(session, '/');
    });
    expect(verdicts).toEqual(['HEADERS_TOO_LARGE', 'passed']);
  });
});

// ---- the bench ----------------------------------------------------------------------------------------------------

function file(name: string): string {
  return certificates.path(name);
}

let stamp = 1_000;
/** Some file systems tell times apart by seconds only. */
function replaceFile(name: string, by: string): void {
  copyFileSync(file(by), file(name));
  stamp += 10;
  utimesSync(file(name), stamp, stamp);
}

function replace(name: string, by: string): void {
  for (const kind of ['crt', 'key']) replaceFile(`live-${name}.${kind}`, `${by}.${kind}`);
}

const tls = (more: object = {}) => ({
  certificates: [
    { hosts: ['api.example.com'], certificate: 'live-api.crt', key: 'live-api.key' },
    { hosts: ['*.example.com'], certificate: 'live-wild.crt', key: 'live-wild.key' },
  ],
  ...more,
});

async function open(settings: object = {}): Promise<void> {
  for (const name of ['api', 'wild']) replace(name, name);
  port = await freePort();
  const path = file('listeners.yaml');
  writeFileSync(path, JSON.stringify([{ name: 'secure', port, tls: tls(), ...settings }]));
  const handle: Handle = (incoming, response, connection) => {
    seen.push({ incoming, connection });
    respond(incoming, response, connection);
  };
  listener = await openListeners(readListenersFile(path, '127.0.0.1'), {
    handle,
    runtime,
    refreshMs: 50,
    broken: ({ answer }) => answer(''),
    brokenBody: (response) => void response.destroy(),
  });
}

function handshake(options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }, () => {
      held.push(socket);
      resolve(socket);
    });
    socket.on('error', reject);
  });
}
const held: Socket[] = [];
afterEach(() => held.splice(0).forEach((socket) => socket.destroy()));

function altNameOf(socket: TLSSocket): string | undefined {
  return socket.getPeerX509Certificate()?.subjectAltName;
}

function get1(path = '/', options: ConnectionOptions = {}): Promise<{ status: number }> {
  return new Promise((resolve, reject) => {
    const ca = readFileSync(file('ca.crt'));
    const request = httpsRequest({ host: 'localhost', port, path, ca, agent: false, ...options }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode! }));
    });
    request.on('error', reject);
    request.end();
  });
}

async function withHttp2(
  work: (session: ClientHttp2Session) => Promise<void>,
  options: ConnectionOptions = {},
  scheme = 'https',
): Promise<void> {
  const session = http2Connect(`${scheme}://localhost:${port}`, { ca: readFileSync(file('ca.crt')), ...options });
  session.on('error', () => undefined);
  try {
    await work(session);
  } finally {
    session.destroy();
  }
}

interface Answer2 {
  readonly fields: IncomingHttpHeaders & { ':status'?: number };
  readonly trailers: IncomingHttpHeaders;
  readonly body: string;
}

function get2(session: ClientHttp2Session, path: string, fields: object = {}, body?: Buffer): Promise<Answer2> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path, ...fields }, { endStream: body === undefined });
    const answer = { fields: {}, trailers: {}, body: '' };
    stream.on('response', (head) => (answer.fields = head));
    stream.on('trailers', (trailers) => (answer.trailers = trailers));
    stream.on('data', (chunk: Buffer) => (answer.body += chunk.toString()));
    stream.on('error', reject);
    stream.on('end', () => resolve(answer));
    if (body !== undefined) stream.end(body);
  });
}

function firstLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('data', (chunk: Buffer) => {
      socket.destroy();
      resolve(chunk.toString().split('\r\n')[0]!);
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed without an answer')));
  });
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => (socket.destroyed ? resolve() : socket.on('close', () => resolve())));
}

// ---- frames by hand (RFC 9113 §4.1, RFC 7541 §6) --------------------------------------------------------------------

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** `POST / http a`: indexed fields, and the authority as a literal. */
const head = Buffer.concat([Buffer.from([0x83, 0x86, 0x84, 0x41, 1]), Buffer.from('a')]);

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function frame(type: number, flags: number, id: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(id, 5);
  return Buffer.concat([header, payload]);
}

function literal(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x40, name.length]),
    Buffer.from(name),
    integer7(value.length),
    Buffer.from(value),
  ]);
}

function integer7(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

function framesOf(bytes: Buffer): { type: number; payload: Buffer }[] {
  const frames = [];
  for (let at = 0; at + 9 <= bytes.length;) {
    const length = bytes.readUIntBE(at, 3);
    frames.push({ type: bytes[at + 3]!, payload: bytes.subarray(at + 9, at + 9 + length) });
    at += 9 + length;
  }
  return frames;
}
