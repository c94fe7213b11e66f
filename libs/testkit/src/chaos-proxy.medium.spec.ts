import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { ChaosProxy } from './chaos-proxy';
import { freePort } from './free-ports';

/** Answers every piece with the same bytes and its own name. */
async function startEcho(name = ''): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => socket.write(Buffer.concat([Buffer.from(name), bytes])));
    socket.once('end', () => socket.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** Resolves with so many bytes, or with what had come when the connection ended. */
function receive(socket: Socket, count: number): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const done = (): void => resolve(text);
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1');
      if (text.length >= count) done();
    });
    socket.once('close', done);
  });
}

/** Resolves when the connection is gone, whether or not that was an error. */
function closing(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.resume().once('close', () => resolve()));
}

describe('ChaosProxy', () => {
  let servers: Server[];
  let proxy: ChaosProxy;
  let sockets: Socket[];

  const start = async (targets: number[], chance?: () => number): Promise<void> => {
    proxy = await ChaosProxy.start({ targets, chance });
  };
  const knock = (): Socket => {
    const socket = connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
    sockets.push(socket.on('error', () => undefined));
    return socket;
  };
  const dial = async (): Promise<Socket> => {
    const socket = knock();
    await once(socket, 'connect');
    return socket;
  };
  /** Milliseconds that one exchange takes. */
  const exchange = async (socket: Socket, text: string): Promise<number> => {
    const begun = performance.now();
    const answer = receive(socket, text.length);
    socket.write(text);
    expect(await answer).toBe(text);
    return performance.now() - begun;
  };

  beforeEach(async () => {
    sockets = [];
    servers = [await startEcho()];
    await start([portOf(servers[0]!)]);
  });
  afterEach(async () => {
    sockets.forEach((socket) => socket.destroy());
    await proxy.close();
    servers.forEach((server) => server.close());
  });

  it('passes bytes on as they are, in both directions, and ends when an end ends', async () => {
    const socket = await dial();
    const bytes = 'x'.repeat(3 * 1024 * 1024);
    await exchange(socket, bytes);
    const closed = once(socket, 'close');
    socket.resume().end();
    await closed;
  });

  it('is late by the latency each way, and in order whatever the jitter', async () => {
    const luck = [0.9, 0, 0, 0, 0, 0];
    await proxy.close();
    await start([portOf(servers[0]!)], () => luck.shift() ?? 0);
    proxy.set({ latencyMs: 60, jitterMs: 100 });
    const socket = await dial();
    const answer = receive(socket, 2);
    const begun = performance.now();
    socket.write('a');
    await new Promise((resolve) => setTimeout(resolve, 10));
    socket.write('b');
    expect(await answer).toBe('ab');
    expect(performance.now() - begun).toBeGreaterThan(60 + 90 + 60 - 2);
  });

  it('lets go what it has held when it is healed', async () => {
    proxy.set({ latencyMs: 25_000 });
    const socket = await dial();
    const answer = receive(socket, 5);
    socket.write('hello');
    await new Promise((resolve) => setTimeout(resolve, 50));
    proxy.heal();
    expect(await answer).toBe('hello');
  });

  it('lets no more through than the bandwidth', async () => {
    proxy.set({ bytesPerSecond: 100_000 });
    const socket = await dial();
    const begun = performance.now();
    for (let piece = 0; piece < 3; piece++) {
      const answer = receive(socket, 10_000);
      socket.write('x'.repeat(10_000));
      await answer;
      socket.removeAllListeners('data');
    }
    expect(performance.now() - begun).toBeGreaterThan(190);
  });

  it('takes connections and passes nothing on as a black hole, until it is healed', async () => {
    proxy.set({ mode: 'black-hole' });
    const socket = await dial();
    let came = false;
    const answer = receive(socket, 5).then((text) => {
      came = true;
      return text;
    });
    socket.write('hello');
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(came).toBe(false);
    proxy.heal();
    expect(await answer).toBe('hello');
  });

  it('resets what is open, and refuses what comes while it is told to', async () => {
    const socket = await dial();
    await exchange(socket, 'hello');
    const reset = closing(socket);
    proxy.set({ mode: 'refuse' });
    await reset;
    await closing(knock());
    proxy.heal();
    await exchange(await dial(), 'again');
  });

  it('half-closes: the client sees the end and may still send', async () => {
    const socket = await dial();
    await exchange(socket, 'hello');
    const ended = once(socket, 'end');
    proxy.halfClose();
    await ended;
    expect(socket.writable).toBe(true);
  });

  it('cuts a connection after so many bytes of the answer', async () => {
    proxy.set({ cutAfterBytes: 1_500 });
    const socket = await dial();
    const answer = receive(socket, 10_000);
    for (let piece = 0; piece < 4; piece++) {
      socket.write('x'.repeat(1_000));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect((await answer).length).toBe(1_500);
  });

  it('takes its targets in turn, and another where one is gone', async () => {
    servers.push(await startEcho('b'));
    await proxy.close();
    await start([portOf(servers[0]!), portOf(servers[1]!), await freePort()]);
    const answers: string[] = [];
    for (let count = 0; count < 6; count++) {
      const socket = await dial();
      const answer = receive(socket, 1);
      socket.write('!');
      answers.push(await answer);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(new Set(answers)).toEqual(new Set(['!', 'b!']));
    expect(answers).toHaveLength(6);
  });

  it('resets a client when no target takes the connection', async () => {
    await proxy.close();
    await start([await freePort()]);
    await closing(knock());
    expect(proxy.open).toBe(0);
  });

  it('obeys over HTTP', async () => {
    const control = await proxy.openControl();
    const tell = (method: string, path: string, body?: unknown) =>
      fetch(control + path, { method, ...(body !== undefined && { body: JSON.stringify(body) }) });
    await tell('PUT', '/', { latencyMs: 30 });
    const socket = await dial();
    expect(await exchange(socket, 'hello')).toBeGreaterThan(58);
    expect(await (await tell('GET', '/')).json()).toMatchObject({ latencyMs: 30, mode: 'pass', open: 1, taken: 1 });
    await tell('POST', '/heal');
    expect(await (await tell('GET', '/')).json()).toMatchObject({ latencyMs: 0 });
    const ended = once(socket, 'end');
    await tell('POST', '/half-close');
    await ended;
    await tell('POST', '/reset');
    expect(proxy.open).toBe(0);
    expect((await tell('GET', '/elsewhere')).status).toBe(404);
    expect((await tell('PUT', '/', undefined)).status).toBe(400);
  });
});
