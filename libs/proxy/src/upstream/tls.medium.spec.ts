import type { ServerResponse } from 'node:http';
import { createSecureServer } from 'node:http2';
import { createServer, type Server } from 'node:https';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import type { TlsOptions, TLSSocket } from 'node:tls';
import type { UpstreamTls } from '@sallyport/contracts';
import { TestCertificates } from '@sallyport/testkit';
import type { UpstreamClient } from '../forward';
import { UpstreamPools } from '../pool';
import { exchangeWith, Gathered, quickTimeouts } from './gathered.suite';

const available = TestCertificates.available();
const suite = available ? describe : describe.skip;

suite(`an upstream over TLS${available ? '' : ' (openssl is not installed)'}`, () => {
  let made: TestCertificates;
  const pools: UpstreamPools[] = [];
  const servers: Server[] = [];
  const gates: TcpServer[] = [];

  beforeAll(() => {
    made = new TestCertificates();
    for (const name of ['ours', 'strangers']) made.authority(name);
    made.issue('localhost', 'ours', ['localhost', '127.0.0.1']);
    made.issue('orders', 'ours', ['orders.internal']);
    made.issue('gateway', 'ours', []);
    made.issue('impostor', 'strangers', []);
  });

  afterAll(() => made.remove());

  afterEach(async () => {
    await Promise.all(pools.splice(0).map((one) => one.destroy()));
    for (const server of servers) server.closeAllConnections();
    await Promise.all(gates.splice(0).map((gate) => new Promise((resolve) => gate.close(resolve))));
    await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  });

  async function upstream(name: string, more: TlsOptions = {}): Promise<number> {
    const server = createServer(
      { key: made.read(`${name}.key`), cert: made.read(`${name}.crt`), ...more },
      (request, response) => {
        const socket = request.socket as TLSSocket;
        const shown = String(socket.getPeerCertificate().subject?.CN ?? 'nobody');
        response.end(`${String(socket.servername)} ${shown}`);
      },
    );
    servers.push(server);
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  }

  function clientOf(port: number, tls: UpstreamTls = {}, more = {}, host = 'localhost'): UpstreamClient {
    const own = new UpstreamPools();
    pools.push(own);
    return own.client({ url: `https://${host}:${port}`, allowPrivate: true, connectMs: 2_000, tls, ...more });
  }

  const ca = () => made.reference('ours.crt');

  it('is called when an authority we name has signed for its name', async () => {
    const port = await upstream('localhost');
    expect((await exchangeWith(clientOf(port, { ca: ca() }))).text).toBe('localhost nobody');
    expect((await exchangeWith(clientOf(port, { ca: ca() }, {}, '127.0.0.1'))).text).toBe('false nobody');
  });

  it.each([
    ['no authority of ours has signed', 'localhost', {}],
    ['another authority has signed', 'localhost', { ca: 'strangers.crt' }],
    ['the certificate is for another name', 'orders', { ca: 'ours.crt' }],
  ])('is not sent a byte when %s', async (_, name, files: { ca?: string }) => {
    let requests = 0;
    const port = await upstream(name);
    servers[0]!.on('request', () => requests++);
    const sink = await exchangeWith(clientOf(port, files.ca ? { ca: made.reference(files.ca) } : {}));
    expect(sink).toMatchObject({ refusal: { code: 'UPSTREAM_UNREACHABLE' }, phase: 'connect' });
    expect(requests).toBe(0);
  });

  it.each([
    ['with the connection, which says nothing of its end', {}, true],
    ['where its length says', { 'content-length': '4' }, false],
    ['with its last chunk', { 'transfer-encoding': 'chunked' }, false],
  ])('leaves a doubt whether its answer is whole when that ends %s (RFC 9112 §9.8)', async (_, fields, doubt) => {
    const port = await upstream('localhost');
    servers[0]!.removeAllListeners('request').on('request', (_request, response: ServerResponse) => {
      response.shouldKeepAlive = false;
      response.useChunkedEncodingByDefault = false;
      response.writeHead(200, fields);
      response.end('half');
    });
    const sink = await exchangeWith(clientOf(port, { ca: ca() }));
    expect(sink).toMatchObject({ calls: ['head', 'end'], text: 'half', mayBeCut: doubt });
  });

  it('is asked for, and verified by, the name the operator gives', async () => {
    const port = await upstream('orders');
    const tls = { ca: ca(), serverName: 'orders.internal' };
    expect((await exchangeWith(clientOf(port, tls, {}, '127.0.0.1'))).text).toBe('orders.internal nobody');
    const other = { ca: ca(), serverName: 'billing.internal' };
    expect((await exchangeWith(clientOf(port, other))).refusal!.code).toBe('UPSTREAM_UNREACHABLE');
  });

  it('sees our certificate where it asks for one, and turns others away', async () => {
    const port = await upstream('localhost', {
      requestCert: true,
      rejectUnauthorized: true,
      ca: made.read('ours.crt'),
    });
    const shown = (name: string) => ({
      ca: ca(),
      certificate: made.reference(`${name}.crt`),
      key: made.reference(`${name}.key`),
    });
    expect((await exchangeWith(clientOf(port, shown('gateway')))).text).toBe('localhost gateway');
    expect((await exchangeWith(clientOf(port, shown('impostor')))).refusal!.code).toMatch(/^UPSTREAM_/);
    expect((await exchangeWith(clientOf(port, { ca: ca() }))).refusal!.code).toMatch(/^UPSTREAM_/);
  });

  it('sees a new certificate as soon as its file is written, and the old one while the new is unusable', async () => {
    const port = await upstream('localhost', { requestCert: true, rejectUnauthorized: false });
    servers[0]!.prependListener('request', (_, response) => response.setHeader('connection', 'close'));
    made.issue('rolling', 'ours', []);
    const tls = { ca: ca(), certificate: made.reference('rolling.crt'), key: made.reference('rolling.key') };
    const client = clientOf(port, tls);
    const serial = async () => {
      let seen = '';
      servers[0]!.once(
        'request',
        (request) => (seen = (request.socket as TLSSocket).getPeerCertificate().serialNumber),
      );
      expect((await exchangeWith(client)).status).toBe(200);
      return seen;
    };
    const first = await serial();
    made.issue('rolling', 'ours', []);
    const second = await serial();
    expect(second).not.toBe(first);
    // Half of a rotation: the key is another one's.
    made.issue('other', 'ours', []);
    const { copyFileSync } = await import('node:fs');
    copyFileSync(made.path('other.key'), made.path('rolling.key'));
    expect(await serial()).toBe(second);
  });

  it('is not called with a file that is not there, and the reason names it', async () => {
    const port = await upstream('localhost');
    const sink = await exchangeWith(clientOf(port, { ca: '${file:/nowhere/ca.pem}' }));
    expect(sink).toMatchObject({ refusal: { code: 'UPSTREAM_UNREACHABLE' }, phase: 'connect' });
    expect(sink.refusal!.reason).toContain('/nowhere/ca.pem');
  });

  it('is spoken to in HTTP/2 where both agree on it, and not at all where it does not speak it', async () => {
    const server = createSecureServer(
      { key: made.read('localhost.key'), cert: made.read('localhost.crt') },
      (request, response) => response.end(`HTTP/${request.httpVersion}`),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const client = clientOf(port, { ca: ca() }, { protocol: 'http2' });
    expect((await exchangeWith(client)).text).toBe('HTTP/2.0');
    await Promise.all(pools.splice(0).map((one) => one.destroy()));
    await new Promise((resolve) => server.close(resolve));

    const old = await upstream('localhost', { ALPNProtocols: ['http/1.1'] });
    const sink = await exchangeWith(clientOf(old, { ca: ca() }, { protocol: 'http2' }));
    expect(sink).toMatchObject({ refusal: { code: 'UPSTREAM_UNREACHABLE' }, phase: 'connect' });
  });

  describe.each(['http1', 'http2'] as const)('that is slow to agree on a connection for %s', (protocol) => {
    let connections: number;

    /** Leaves a connection alone for a while, and then speaks whatever protocol is asked for. */
    async function slowClient(afterMs: number, connectMs: number) {
      connections = 0;
      const secure = createSecureServer(
        { key: made.read('localhost.key'), cert: made.read('localhost.crt'), allowHTTP1: true },
        (_, response) => response.end('at last'),
      );
      const gate = createTcpServer((socket) => {
        connections++;
        socket.on('error', () => undefined);
        setTimeout(() => secure.emit('connection', socket), afterMs).unref();
      });
      gates.push(gate);
      await new Promise<void>((resolve) => gate.listen(0, '127.0.0.1', resolve));
      const { port } = gate.address() as AddressInfo;
      return clientOf(port, { ca: ca() }, { protocol, connectMs, connections: 1 });
    }

    it('fails who has no more time for it, and serves who has over the connection that was being made', async () => {
      const client = await slowClient(600, 2_000);
      const hurried = exchangeWith(client, { timeouts: { ...quickTimeouts, connectMs: 100 } });
      const patient = exchangeWith(client);
      const since = performance.now();
      expect(await hurried).toMatchObject({
        refusal: { code: 'UPSTREAM_TIMEOUT', params: { seconds: 1 }, unsent: true },
        phase: 'connect',
      });
      expect(performance.now() - since).toBeLessThan(550);
      expect((await patient).text).toBe('at last');
      expect(connections).toBe(1);
    });

    it('is waited for as long as a request says, also where that is longer than usual', async () => {
      const client = await slowClient(300, 50);
      expect((await exchangeWith(client)).text).toBe('at last');
    });

    it('is what an exchange waits for meanwhile, and nobody else', async () => {
      const client = await slowClient(60_000, 2_000);
      const request = { method: 'GET', path: '/', fields: ['host', 'a'], body: undefined, timeouts: quickTimeouts };
      const waiting = client.forward(request, new Gathered());
      expect(waiting.heldUp).toBe(false);
      waiting.abort();
    });
  });

  it('speaks TLS 1.2 at least', async () => {
    const port = await upstream('localhost', {
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    expect((await exchangeWith(clientOf(port, { ca: ca() }))).refusal!.code).toBe('UPSTREAM_UNREACHABLE');
  });
});
