import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { HEADROOM, MessageConnection, PREFACE, type ConnectionEars } from './message-connection';

const MAX = 4 * 1024 * 1024;

/** One end, with everything it heard. */
class End implements ConnectionEars {
  readonly heard: string[] = [];
  readonly messages: Buffer[] = [];
  onMessage: () => void = () => {};
  ready(): void {
    this.heard.push('ready');
  }
  opened(path: string): void {
    this.heard.push(`opened ${path}`.trim());
  }
  message(bytes: Buffer): void {
    this.messages.push(Buffer.from(bytes));
    this.onMessage();
  }
  drain(): void {
    this.heard.push('drain');
  }
  leaving(): void {
    this.heard.push('leaving');
  }
  ended(): void {
    this.heard.push('ended');
  }
  lost(detail: string): void {
    this.heard.push(`lost: ${detail}`);
  }
}

const roomy = (bytes: Buffer): Buffer => Buffer.concat([Buffer.alloc(HEADROOM), bytes]);
const frame = (type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer => {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
};
const SETTINGS = frame(4, 0, 0);
const EMPTY = frame(0, 0, 1, Buffer.alloc(5));
const pings = (count: number): Buffer[] => Array<Buffer>(count).fill(frame(6, 0, 0, Buffer.from('12345678')));
const windowUpdate = (stream: number, more: number): Buffer => {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(more);
  return frame(8, 0, stream, payload);
};
const OPENED = frame(1, 4, 1, Buffer.from([0x88]));

async function until(condition: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !condition();) {
    if (Date.now() > end) throw new Error('the condition did not come true within 10 s');
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** An end whose peer takes nothing of what is written. */
function deaf(role: 'client' | 'server') {
  const end = new End();
  const socket = { on: () => socket, write: jest.fn(() => true), destroy: () => socket };
  return { end, socket, connection: new MessageConnection(socket as unknown as Socket, role, end, MAX) };
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** From now on timers run when the test says so; sockets go on. */
function holdClocks(): void {
  jest.useFakeTimers({ doNotFake: ['Date', 'nextTick', 'performance', 'queueMicrotask', 'setImmediate'] });
}

describe('a connection of one stream', () => {
  let folder: string;
  let path: string;
  let server: Server;
  let sockets: Socket[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sp-'));
    path = join(folder, 's');
    sockets = [];
  });
  afterEach(async () => {
    jest.useRealTimers();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  });

  /** Both ends of one connection, and the server's socket. */
  async function pair() {
    const taken = new Promise<Socket>((resolve) => (server = createServer(resolve).listen(path)));
    await new Promise((resolve) => server.once('listening', resolve));
    const near = connect(path);
    const far = await taken;
    sockets.push(near, far);
    return { near, far };
  }

  function client(socket: Socket) {
    const end = new End();
    const connection = new MessageConnection(socket, 'client', end, MAX);
    socket.on('data', (chunk: Buffer) => connection.received(chunk));
    connection.begin('/a.Service/Decide', 'test');
    return { end, connection };
  }

  async function both() {
    const { near, far } = await pair();
    const end = new End();
    const serving = new MessageConnection(far, 'server', end, MAX);
    let prefaced = false;
    far.on('data', (chunk: Buffer) => {
      serving.received(prefaced ? chunk : chunk.subarray(PREFACE.length));
      prefaced = true;
    });
    serving.welcome();
    const asking = client(near);
    await until(() => end.heard.includes('opened /a.Service/Decide') && asking.end.heard.includes('ready'));
    serving.accept();
    return { asking, serving: { end, connection: serving }, near, far };
  }

  /** A client whose peer is this test, which says what it likes. */
  async function against(...said: Buffer[]) {
    const { near, far } = await pair();
    far.on('error', () => {}).resume();
    const { end, connection } = client(near);
    for (const bytes of said) far.write(bytes);
    return { end, connection, near, far };
  }

  it('carries messages of any size in both directions, whole and in order', async () => {
    const { asking, serving } = await both();
    const sizes = [0, 1, 11, 16_379, 16_380, 70_000, 300_000, 2_500_000, 5, 0];
    const messages = sizes.map((size, index) => Buffer.alloc(size, index + 1));
    for (const message of messages) asking.connection.send(roomy(message));
    for (const message of messages) serving.connection.send(roomy(message));
    await until(() => serving.end.messages.length === sizes.length && asking.end.messages.length === sizes.length);
    for (const { end } of [asking, serving])
      expect(end.messages.every((message, index) => message.equals(messages[index]!))).toBe(true);
  });

  it('reads what comes byte by byte', async () => {
    const { end, far } = await against();
    const bytes = Buffer.concat([
      SETTINGS,
      OPENED,
      frame(0, 0, 1, Buffer.from([0, 0, 0, 0, 2, 7, 8, 0, 0, 0, 0, 1, 9])),
    ]);
    for (const byte of bytes) {
      far.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => end.messages.length === 2);
    expect(end.messages.map((message) => [...message])).toEqual([[7, 8], [9]]);
  });

  it.each([
    ['a frame byte by byte', (bytes: Buffer) => frame(0, 0, 1, bytes), 1],
    [
      'a message in frames of one byte',
      (bytes: Buffer) => Buffer.concat([...bytes].map((byte) => frame(0, 0, 1, Buffer.from([byte])))),
      4_096,
    ],
  ])('moves each byte of %s a few times at most', async (_, framed, piece) => {
    const { near } = await pair();
    const { end, connection } = client(near);
    const message = Buffer.alloc(100_000, 5);
    const prefix = Buffer.from([0, 0, 0, 0, 0]);
    prefix.writeUInt32BE(message.length, 1);
    const bytes = framed(Buffer.concat([prefix, message]));
    connection.received(Buffer.concat([SETTINGS, OPENED]));
    const joined = jest.spyOn(Buffer, 'concat');
    const copies = jest.spyOn(Buffer.prototype, 'copy');
    for (let at = 0; at < bytes.length; at += piece) connection.received(bytes.subarray(at, at + piece));
    const moved = copies.mock.results.reduce((sum, { value }) => sum + Number(value), 0);
    copies.mockRestore();
    expect(joined).not.toHaveBeenCalled();
    joined.mockRestore();
    expect(moved).toBeLessThan(3 * bytes.length);
    expect(end.messages).toEqual([message]);
  });

  it('sends no more than the windows of the peer, and goes on when they grow', async () => {
    const { near, far } = await pair();
    let received = 0;
    far.on('data', (chunk: Buffer) => (received += chunk.length));
    const { end, connection } = client(near);
    far.write(SETTINGS);
    await until(() => end.heard.includes('ready'));
    const before = received;
    expect(connection.send(roomy(Buffer.alloc(200_000)))).toBe(false);
    await until(() => received - before >= 65_535);
    await new Promise((resolve) => setTimeout(resolve, 30));
    // The payload of the window, the headers of its frames, and the acknowledgement of the settings.
    expect(received - before).toBeLessThan(65_535 + 100);
    far.write(Buffer.concat([windowUpdate(0, 200_000), windowUpdate(1, 200_000)]));
    await until(() => received - before > 200_000 && end.heard.includes('drain'));
  });

  it('lets the peer send on and on, since it is told what was read', async () => {
    const { asking, serving } = await both();
    const message = Buffer.alloc(1_000_000, 3);
    let sent = 0;
    serving.end.onMessage = () => {
      serving.end.messages.length = 0;
      if (++sent < 20) asking.connection.send(roomy(message));
    };
    asking.connection.send(roomy(message));
    await until(() => sent === 20);
  });

  it('ends politely: what was sent arrives, then the end', async () => {
    const { asking, serving } = await both();
    asking.connection.send(roomy(Buffer.from('last')));
    asking.connection.end();
    await until(() => serving.end.heard.includes('ended'));
    expect(serving.end.messages.map(String)).toEqual(['last']);
    serving.connection.end();
    await until(() => asking.end.heard.some((word) => word.startsWith('lost')));
  });

  it('hears that the peer asks for an end, and still gets its answers', async () => {
    const { asking, serving } = await both();
    serving.connection.goAway();
    serving.connection.send(roomy(Buffer.from('an answer')));
    await until(() => asking.end.messages.length === 1);
    expect(asking.end.heard).toContain('leaving');
    expect(asking.end.messages.map(String)).toEqual(['an answer']);
  });

  it('holds messages back while it is paused, no more than its window, and then hands them out before the end', async () => {
    holdClocks();
    const { asking, serving, far } = await both();
    serving.connection.pause();
    const messages = Array.from({ length: 8 }, (_, index) => Buffer.alloc(1_000_000, index));
    const took = messages.map((message) => asking.connection.send(roomy(message)));
    expect(took.at(-1)).toBe(false);
    asking.connection.end();
    await until(() => far.bytesRead > 4_000_000);
    // Each end asks twice for a sign of life meanwhile.
    for (let look = 0; look < 10; look++) {
      jest.advanceTimersByTime(5_000);
      await turns(50);
    }
    expect(serving.end.messages).toEqual([]);
    expect(far.bytesRead).toBeLessThan(4.1 * 1024 * 1024 + 1_000);
    expect([...asking.end.heard, ...serving.end.heard].join()).not.toMatch(/lost|ended/);

    serving.end.onMessage = () => serving.connection.pause();
    await until(() => {
      serving.connection.resume();
      return serving.end.heard.includes('ended');
    });
    expect(serving.end.messages).toHaveLength(messages.length);
    expect(serving.end.messages.every((message, index) => message.equals(messages[index]!))).toBe(true);
    serving.connection.resume();
    expect(serving.end.heard.filter((word) => word === 'ended')).toHaveLength(1);
  });

  it('closes its socket when the peer is lost before it took what comes before the end', async () => {
    holdClocks();
    const { end, connection, near } = await against(SETTINGS);
    await until(() => end.heard.includes('ready'));
    connection.send(roomy(Buffer.alloc(200_000)));
    connection.end();
    jest.advanceTimersByTime(26_000);
    expect(end.heard).toContain('lost: no sign of life');
    expect(near.destroyed).toBe(true);
  });

  it('answers a ping', async () => {
    const { near, far } = await pair();
    const seen: Buffer[] = [];
    far.on('data', (chunk: Buffer) => seen.push(chunk));
    client(near);
    far.write(Buffer.concat([SETTINGS, frame(6, 0, 0, Buffer.from('12345678'))]));
    await until(() => Buffer.concat(seen).includes(frame(6, 1, 0, Buffer.from('12345678'))));
  });

  it('gives up a peer that sends frame after frame, whatever messages it sends between', async () => {
    const { end, far } = await against(SETTINGS, OPENED);
    for (let round = 0; round < 4; round++) far.write(Buffer.concat([...pings(400), EMPTY]));
    await until(() => end.heard.includes('lost: too many frames without a message'));
    expect(end.messages.length).toBeLessThan(3);
  });

  it('bears with a peer that pings often and reads, and with one that updates both windows for each frame', async () => {
    holdClocks();
    const { end, connection, near, far } = await against(SETTINGS, OPENED);
    for (let look = 0; look < 3; look++) {
      far.write(Buffer.concat([...pings(900), EMPTY]));
      await until(() => end.messages.length > look && near.writableLength === 0);
      jest.advanceTimersByTime(5_000);
    }
    const grown = Buffer.concat([windowUpdate(0, 10), windowUpdate(1, 10)]);
    for (let count = 0; count < 2_000; count++) connection.send(roomy(Buffer.alloc(5)));
    far.write(Buffer.concat([...Array<Buffer>(2_000).fill(grown), EMPTY]));
    await until(() => end.messages.length === 4);
    expect(end.heard).toEqual(['ready', 'opened']);
  });

  it('takes no answer for a sign of life that does not say what the ping said', async () => {
    holdClocks();
    const { end, far } = await against(SETTINGS, OPENED);
    await until(() => end.heard.includes('opened'));
    for (let look = 0; look < 5; look++) {
      jest.advanceTimersByTime(5_000);
      far.write(Buffer.concat([frame(6, 1, 0, Buffer.alloc(8)), EMPTY]));
      await turns(50);
    }
    expect(end.heard.at(-1)).toBe('lost: no sign of life');
  });

  it('does not cut what it holds back into frames for a peer that reads none', async () => {
    const { end, connection, near, far } = await against(SETTINGS, OPENED);
    await until(() => end.heard.includes('opened'));
    far.pause();
    connection.send(roomy(Buffer.alloc(500_000)));
    const dribble = Buffer.concat(Array<Buffer>(500).fill(Buffer.concat([windowUpdate(0, 1), windowUpdate(1, 1)])));
    for (let count = 0; count < 100; count++) connection.received(dribble);
    expect(near.writableLength).toBeLessThan(100_000);
  });

  it.each<[string, Buffer[]]>([
    ['begins without SETTINGS', [frame(6, 0, 0, Buffer.alloc(8))]],
    ['sends a frame larger than agreed', [SETTINGS, Buffer.from([0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1])]],
    ['sends data before it has taken the stream', [SETTINGS, frame(0, 0, 1, Buffer.alloc(6))]],
    ['sends data of another stream', [SETTINGS, OPENED, frame(0, 0, 3, Buffer.alloc(6))]],
    ['pads beyond the frame', [SETTINGS, OPENED, frame(0, 8, 1, Buffer.from([9, 1]))]],
    ['says that a message is compressed', [SETTINGS, OPENED, frame(0, 0, 1, Buffer.from([1, 0, 0, 0, 0]))]],
    ['announces a message beyond the limit', [SETTINGS, OPENED, frame(0, 0, 1, Buffer.from([0, 0xff, 0, 0, 0]))]],
    ['grows a window by nothing', [SETTINGS, frame(8, 0, 1, Buffer.alloc(4))]],
    ['overflows a window', [SETTINGS, frame(8, 0, 1, Buffer.from([0x7f, 0xff, 0xff, 0xff]))]],
    ['answers with another status', [SETTINGS, frame(1, 4, 1, Buffer.from([0x8d]))]],
    ['ends the stream in its headers', [SETTINGS, frame(1, 5, 1, Buffer.from([0x88]))]],
    ['pushes', [SETTINGS, frame(5, 4, 1, Buffer.alloc(4))]],
    ['resets the stream', [SETTINGS, OPENED, frame(3, 0, 1, Buffer.alloc(4))]],
    ['floods with settings', [SETTINGS, ...Array.from({ length: 1_001 }, () => SETTINGS)]],
    ['sends SETTINGS of an odd length', [frame(4, 0, 0, Buffer.alloc(5))]],
  ])('is given up when the peer %s', async (_, said) => {
    const { end } = await against(...said);
    await until(() => end.heard.some((word) => word.startsWith('lost')));
    expect(end.messages).toEqual([]);
    expect(end.heard.filter((word) => word.startsWith('lost'))).toHaveLength(1);
  });

  it('ignores frames it does not know', async () => {
    const { end } = await against(
      SETTINGS,
      frame(0x99, 0, 0, Buffer.alloc(3)),
      OPENED,
      frame(0, 0, 1, Buffer.from([0, 0, 0, 0, 0])),
    );
    await until(() => end.messages.length === 1);
  });
});

describe('a connection whose peer takes nothing', () => {
  afterEach(() => jest.useRealTimers());

  it('gives up a peer that does not read the answers to its frames, however it spreads these', async () => {
    holdClocks();
    const { end, connection, socket } = deaf('client');
    connection.received(Buffer.concat([SETTINGS, OPENED]));
    for (let look = 0; look < 2; look++) {
      connection.received(Buffer.concat([...pings(600), EMPTY]));
      jest.advanceTimersByTime(5_000);
    }
    expect(end.heard.at(-1)).toBe('lost: the peer does not read the answers to its frames');
    expect(socket.write.mock.calls.length).toBeLessThan(1_010);
  });

  it('survives whatever bytes come: it reads them, or is lost once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }), async (chunks) => {
        const { end, connection } = deaf('server');
        for (const chunk of [SETTINGS, ...chunks]) connection.received(Buffer.from(chunk));
        connection.destroy();
        expect(end.heard.filter((word) => word.startsWith('lost'))).toHaveLength(1);
      }),
    );
  });
});
