import { createServer, type Server, type Socket } from 'node:net';
import { duplicate, type Handle } from './descriptors';

/** How many connections may wait to be taken; a kernel whose own bound is lower takes that (`net.core.somaxconn`). */
export const BACKLOG = 4_096;
/** How many connections a turn of the loop may take when there is a crowd. */
export const ACCEPTS_PER_TURN = 64;
/** A start has better things to do than to get ready for a crowd. */
const PREPARE_AFTER_MS = 2_000;
/** So long each turn has taken as many as it could before that is called a crowd. */
const CROWD_MS = 20;
/** So long no turn has taken more than one before the crowd is gone. */
const DISPERSED_MS = 10_000;

/**
 * What takes connections when there is a crowd. libuv takes one for each descriptor and turn of the loop: a process whose turns are
 * 100 ms long lets in ten a second, and everybody else waits for seconds before a byte of theirs is read. So there are further
 * descriptors of the listening socket, each with a server of its own that hands its connections to the first. They listen only while
 * there is a crowd, because each is looked at for every connection, 1.3 µs each in a process that does nothing else.
 */
export class Acceptors {
  private reserve: Handle[] = [];
  private servers: Server[] = [];
  private isClosed = false;
  private preparing: NodeJS.Timeout | undefined;
  private dispersing: NodeJS.Timeout | undefined;
  private takenThisTurn = 0;
  private readonly turnEnd = (): void => this.endTurn();
  /** Milliseconds of a clock that never goes back. */
  private fullSince: number | undefined;
  private isCrowd = false;

  constructor(
    private readonly server: Server,
    private readonly options: { readonly allowHalfOpen: boolean },
  ) {}

  /** Whoever is taken now has waited for no longer than this, milliseconds: what is not taken has no other clock. */
  get crowdedMs(): number {
    // Of a single descriptor every connection looks like one of many.
    return this.fullSince === undefined || this.servers.length === 0 ? 0 : performance.now() - this.fullSince;
  }

  /** Descriptors that are there for the next crowd. */
  get inReserve(): number {
    return this.reserve.length;
  }

  /**
   * Gets what a crowd will need.
   * @throws Error when not all descriptors can be had; those that could are used.
   */
  async prepare(acceptsPerTurn = ACCEPTS_PER_TURN): Promise<void> {
    await duplicate(this.server, acceptsPerTurn - 1, (handle) => {
      if (this.isClosed) handle.close();
      else this.reserve.push(handle);
    });
  }

  /** The same in a while. @param onFailure told why there is less than wanted. */
  prepareLater(onFailure: (error: Error) => void): void {
    const prepare = (): void => void this.prepare().catch((error: Error) => this.isClosed || onFailure(error));
    this.preparing = setTimeout(prepare, PREPARE_AFTER_MS).unref();
    this.dispersing = setInterval(() => this.disperse(prepare), DISPERSED_MS).unref();
  }

  /** Notes a connection that was taken. */
  taken(): void {
    if (this.takenThisTurn++ === 0) setImmediate(this.turnEnd);
  }

  private endTurn(): void {
    const isFull = this.takenThisTurn > this.servers.length;
    if (this.takenThisTurn > 1) this.isCrowd = true;
    this.takenThisTurn = 0;
    if (!isFull) {
      this.fullSince = undefined;
      return;
    }
    const now = performance.now();
    this.fullSince ??= now;
    if (now - this.fullSince >= CROWD_MS && this.reserve.length > 0) this.open();
    // Nobody may come any more.
    setImmediate(() => this.takenThisTurn === 0 && (this.fullSince = undefined));
  }

  private open(): void {
    this.isCrowd = true;
    for (const handle of this.reserve.splice(0)) {
      const server = createServer({ ...this.options, noDelay: true });
      server.on('connection', (socket: Socket) => this.server.emit('connection', socket));
      server.on('error', () => undefined);
      server.listen(handle, BACKLOG);
      this.servers.push(server);
    }
  }

  /** What has listened cannot stop without being closed: the next crowd needs new ones. */
  private disperse(prepare: () => void): void {
    if (this.servers.length > 0 && !this.isCrowd) {
      for (const server of this.servers.splice(0)) server.close();
      prepare();
    }
    this.isCrowd = false;
  }

  /** Takes no more. */
  close(): void {
    this.isClosed = true;
    clearTimeout(this.preparing);
    clearInterval(this.dispersing);
    for (const handle of this.reserve.splice(0)) handle.close();
    for (const server of this.servers.splice(0)) server.close();
  }
}
