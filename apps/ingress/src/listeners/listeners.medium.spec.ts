import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { copyFileSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { connect as http2Connect, constants, type ClientHttp2Session } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { connect as tcpConnect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { defaultListenerLimits } from '@sallyport/proxy';
import { freePort, TestCertificates, testRuntime, type TestRuntime } from '@sallyport/testkit';
import { until } from '../ingress-under-test';
import type { Connection, Handle, Incoming, Outgoing } from './connection';
import type { HttpListener } from './http';
import { get2, withSession } from './http2-under-test';
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

  it('serves a crowd that comes in while its loop is busy, by further descriptors of its port', async () => {
    const failures: Error[] = [];
    await open({}, (error) => failures.push(error));
    await pause(2_500);
    const crowd = new Crowd(port, 60);
    const turns = { busy: true };
    const busy = () => {
      for (const end = performance.now() + 20; performance.now() < end;);
      if (turns.busy) setImmediate(busy);
    };
    busy();
    expect(await crowd.statuses).toEqual(Array.from({ length: 60 }, () => 200));
    turns.busy = false;
    expect(new Set(seen.map(({ connection }) => connection.encrypted))).toEqual(new Set([true]));
    expect(failures).toEqual([]);
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

  it.each([
    ['with a length', ['content-length', '2']],
    ['without one', []],
  ])('leaves out what an upstream has sent behind 205 %s (RFC 9110 §15.3.6)', async (_, fields) => {
    respond = (__, response) => {
      response.writeHead(205, [...fields]);
      response.write(Buffer.from('o'));
      response.end(Buffer.from('k'));
    };
    await open({ http2: true });
    await withHttp2(async (session) => {
      const answer = await get2(session, '/');
      expect([answer.fields[':status'], answer.fields['content-length'], answer.body]).toEqual([205, undefined, '']);
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

  it.each([
    ['waits for the preface of HTTP/2', { http2: true, tls: undefined }, ''],
    ['has half a preface', { http2: true, tls: undefined }, 'PR'],
    ['waits for the header of a balancer', { proxyProtocol: true, tls: undefined }, ''],
    ['has half a header of a balancer', { proxyProtocol: true, tls: undefined }, 'PROXY TCP4'],
    ['waits for a request', { tls: undefined }, ''],
  ])('holds no connection whose client has left while it %s', async (_, settings, bytes) => {
    await open(settings);
    const socket = tcpConnect(port, '127.0.0.1');
    socket.end(bytes);
    // Half the time that a head may take: who has left is not waited for.
    await until(() => socket.destroyed && listener!.sockets === 0, defaultListenerLimits.headersMs / 2);
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

async function open(settings: object = {}, onFewAccepts?: (error: Error) => void): Promise<void> {
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
    ...(onFewAccepts && { onFewAccepts }),
  });
}

/** Clients in a process of their own, all of which ask at once, each on a connection of its own. */
class Crowd {
  private static readonly program = `const { get } = require('node:https');
    const [port, count] = process.argv.slice(1).map(Number);
    const ask = () => new Promise((done) => {
      get({ host: '127.0.0.1', port, agent: false, rejectUnauthorized: false }, (answer) => done(answer.resume().statusCode))
        .on('error', ({ code }) => done(code));
    });
    Promise.all(Array.from({ length: count }, ask)).then((statuses) => console.log(JSON.stringify(statuses)));`;

  readonly statuses: Promise<unknown>;

  constructor(port: number, count: number) {
    this.statuses = promisify(execFile)(process.execPath, ['-e', Crowd.program, String(port), String(count)]).then(
      ({ stdout }) => JSON.parse(stdout) as unknown,
    );
  }
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

function withHttp2(
  work: (session: ClientHttp2Session) => Promise<void>,
  options: ConnectionOptions = {},
  scheme = 'https',
): Promise<void> {
  return withSession(`${scheme}://localhost:${port}`, work, { ca: readFileSync(file('ca.crt')), ...options });
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
