import { connect, type Socket } from 'node:net';

/** A client on a bare socket, for what no decent client does. */
export class RawClient {
  readonly openedAt = performance.now();
  closedAt: number | undefined;
  received = '';
  /** Bytes that came in all; `received` keeps the first of them only. */
  bytes = 0;
  private readonly socket: Socket;
  private readonly timers: NodeJS.Timeout[] = [];
  readonly closed: Promise<void>;

  /** @param from an address of 127.0.0.0/8: so that one machine looks like many. */
  constructor(door: string, from: string) {
    const { hostname, port } = new URL(door);
    this.socket = connect({ host: hostname, port: Number(port), localAddress: from });
    this.socket.on('error', () => undefined);
    this.socket.on('data', (piece: Buffer) => {
      this.bytes += piece.length;
      if (this.received.length < 4_096) this.received += piece.toString('latin1');
    });
    this.closed = new Promise((resolve) => {
      this.socket.once('close', () => {
        this.closedAt = performance.now();
        this.timers.forEach((timer) => clearInterval(timer));
        resolve();
      });
    });
  }

  /** Milliseconds it was open; undefined while it is. */
  get lifetime(): number | undefined {
    return this.closedAt === undefined ? undefined : this.closedAt - this.openedAt;
  }

  get status(): number | undefined {
    const status = /^HTTP\/1\.1 (\d{3})/.exec(this.received)?.[1];
    return status === undefined ? undefined : Number(status);
  }

  /** Bytes that the kernel has taken. */
  get sent(): number {
    return this.socket.bytesWritten - this.socket.writableLength;
  }

  write(bytes: string | Buffer): this {
    if (this.socket.writable) this.socket.write(bytes);
    return this;
  }

  /** Goes on writing until the peer takes no more, or so many bytes are out. */
  pour(piece: Buffer, count: number): void {
    let left = count;
    const more = (): void => {
      while (left > 0 && this.socket.writable) {
        left -= piece.length;
        if (!this.socket.write(piece)) return void this.socket.once('drain', more);
      }
    };
    more();
  }

  /** A little, again and again. */
  trickle(bytes: string, everyMs: number): this {
    this.timers.push(setInterval(() => this.write(bytes), everyMs));
    return this;
  }

  /** Takes a little, again and again, and leaves the rest to the kernel's buffers. */
  readSlowly(everyMs: number): this {
    this.socket.pause();
    this.timers.push(
      setInterval(() => {
        this.socket.resume();
        setImmediate(() => this.socket.pause());
      }, everyMs),
    );
    return this;
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** @returns an address for the nth of many clients, so that a limit per address holds none of them up. */
export function addressOf(index: number, perAddress = 100): string {
  return `127.0.1.${1 + Math.floor(index / perAddress)}`;
}
