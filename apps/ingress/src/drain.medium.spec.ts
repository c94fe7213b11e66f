import { connect, type AddressInfo, type Socket } from 'node:net';
import { drainExchanges, type Drained } from './drain';
import { plainConnection } from './listeners/connection';
import { listenHttp, type HttpListener } from './listeners/http';
import { freePort } from '@sallyport/testkit';

const config = { balancerSeconds: 0, drainSeconds: 5 };
let listener: HttpListener;
let port: number;

beforeEach(async () => {
  port = await freePort();
  listener = await listenHttp({
    address: { host: '127.0.0.1', port },
    connection: plainConnection,
    handle: (_, response) => {
      response.writeHead(200, ['content-length', '2']);
      response.end(Buffer.from('ok'));
    },
    broken: ({ answer }) => answer(''),
    brokenBody: (response) => response.destroy(),
  });
});

afterEach(() => listener.close());

describe('the drain of the data door', () => {
  it('answers a request that was on its way on a kept connection when it began, and says that it was the last', async () => {
    const client = await opened();
    expect(await client.ask()).not.toContain('connection: close');
    const drained = drain('SIGTERM');
    await pause(100);
    expect(await client.ask()).toContain('connection: close');
    await drained;
  });

  it('answers on a connection that was made a moment before and has asked nothing yet', async () => {
    const client = await opened();
    await pause(50);
    const drained = drain('SIGTERM');
    await pause(100);
    expect(await client.ask()).toContain('HTTP/1.1 200');
    await drained;
  });

  it('takes no connection from then on', async () => {
    const client = await opened();
    const drained = drain('SIGTERM');
    await pause(100);
    await expect(opened()).rejects.toThrow('ECONNREFUSED');
    client.socket.destroy();
    await drained;
  });

  it('does not wait for connections that nobody uses once a second is over, and not at all for who pressed Ctrl-C', async () => {
    const client = await opened();
    await client.ask();
    const begun = performance.now();
    await drain('SIGINT');
    expect(performance.now() - begun).toBeLessThan(500);
    await client.closed;
  });
});

function drain(reason: Drained['reason']): Promise<void> {
  return drainExchanges({ open: new Set(), listeners: [listener], config, reason, cutShort: () => undefined });
}

interface Client {
  readonly socket: Socket;
  readonly closed: Promise<unknown>;
  /** Asks for something. @returns the head of the answer */
  ask(): Promise<string>;
}

async function opened(): Promise<Client> {
  const socket = connect(port, '127.0.0.1');
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  const ask = (): Promise<string> =>
    new Promise((resolve, reject) => {
      socket.once('data', (bytes) => resolve(bytes.toString('latin1').toLowerCase().replace('http/', 'HTTP/')));
      socket.once('close', () => reject(new Error('closed without an answer')));
      socket.write(`GET / HTTP/1.1\r\nhost: 127.0.0.1:${(socket.address() as AddressInfo).port}\r\n\r\n`);
    });
  return { socket, closed, ask };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
