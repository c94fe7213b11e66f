import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { isSendable } from '@sallyport/proxy';
import type { Outgoing } from './connection';

/**
 * Up to here what is written goes with its head and its framing as one text, in which every character is a byte, and so in
 * one plain write.
 */
const ONE_WRITE_BYTES = 8 * 1024;
const NOTHING: Buffer = Buffer.alloc(0);
const LAST_CHUNK = '0\r\n\r\n';
const DONE = Promise.resolve();

/** What an answer needs to know of its request and its connection. */
export interface AnswerPlace {
  readonly socket: Socket;
  /** Whether the socket is one of TLS. */
  readonly encrypted: boolean;
  readonly method: string;
  /** `1.0` knows no chunks. */
  readonly version: string;
  /** Whether nothing may follow on this connection, asked when the head is written. */
  isLast(): boolean;
  /** What tells the client that the connection stays open. */
  readonly keptFields: string;
  /** The last byte has left. */
  onSent(answer: Http1Answer): void;
}

type Framing = 'none' | 'length' | 'chunks' | 'close';

/** The answer to one request of an HTTP/1 connection, framed as RFC 9112 §6 has it. */
export class Http1Answer implements Outgoing {
  sendDate = true;
  /** True as soon as there is a head: another one could not take its place. */
  headersSent = false;
  /** Nothing follows this answer on its connection. */
  last = false;
  private head: string | undefined;
  private framing: Framing = 'none';
  private left = 0;
  private ended = false;
  private gone = false;
  private onClose: (() => void)[] = [];
  private onDrain: (() => void)[] | undefined;

  constructor(private readonly place: AnswerPlace) {}

  get destroyed(): boolean {
    return this.gone || this.place.socket.destroyed;
  }

  get writableLength(): number {
    return this.place.socket.writableLength;
  }

  /** @throws when the head was written already, a field holds what no field may hold, or the answer would be framed twice. */
  writeHead(status: number, fields: readonly string[]): void {
    if (this.headersSent) throw new Error('the answer has a head already');
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`;
    let length: string | undefined;
    for (let at = 0; at < fields.length; at += 2) {
      const name = fields[at]!;
      const value = fields[at + 1]!;
      if (!isSendable(name, value) || isFramedTwice(name, length))
        throw new Error(`the field ${JSON.stringify(name)} cannot be sent`);
      if (name === 'connection') this.last ||= /(^|,)[ \t]*close[ \t]*(,|$)/i.test(value);
      else {
        if (name === 'content-length') length = value;
        head += `${name}: ${value}\r\n`;
      }
    }
    if (this.sendDate) head += `date: ${httpDate()}\r\n`;
    this.frame(status, length);
    if (this.framing === 'chunks') head += 'transfer-encoding: chunked\r\n';
    this.last ||= this.framing === 'close' || this.place.isLast();
    this.headersSent = true;
    this.head = `${head}${this.last ? 'connection: close\r\n' : this.place.keptFields}\r\n`;
  }

  private frame(status: number, length: string | undefined): void {
    if (this.place.method === 'HEAD' || status === 204 || status === 304) this.framing = 'none';
    else if (length !== undefined) {
      this.framing = 'length';
      this.left = Number(length);
    } else this.framing = this.place.version === '1.1' ? 'chunks' : 'close';
  }

  writeContinue(): void {
    if (!this.headersSent && !this.destroyed) this.place.socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1');
  }

  flushHeaders(): void {
    const head = this.takeHead();
    if (head !== '' && !this.destroyed) this.place.socket.write(head, 'latin1');
  }

  write(part: Buffer): boolean {
    if (this.ended || this.destroyed) return true;
    const head = this.takeHead();
    if (this.framing === 'none' || part.length === 0) return head === '' || this.place.socket.write(head, 'latin1');
    if (!this.account(part.length)) return true;
    const [before, after] = this.framing === 'chunks' ? [`${head}${part.length.toString(16)}\r\n`, '\r\n'] : [head, ''];
    return this.send(before, part, after);
  }

  end(part: Buffer = NOTHING): void {
    if (this.ended || this.destroyed) return;
    const head = this.takeHead();
    if (this.framing !== 'none' && !this.account(part.length)) return;
    this.ended = true;
    // RFC 9112 §8: an answer shorter than it says is not complete, and only the end of the connection says so.
    if (this.framing === 'length' && this.left > 0) return this.destroy();
    // What is encrypted never leaves at once.
    const told = this.place.encrypted ? this.sent : undefined;
    if (this.framing === 'none' || part.length === 0) {
      this.place.socket.write(this.framing === 'chunks' ? head + LAST_CHUNK : head, 'latin1', told);
    } else if (this.framing === 'chunks') {
      this.send(`${head}${part.length.toString(16)}\r\n`, part, `\r\n${LAST_CHUNK}`, told);
    } else this.send(head, part, '', told);
    if (!told) this.tellWhenSent();
  }

  private send(before: string, part: Buffer, after: string, sent?: () => void): boolean {
    const { socket } = this.place;
    // Texts are kept on V8's own heap: what waits for a slow reader waits as bytes.
    if (part.length <= ONE_WRITE_BYTES && socket.writableLength === 0)
      return socket.write(before + part.toString('latin1') + after, 'latin1', sent);
    socket.cork();
    if (before !== '') socket.write(before, 'latin1');
    let more = after === '' ? socket.write(part, sent) : socket.write(part);
    if (after !== '') more = socket.write(after, 'latin1', sent);
    socket.uncork();
    return more;
  }

  /**
   * Node calls back for a write in a tick of its own, which costs 2 % of a request (ADR 45). Where the kernel has taken
   * everything at once there is nothing to wait for; this is told behind the turn all the same, so that requests sent ahead
   * are not served one inside another.
   */
  private tellWhenSent(): void {
    const { socket } = this.place;
    if (socket.writableLength === 0) void DONE.then(this.sent);
    else socket.write(NOTHING, this.sent);
  }

  private readonly sent = (): void => {
    const { socket } = this.place;
    if (!socket.destroyed && !socket.errored) this.place.onSent(this);
  };

  /** @returns false when the answer is longer than it says; then it ends here, before what would be read as another one. */
  private account(bytes: number): boolean {
    if (this.framing !== 'length') return true;
    this.left -= bytes;
    if (this.left >= 0) return true;
    this.destroy();
    return false;
  }

  private takeHead(): string {
    const { head = '' } = this;
    this.head = undefined;
    return head;
  }

  on(event: 'close' | 'drain', listener: () => void): void {
    if (event === 'close') this.onClose.push(listener);
    else (this.onDrain ??= []).push(listener);
  }

  /** There is room again for what the caller has not read. */
  drained(): void {
    for (const listener of this.onDrain ?? []) listener();
  }

  destroy(): void {
    const { socket, encrypted } = this.place;
    // RFC 9112 §8: an answer that ends with its connection would seem whole. TLS tells by the alert that is missing, and a
    // socket of the file system, which has no port, cannot be reset.
    if (this.framing === 'close' && !encrypted && socket.remotePort !== undefined) socket.resetAndDestroy();
    else socket.destroy();
  }

  /** To be called once: the last byte has left, or the connection is gone. */
  close(): void {
    this.gone = true;
    const listeners = this.onClose;
    this.onClose = [];
    for (const listener of listeners) listener();
  }
}

/** Whether a field would say once more where the answer ends (RFC 9112 §6.3); in chunks is how this module says it itself. */
function isFramedTwice(name: string, length: string | undefined): boolean {
  return name === 'transfer-encoding' || (length !== undefined && name === 'content-length');
}

let dateOf = 0;
let dateText = '';

/** The time as RFC 9110 §5.6.7 prints it, made once a second. */
function httpDate(): string {
  const second = Math.floor(Date.now() / 1000);
  if (second !== dateOf) {
    dateOf = second;
    dateText = new Date(second * 1000).toUTCString();
  }
  return dateText;
}
