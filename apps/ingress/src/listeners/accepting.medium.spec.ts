import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Acceptors, ACCEPTS_PER_TURN } from './accepting';

/** Connects so many times, stays, and says when the kernel has all of them in its queue. */
const CROWD = `const [port, count, file] = process.argv.slice(1);
  const { connect } = require('node:net');
  const come = () => new Promise((done) => connect(Number(port), '127.0.0.1', done).on('error', () => undefined));
  Promise.all(Array.from({ length: Number(count) }, come)).then(() => require('node:fs').writeFileSync(file, ''));`;
const TURN_MS = 20;

describe('a listener in a process whose turns are long', () => {
  let server: Server;
  let acceptors: Acceptors;
  let crowd: ChildProcess | undefined;
  let turn: number;
  let taken: number[];
  let sockets: Socket[];
  let failures: Error[];
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-crowd-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  beforeEach(async () => {
    [turn, taken, sockets, failures] = [0, [], [], []];
    server = createServer((socket) => {
      acceptors.taken();
      sockets.push(socket);
      taken[turn] = (taken[turn] ?? 0) + 1;
    });
    acceptors = new Acceptors(server, { allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterEach(async () => {
    crowd?.kill();
    for (const socket of sockets) socket.destroy();
    acceptors.close();
    server.close();
  });

  /** Turns of the loop, each busy for a while, until so many have come in. */
  async function busyUntil(count: number, each: () => void = () => undefined): Promise<void> {
    const deadline = performance.now() + 20_000;
    while (sockets.length < count && performance.now() < deadline) {
      const end = performance.now() + TURN_MS;
      while (performance.now() < end);
      each();
      turn++;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  async function prepared(): Promise<void> {
    const end = performance.now() + 20_000;
    while (acceptors.inReserve < ACCEPTS_PER_TURN - 1 && performance.now() < end) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Nothing of this process runs until everybody is there. */
  function gather(count: number): void {
    const { port } = server.address() as AddressInfo;
    const file = join(folder, `crowd-${count}-${sockets.length}`);
    crowd?.kill();
    crowd = spawn(process.execPath, ['-e', CROWD, String(port), String(count), file], { stdio: 'ignore' });
    const asleep = new Int32Array(new SharedArrayBuffer(4));
    for (const end = performance.now() + 20_000; !existsSync(file) && performance.now() < end;) {
      Atomics.wait(asleep, 0, 0, 5);
    }
  }

  /** Of those turns in which any came in. */
  const perTurn = () => taken.filter((count) => count > 0);

  it('lets in as many a turn as it has descriptors once it is a crowd, where Node would let in one', async () => {
    await acceptors.prepare(16);
    gather(200);
    await busyUntil(200);
    expect(sockets.length).toBe(200);
    expect(Math.max(...perTurn())).toBe(16);
    expect(perTurn().length).toBeLessThan(25);
  });

  it('knows how long there have been more than a turn could take, and that there are no more', async () => {
    await acceptors.prepare(4);
    expect(acceptors.crowdedMs).toBe(0);
    gather(80);
    let longest = 0;
    await busyUntil(80, () => (longest = Math.max(longest, acceptors.crowdedMs)));
    expect(longest).toBeGreaterThan(10 * TURN_MS);
    for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
    expect(acceptors.crowdedMs).toBe(0);
  });

  it('calls nothing a crowd while it has one descriptor, of which each connection looks like one of many', async () => {
    gather(20);
    let longest = 0;
    await busyUntil(20, () => (longest = Math.max(longest, acceptors.crowdedMs)));
    expect(Math.max(...perTurn())).toBe(1);
    expect(longest).toBe(0);
  });

  it('takes no connection on any descriptor once it is closed', async () => {
    await acceptors.prepare(4);
    gather(40);
    await busyUntil(40);
    const { port } = server.address() as AddressInfo;
    acceptors.close();
    server.close();
    const outcome = new Promise((resolve) => connect(port, '127.0.0.1').on('connect', resolve).on('error', resolve));
    expect(await outcome).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('is ready for the next crowd when the first is gone', async () => {
    jest.useFakeTimers({ now: Date.now(), doNotFake: ['setImmediate', 'nextTick', 'performance', 'hrtime'] });
    try {
      acceptors.prepareLater((error) => failures.push(error));
      jest.advanceTimersByTime(2_000);
      for (const come of [150, 300]) {
        await prepared();
        taken = [];
        gather(150);
        await busyUntil(come);
        expect(sockets.length).toBe(come);
        expect(Math.max(...perTurn())).toBeGreaterThan(16);
        // Once to see that nobody comes any more, and once to be sure.
        jest.advanceTimersByTime(20_000);
      }
      expect(failures).toEqual([]);
    } finally {
      jest.useRealTimers();
    }
  });

  it('says so when it gets no further descriptors', async () => {
    const ended = new Acceptors(createServer(), { allowHalfOpen: true });
    await expect(ended.prepare(4)).rejects.toThrow('3 of 3 descriptors are missing');
  });
});
