import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { UpstreamPools } from '../../pool';
import { exchangeWith, Gathered, quickTimeouts } from '../gathered.suite';

describe('the connections to an upstream', () => {
  let server: Server;
  let pools: UpstreamPools;
  let waiting: { path: string; response: ServerResponse }[];
  let connections: number;

  beforeEach(async () => {
    waiting = [];
    connections = 0;
    pools = new UpstreamPools();
    server = createServer((request, response) => void waiting.push({ path: request.url!, response }));
    server.on('connection', () => connections++);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });

  afterEach(async () => {
    await pools.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const clientOf = (more: object = {}) => {
    const { port } = server.address() as AddressInfo;
    return pools.client({ url: `http://127.0.0.1:${port}`, allowPrivate: true, connectMs: 500, ...more });
  };

  async function arrived(count: number): Promise<void> {
    const end = Date.now() + 5_000;
    while (waiting.length < count) {
      if (Date.now() > end) throw new Error(`${waiting.length} of ${count} arrived`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  it('are used again, the one that was free last first', async () => {
    const client = clientOf();
    const two = [exchangeWith(client), exchangeWith(client)];
    await arrived(2);
    for (const { response } of waiting) response.end();
    await Promise.all(two);
    for (let n = 3; n < 8; n++) {
      const one = exchangeWith(client);
      await arrived(n);
      waiting[n - 1]!.response.end();
      await one;
    }
    expect(connections).toBe(2);
  });

  it('are no more than they may be; who comes later waits for one, in turn', async () => {
    const client = clientOf({ connections: 1, connectMs: 5_000 });
    const calls = ['/1', '/2', '/3'].map((path) => exchangeWith(client, { path }));
    for (let n = 1; n <= 3; n++) {
      await arrived(n);
      waiting[n - 1]!.response.end(String(n));
    }
    expect((await Promise.all(calls)).map(({ text }) => text)).toEqual(['1', '2', '3']);
    expect(waiting.map(({ path }) => path)).toEqual(['/1', '/2', '/3']);
    expect(connections).toBe(1);
  });

  it('are not waited for without end, nor by someone who has left', async () => {
    const client = clientOf({ connections: 1 });
    const first = exchangeWith(client);
    await arrived(1);
    const gone = new Gathered();
    const request = { method: 'GET', path: '/', fields: ['host', 'a'], body: undefined, timeouts: quickTimeouts };
    client.forward(request, gone).abort();
    const hurried = await exchangeWith(client, { timeouts: { ...quickTimeouts, connectMs: 300 } });
    expect(hurried).toMatchObject({ refusal: { code: 'UPSTREAM_BUSY' }, phase: 'connect' });
    waiting[0]!.response.end();
    expect((await first).status).toBe(200);
    expect([waiting.length, gone.calls]).toEqual([1, []]);
  });

  it('serve the next one when an exchange breaks its own', async () => {
    const client = clientOf({ connections: 1, connectMs: 5_000 });
    const broken = exchangeWith(client, { path: '/broken' });
    const next = exchangeWith(client, { path: '/next' });
    await arrived(1);
    waiting[0]!.response.destroy();
    await arrived(2);
    waiting[1]!.response.end('fine');
    expect((await broken).refusal!.code).toBe('UPSTREAM_BROKE');
    expect((await next).text).toBe('fine');
    expect(connections).toBe(2);
  });

  it('are not used for what cannot be written, and stay usable', async () => {
    const client = clientOf();
    const good = exchangeWith(client);
    await arrived(1);
    waiting[0]!.response.end();
    await good;
    expect((await exchangeWith(client, { path: '/a b' })).refusal!.code).toBe('INTERNAL');
    const again = exchangeWith(client);
    await arrived(2);
    waiting[1]!.response.end();
    expect((await again).status).toBe(200);
    expect(connections).toBe(1);
  });

  it('rel-T26: are not closed as idle under a caller who takes long to send its body', async () => {
    const client = clientOf();
    const first = exchangeWith(client);
    await arrived(1);
    // With this the connection rests for a second and is then closed, unless an exchange is on it.
    waiting[0]!.response.writeHead(200, { 'keep-alive': 'timeout=2' }).end();
    await first;
    const body = new PassThrough();
    const slow = exchangeWith(client, { method: 'POST', body });
    body.write('one byte');
    await arrived(2);
    const trickle = setInterval(() => body.write('.'), 250);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    clearInterval(trickle);
    body.end();
    waiting[1]!.response.end('patient');
    expect(await slow).toMatchObject({ status: 200, text: 'patient' });
    expect(connections).toBe(1);
  });

  it('are closed before the upstream would close them, where it says when that is', async () => {
    const client = clientOf();
    const call = exchangeWith(client);
    await arrived(1);
    const closed = new Promise((resolve) => waiting[0]!.response.socket!.on('close', resolve));
    waiting[0]!.response.writeHead(200, { 'keep-alive': 'timeout=1' }).end();
    await call;
    await closed;
  });
});
