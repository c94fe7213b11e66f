import { createServer as createHttpServer, type IncomingMessage, type Server as HttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What happens to the bytes of every connection, those that are open included. */
export interface ChaosRules {
  /** Milliseconds each piece of data is late, in either direction. */
  readonly latencyMs: number;
  /** Milliseconds more, up to this many, drawn anew for each piece. The order stays. */
  readonly jitterMs: number;
  /** Bytes a second in each direction; 0: as fast as it goes. */
  readonly bytesPerSecond: number;
  /** `black-hole` takes connections and passes nothing on; `refuse` resets every connection, new ones at once. */
  readonly mode: 'pass' | 'black-hole' | 'refuse';
  /** Resets a connection when so many bytes have come back from the server; 0: never. */
  readonly cutAfterBytes: number;
}

const HARMLESS: ChaosRules = { latencyMs: 0, jitterMs: 0, bytesPerSecond: 0, mode: 'pass', cutAfterBytes: 0 };

/** Bytes held in one direction of one connection before its sender is made to wait. */
const HELD_BYTES = 1024 * 1024;

export interface ChaosProxyOptions {
  /** Ports on loopback. A connection goes to the next in turn, or to another where that one does not take it. */
  readonly targets: readonly number[];
  /** Port to listen on; 0 or absent: any. */
  readonly port?: number;
  /** From 0 up to 1: the jitter. */
  readonly chance?: () => number;
}

/** A TCP proxy on loopback that does to a connection what networks do. Controlled by these members, or over HTTP. */
export class ChaosProxy {
  private rules = HARMLESS;
  private readonly links = new Set<Link>();
  private readonly server: Server;
  private control: HttpServer | undefined;
  private turn = 0;
  /** Connections taken since the start. */
  taken = 0;

  private constructor(
    private readonly targets: readonly number[],
    private readonly chance: () => number,
  ) {
    this.server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => this.take(client));
  }

  /** @throws when the port is taken. */
  static async start({ targets, port = 0, chance = Math.random }: ChaosProxyOptions): Promise<ChaosProxy> {
    const proxy = new ChaosProxy(targets, chance);
    await listening(proxy.server, port);
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Connections that are open. */
  get open(): number {
    return this.links.size;
  }

  /** Changes the rules that are given; the others stay. */
  set(rules: Partial<ChaosRules>): void {
    this.rules = { ...this.rules, ...rules };
    if (this.rules.mode === 'refuse') return this.reset();
    for (const link of this.links) link.apply(this.rules);
  }

  /** Back to a good network; what was held goes out. */
  heal(): void {
    this.set(HARMLESS);
  }

  /** Resets every open connection, towards both ends. */
  reset(): void {
    for (const link of [...this.links]) link.reset();
    this.links.clear();
  }

  /** Ends the direction towards the client of every open connection, and leaves the other one open. */
  halfClose(): void {
    for (const link of this.links) link.halfClose();
  }

  /**
   * Opens the control door: `GET /` tells the rules, `PUT /` changes them, `POST /heal`, `/reset` and `/half-close` act.
   * @returns its URL.
   */
  async openControl(): Promise<string> {
    this.control = createHttpServer((request, response) => {
      void this.obey(request).then(
        (status) =>
          response.writeHead(status).end(JSON.stringify({ ...this.rules, open: this.open, taken: this.taken })),
        () => response.writeHead(400).end(),
      );
    });
    await listening(this.control, 0);
    return `http://127.0.0.1:${(this.control.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.control?.closeAllConnections();
    this.control?.close();
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.reset();
    await closed;
  }

  private async obey(request: IncomingMessage): Promise<number> {
    let text = '';
    for await (const piece of request.setEncoding('utf8')) text += piece as string;
    switch (`${request.method} ${request.url}`) {
      case 'GET /':
        return 200;
      case 'PUT /':
        this.set(JSON.parse(text) as Partial<ChaosRules>);
        return 200;
      case 'POST /heal':
        this.heal();
        return 200;
      case 'POST /reset':
        this.reset();
        return 200;
      case 'POST /half-close':
        this.halfClose();
        return 200;
      default:
        return 404;
    }
  }

  private take(client: Socket): void {
    this.taken++;
    client.on('error', () => undefined);
    if (this.rules.mode === 'refuse') return void client.resetAndDestroy();
    const first = this.turn++;
    this.dial(client, first, first);
  }

  private dial(client: Socket, first: number, attempt: number): void {
    if (client.destroyed) return;
    if (attempt >= first + this.targets.length) return void client.resetAndDestroy();
    const port = this.targets[attempt % this.targets.length]!;
    const server = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const next = (): void => this.dial(client, first, attempt + 1);
    server.once('error', next);
    server.once('connect', () => {
      server.off('error', next);
      const link = new Link(client, server, this.rules, this.chance, () => this.links.delete(link));
      this.links.add(link);
    });
  }
}

/** One connection: two directions that end together when either side is broken. */
class Link {
  private readonly up: Direction;
  private readonly down: Direction;

  constructor(
    private readonly client: Socket,
    private readonly server: Socket,
    rules: ChaosRules,
    chance: () => number,
    ended: () => void,
  ) {
    this.up = new Direction(client, server, rules, chance, false);
    this.down = new Direction(server, client, rules, chance, true);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => other.resetAndDestroy());
      one.once('close', () => {
        other.destroy();
        this.up.stop();
        this.down.stop();
        ended();
      });
      one.setNoDelay(true);
    }
  }

  apply(rules: ChaosRules): void {
    this.up.apply(rules);
    this.down.apply(rules);
  }

  reset(): void {
    this.client.resetAndDestroy();
    this.server.resetAndDestroy();
  }

  halfClose(): void {
    this.client.end();
  }
}

/** The bytes from one end to the other, in order, each when its time has come. */
class Direction {
  private readonly pieces: { readonly bytes: Buffer; readonly came: number; readonly luck: number }[] = [];
  private held = 0;
  private passed = 0;
  private freeAt = 0;
  private ended = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly from: Socket,
    private readonly to: Socket,
    private rules: ChaosRules,
    chance: () => number,
    private readonly counts: boolean,
  ) {
    from.on('data', (bytes: Buffer) => {
      this.pieces.push({ bytes, came: performance.now(), luck: chance() });
      this.held += bytes.length;
      if (this.held > HELD_BYTES) from.pause();
      this.pump();
    });
    from.once('end', () => {
      this.ended = true;
      this.pump();
    });
    to.on('drain', () => this.pump());
    from.resume();
  }

  apply(rules: ChaosRules): void {
    this.rules = rules;
    this.pump();
  }

  stop(): void {
    clearTimeout(this.timer);
    this.pieces.length = 0;
  }

  private readonly pump = (): void => {
    clearTimeout(this.timer);
    if (this.rules.mode === 'black-hole') return;
    while (this.pieces.length > 0 && !this.to.writableNeedDrain) {
      const wait = this.dueAt() - performance.now();
      if (wait > 0) {
        this.timer = setTimeout(this.pump, wait);
        return;
      }
      if (!this.pass(this.pieces.shift()!.bytes)) return;
    }
    if (this.ended && this.pieces.length === 0 && !this.to.writableEnded) this.to.end();
  };

  private dueAt(): number {
    const { came, luck } = this.pieces[0]!;
    const { latencyMs, jitterMs, bytesPerSecond } = this.rules;
    const late = came + latencyMs + luck * jitterMs;
    return bytesPerSecond > 0 ? Math.max(late, this.freeAt) : late;
  }

  /** @returns false when that was the end of the connection. */
  private pass(bytes: Buffer): boolean {
    const { bytesPerSecond, cutAfterBytes } = this.rules;
    this.held -= bytes.length;
    this.passed += bytes.length;
    if (bytesPerSecond > 0) this.freeAt = performance.now() + (bytes.length / bytesPerSecond) * 1000;
    const over = this.counts && cutAfterBytes > 0 ? this.passed - cutAfterBytes : -1;
    if (over < 0) {
      this.to.write(bytes);
      if (this.held <= HELD_BYTES && this.from.isPaused()) this.from.resume();
      return true;
    }
    // A reset discards what still lies in the send buffer: the bytes that are allowed are flushed before.
    this.to.write(bytes.subarray(0, bytes.length - over), () => {
      this.to.resetAndDestroy();
      this.from.resetAndDestroy();
    });
    return false;
  }
}

function listening(server: Server | HttpServer, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
}
