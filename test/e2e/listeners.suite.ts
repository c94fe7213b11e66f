import { Client, credentials, Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import { TestCertificates } from '@sallyport/testkit';
import { copyFileSync } from 'node:fs';
import { createServer, type Server as HttpServer } from 'node:http';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import { patientWaf, type MintedKey, type Product } from './product';
import { PATIENCE_MS, until } from './waiting';

/** The files of the listeners under test; `current.*` is the certificate in force. */
export function makeListenerCertificates(): TestCertificates {
  const certificates = new TestCertificates();
  certificates.authority('ca');
  for (const name of ['first', 'second']) certificates.issue(name, 'ca', ['localhost', `${name}.example`]);
  certificates.issue('client', 'ca', []);
  install(certificates, 'first');
  return certificates;
}

function install(certificates: TestCertificates, name: string): void {
  for (const kind of ['crt', 'key'])
    copyFileSync(certificates.path(`${name}.${kind}`), certificates.path(`current.${kind}`));
}

/** A plain listener where the harness expects one, one with TLS and HTTP/2, and one that asks who is calling. */
export function listenersOf(
  certificates: TestCertificates,
  plain: number,
  [secure, mutual]: readonly number[],
): object[] {
  const tls = {
    certificates: [{ certificate: certificates.path('current.crt'), key: certificates.path('current.key') }],
  };
  return [
    { name: 'plain', port: plain },
    { name: 'secure', port: secure, http2: true, tls },
    {
      name: 'mutual',
      port: mutual,
      tls: { ...tls, clientCa: certificates.path('ca.crt'), clientCertificate: 'required' },
    },
  ];
}

const identity = (bytes: Buffer): Buffer => bytes;

/** TLS, HTTP/2, WebSockets and gRPC through the product as it runs. */
export function describeListeners(
  product: () => Product,
  certificates: () => TestCertificates,
  ports: () => readonly number[],
): void {
  let api: HttpServer;
  let sockets: WebSocketServer;
  let grpc: Server;
  let key: MintedKey;

  beforeAll(async () => {
    api = createServer((request, response) => response.end(`${request.method} ${request.url}`));
    sockets = new WebSocketServer({ server: api });
    sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
    await new Promise<void>((resolve) => api.listen(0, '127.0.0.1', resolve));
    grpc = new Server();
    const shape = {
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    };
    const chat = { path: '/shop.Chat/Talk', requestStream: true, responseStream: true, ...shape };
    grpc.addService(
      { Talk: chat },
      {
        Talk: (call: import('@grpc/grpc-js').ServerDuplexStream<Buffer, Buffer>) => {
          call.on('data', (bytes: Buffer) => call.write(Buffer.concat([Buffer.from('re: '), bytes])));
          call.on('end', () => call.end());
        },
      },
    );
    const grpcPort = await new Promise<number>((resolve, reject) =>
      grpc.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    key = await product().apiKey({ name: 'listeners' });
    const here = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
    await product().publish({
      services: [
        {
          name: 'live',
          upstream: { targets: [{ url: here }], allowPrivate: true },
          websocket: true,
          policies: [patientWaf],
        },
        {
          name: 'shop',
          path: '/shop.Chat',
          upstream: { targets: [{ url: `http://127.0.0.1:${grpcPort}` }], allowPrivate: true, protocol: 'http2' },
          policies: [patientWaf],
        },
      ],
    });
  });
  afterAll(async () => {
    grpc?.forceShutdown();
    sockets?.close();
    api?.closeAllConnections();
    await new Promise((resolve) => api?.close(resolve));
  });

  const trust = (): ConnectionOptions => ({ ca: certificates().read('ca.crt') });
  const bearer = () => `Bearer ${key.key}`;

  async function withHttp2<T>(work: (session: ClientHttp2Session) => Promise<T>): Promise<T> {
    const session = connectHttp2(`https://localhost:${ports()[0]}`, trust());
    session.on('error', () => undefined);
    try {
      return await work(session);
    } finally {
      session.destroy();
    }
  }

  function ask2(session: ClientHttp2Session, path: string): Promise<{ status: number; text: string; id: string }> {
    return new Promise((resolve, reject) => {
      const stream = session.request({ ':path': path, authorization: bearer() });
      let text = '';
      let status = 0;
      let id = '';
      stream.on('response', (head) => {
        status = head[':status']!;
        id = String(head['x-sallyport-request-id']);
      });
      stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
      stream.on('end', () => resolve({ status, text, id }));
      stream.on('error', reject);
    });
  }

  function askTls(port: number, options: ConnectionOptions): Promise<number> {
    return new Promise((resolve, reject) => {
      const headers = { authorization: bearer() };
      const request = httpsRequest(
        { host: 'localhost', port, path: '/live', headers, agent: false, ...options },
        (response) => {
          response.resume();
          response.on('end', () => resolve(response.statusCode!));
        },
      );
      request.on('error', reject);
      request.end();
    });
  }

  it('serves HTTP/2 over TLS, and has such a request on record like any other', async () => {
    const answer = await withHttp2((session) => ask2(session, '/live/1?a=b'));
    expect([answer.status, answer.text]).toEqual([200, 'GET /live/1?a=b']);
    const record = await product().recordOf(answer.id);
    expect(record.unmapped.sallyport).toMatchObject({ service: 'live', outcome: 'ok' });
  });

  it('lets nobody through a listener for known clients without a certificate of theirs', async () => {
    const [, mutual] = ports();
    const shown = { cert: certificates().read('client.crt'), key: certificates().read('client.key') };
    expect(await askTls(mutual!, { ...trust(), ...shown })).toBe(200);
    await expect(askTls(mutual!, trust())).rejects.toThrow();
  });

  it('carries a WebSocket over TLS, and has it on record with what it carried', async () => {
    const client = new WebSocket(`wss://localhost:${ports()[0]}/live`, {
      ca: certificates().read('ca.crt'),
      headers: { authorization: bearer() },
    });
    const id = new Promise<string>((resolve) =>
      client.on('upgrade', ({ headers }) => resolve(String(headers['x-sallyport-request-id']))),
    );
    await new Promise((resolve, reject) => client.on('open', resolve).on('error', reject));
    const answer = new Promise((resolve) => client.once('message', (data) => resolve((data as Buffer).toString())));
    client.send('hello');
    expect(await answer).toBe('hello');
    client.close();
    const record = await product().recordOf(await id);
    expect(record).toMatchObject({ status_code: '101', unmapped: { sallyport: { outcome: 'ok' } } });
  });

  it('carries calls of gRPC, streaming both ways, and refuses them in their own words', async () => {
    const client = new Client(`localhost:${ports()[0]}`, credentials.createSsl(certificates().read('ca.crt')));
    const talk = (authorization: string) => {
      const metadata = new Metadata();
      if (authorization) metadata.set('authorization', authorization);
      return client.makeBidiStreamRequest('/shop.Chat/Talk', identity, identity, metadata);
    };
    const call = talk(bearer());
    for (const text of ['one', 'two']) {
      const answer = new Promise((resolve, reject) => call.once('data', resolve).once('error', reject));
      call.write(Buffer.from(text));
      expect(String(await answer)).toBe(`re: ${text}`);
    }
    call.end();
    await new Promise((resolve) => call.on('end', resolve).resume());
    const refused = talk('');
    refused.end();
    const code = await new Promise((resolve) =>
      refused.on('error', (error) => resolve((error as { code?: number }).code)),
    );
    expect(code).toBe(16);
    client.close();
  });

  it(
    'takes a new certificate while requests are served, and loses none of them',
    async () => {
      const shown = () =>
        new Promise<string>((resolve, reject) => {
          const socket = connectTls(
            { host: 'localhost', port: ports()[0]!, servername: 'localhost', ...trust() },
            () => {
              resolve(socket.getPeerX509Certificate()?.subject ?? '');
              socket.destroy();
            },
          );
          socket.on('error', reject);
        });
      expect(await shown()).toBe('CN=first');
      let done = false;
      const answers: number[] = [];
      const load = (async () => {
        while (!done) answers.push(await askTls(ports()[0]!, trust()));
      })();
      install(certificates(), 'second');
      await until('the new certificate is shown', async () => (await shown()) === 'CN=second', { within: PATIENCE_MS });
      done = true;
      await load;
      expect(answers.length).toBeGreaterThan(0);
      expect(answers.filter((status) => status !== 200)).toEqual([]);
    },
    2 * PATIENCE_MS,
  );
}
