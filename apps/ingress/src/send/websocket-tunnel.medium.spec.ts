import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { systemClock } from '@sallyport/contracts';
import { controlFrame } from '@sallyport/proxy';
import type { Outcome } from '@sallyport/trail';
import { WebSocketTunnel } from './websocket-tunnel';

const MASK = Uint8Array.of(1, 2, 3, 4);
const PING_MS = 100;

let server: Server;
let sockets: Socket[];
let ended: Outcome[];
let tunnel: WebSocketTunnel;

beforeEach(async () => {
  sockets = [];
  ended = [];
  server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  tunnel.destroy();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

describe('a client of a WebSocket that says nothing', () => {
  it('is asked for a sign of life, of which the upstream sees nothing', async () => {
    const { client, upstream } = await open();
    const ping = await heard(client);
    expect([ping[0], ping[1]]).toEqual([0x89, 8]);
    client.write(controlFrame('pong', ping.subarray(2), MASK));
    const own = controlFrame('ping', Buffer.from('mine'), MASK);
    client.write(own);
    // What the client sends of its own accord goes on, and it comes first: the pong before it stayed here.
    expect((await heard(upstream)).equals(own)).toBe(true);
    expect(ended).toEqual([]);
  });

  it('is gone when none comes, and the upstream is told', async () => {
    const { client, upstream } = await open();
    client.pause();
    const frame = await heard(upstream);
    expect([frame[0], frame[1]! & 0x80]).toEqual([0x88, 0x80]);
    expect(ended).toEqual(['client_aborted']);
  });
});

/** Two connections to the same place: the far ends of both sides, with the tunnel between the near ones. */
async function open(): Promise<{ client: Socket; upstream: Socket }> {
  const [client, nearClient] = await pair();
  const [upstream, nearUpstream] = await pair();
  tunnel = new WebSocketTunnel({
    client: nearClient,
    upstream: nearUpstream,
    maxMessageBytes: 1_000,
    idleMs: 60_000,
    pingMs: PING_MS,
    clock: systemClock,
    random: (bytes) => new Uint8Array(bytes),
    onBytes: () => undefined,
    onEnd: (outcome) => void ended.push(outcome),
  });
  tunnel.start(Buffer.alloc(0));
  return { client, upstream };
}

async function pair(): Promise<[Socket, Socket]> {
  const near = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const far = connect((server.address() as AddressInfo).port, '127.0.0.1');
  far.on('error', () => undefined);
  sockets.push(far, await near);
  return [far, await near];
}

function heard(socket: Socket): Promise<Buffer> {
  return new Promise((resolve) => socket.once('data', resolve));
}
