import { Socket } from 'node:net';
import { refuse, type Refusal } from '@sallyport/contracts';
import { limits, RequestParser, type ParsedHead, type RequestFault } from '@sallyport/proxy';
import type { Connection, Handle, Outgoing } from './connection';
import { Http1Answer, type AnswerPlace } from './http1-answer';
import { Http1Request } from './http1-request';

/** What a client may send ahead of the answer to its request, before it has to wait for the answer. */
const MOST_EARLY_BYTES = 64 * 1024;
const NOTHING: Buffer = Buffer.alloc(0);

/** Bytes that are no request, and whom to tell. */
export interface BrokenBytes {
  readonly refusal: Refusal;
  /** What is wrong with them, for a log. */
  readonly cause: string;
  /** What came of the head; undefined where nothing did. */
  readonly head: Buffer | undefined;
  readonly socket: Pick<Socket, 'remoteAddress' | 'remotePort'>;
  /** Writes a whole answer, the last one on its connection. */
  readonly answer: (text: string) => void;
}

/** Who takes what comes over the connections of a listener. */
export interface Http1Handler {
  readonly handle: Handle;
  /** Bytes that are no request. */
  readonly broken: (bytes: BrokenBytes) => void;
  /** The body of a request broke its framing while the request was under way. */
  readonly brokenBody: (response: Outgoing, refusal: Refusal) => void;
}

/** What the connections of a listener share. */
export interface Http1Door extends Http1Handler {
  /** Milliseconds of a clock that never goes back. */
  now(): number;
  /** Whether every answer is the last one on its connection. */
  readonly closing: boolean;
}

type State = 'idle' | 'head' | 'open' | 'ending' | 'gone';

/**
 * One HTTP/1 connection (RFC 9112). Requests are taken one after another: the bytes behind one are looked at when it is
 * answered, so that nothing behind a message that is refused, or an answer that said that it is the last, is ever a request.
 */
export class Http1Session implements AnswerPlace {
  private state: State = 'idle';
  private readonly parser: RequestParser;
  private head: ParsedHead | undefined;
  private request: Http1Request | undefined;
  private answering: Http1Answer | undefined;
  /** What came behind the request under way. */
  private early = NOTHING;
  /** When the state was entered. */
  private since: number;
  private served = 0;
  private thrownAway = 0;
  readonly keptFields: string;

  constructor(
    readonly socket: Socket,
    private readonly connection: Connection,
    private readonly door: Http1Door,
    private readonly onGone: (session: Http1Session) => void,
  ) {
    const { head, keepAliveMs } = connection.limits;
    this.parser = new RequestParser(head);
    this.keptFields = `connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(keepAliveMs / 1000)}\r\n`;
    this.since = door.now();
    socket.push = this.pushed;
    socket.on('data', this.read);
    socket.on('end', this.ended);
    socket.on('drain', this.drained);
    socket.on('close', () => this.closed());
    // A client that resets the connection is no defect; that it is closed is all there is to know.
    socket.on('error', () => undefined);
  }

  get encrypted(): boolean {
    return this.connection.encrypted;
  }

  get method(): string {
    return this.head!.method;
  }

  get version(): string {
    return this.head!.httpVersion;
  }

  isLast(): boolean {
    return this.door.closing || !this.head!.persistent || this.served >= this.connection.limits.requestsPerSocket;
  }

  /** Ends it where nothing is asked. */
  closeIdle(): void {
    if (this.state === 'idle') this.linger(true);
  }

  /** To be called every so often: ends what is idle or overdue. */
  check(now: number): void {
    const { headersMs, keepAliveMs } = this.connection.limits;
    const waited = now - this.since;
    if (this.state === 'ending' && waited > limits.body.pastRefusalMs) this.socket.destroy();
    else if (this.state === 'idle' && this.served > 0 && waited > keepAliveMs) this.linger(true);
    else if ((this.state === 'head' || (this.state === 'idle' && this.served === 0)) && waited > headersMs)
      this.refuse(refuse('REQUEST_TIMEOUT', { seconds: headersMs / 1000 }), 'the head is late', undefined);
  }

  /**
   * Where a socket puts what it has received, in the place of `Readable.push`: that looks behind every piece, in a tick of
   * its own, whether there is room for more, and a socket is asked for nothing (ADR 45). What comes while nobody reads waits
   * in the stream as ever, and what waits there is read first.
   */
  private readonly pushed = (bytes: Buffer | null): boolean => {
    const { socket } = this;
    if (bytes === null || socket.readableFlowing !== true || socket.readableLength > 0) return this.streamed(bytes);
    this.read(bytes);
    return true;
  };

  private readonly streamed = (bytes: Buffer | null): boolean => Socket.prototype.push.call(this.socket, bytes);

  private readonly read = (bytes: Buffer): void => {
    if (this.state === 'ending' || this.parser.fault !== undefined) this.throwAway(bytes.length);
    else if (this.request?.complete) this.keepEarly(bytes);
    else this.parse(bytes);
  };

  private parse(bytes: Buffer): void {
    const { parser, request } = this;
    const end = parser.feed(bytes);
    if (parser.fault !== undefined) return this.breakOff(parser.fault, bytes);
    const behind = end === bytes.length ? NOTHING : bytes.subarray(end);
    if (request) {
      if (behind.length > 0) this.early = behind;
      if (!request.take(parser.pieces, parser.complete)) this.socket.pause();
    } else if (parser.head) this.begin(parser.head, behind);
    else if (this.state === 'idle' && parser.begun) this.enter('head');
  }

  private begin(head: ParsedHead, behind: Buffer): void {
    const { parser, socket } = this;
    const request = new Http1Request(head, socket, this.wanted);
    const answer = new Http1Answer(this);
    this.state = 'open';
    this.served++;
    this.head = head;
    this.request = request;
    this.answering = answer;
    this.early = behind;
    const more = request.take(parser.pieces, parser.complete);
    if (head.upgrade) this.handOver(request, answer);
    else if (!more) socket.pause();
    this.door.handle(request, answer, this.connection);
  }

  /**
   * What follows may be another protocol, and belongs to whoever takes the connection over. Whatever is answered instead
   * ends it.
   */
  private handOver(request: Http1Request, answer: Http1Answer): void {
    const { socket } = this;
    socket.push = this.streamed;
    socket.removeListener('data', this.read);
    socket.removeListener('end', this.ended);
    socket.pause();
    answer.last = true;
    request.takeOver = { socket, early: this.early };
  }

  private readonly wanted = (): void => {
    if (this.request?.takeOver === undefined && this.state === 'open') this.socket.resume();
  };

  private keepEarly(bytes: Buffer): void {
    this.early = this.early.length === 0 ? bytes : Buffer.concat([this.early, bytes]);
    if (this.early.length > MOST_EARLY_BYTES) this.socket.pause();
  }

  onSent(answer: Http1Answer): void {
    if (this.answering !== answer) return;
    const { early, request } = this;
    this.answering = undefined;
    this.request = undefined;
    this.early = NOTHING;
    answer.close();
    request!.breakOff();
    const { complete, takeOver } = request!;
    if (answer.last || !complete) return this.linger(complete && early.length === 0 && takeOver === undefined);
    this.parser.next();
    this.enter('idle');
    if (this.socket.isPaused()) this.socket.resume();
    if (early.length > 0) this.parse(early);
  }

  /**
   * Ends the connection. Where the client may still be sending, it is read on for a while: with unread bytes the connection
   * would end in a reset, and with it the answer (RFC 9112 §9.6).
   * @param silent whether everything was read
   */
  private linger(silent: boolean): void {
    this.enter('ending');
    if (silent) return this.socket.destroySoon();
    this.socket.push = this.pushed;
    this.socket.removeListener('data', this.read);
    this.socket.on('data', this.read);
    this.socket.removeListener('end', this.ended);
    this.socket.on('end', this.ended);
    this.socket.end();
    this.socket.resume();
  }

  private throwAway(bytes: number): void {
    const { pastRefusalBytes } = this.connection.limits;
    const before = this.thrownAway;
    this.thrownAway += bytes;
    if (before <= pastRefusalBytes && this.thrownAway > pastRefusalBytes) this.socket.destroySoon();
  }

  private breakOff(fault: RequestFault, bytes: Buffer): void {
    const refusal = refusalOf(fault, this.connection.limits.head.targetBytes);
    if (!this.answering) return this.refuse(refusal, fault.reason, fault.head ?? bytes);
    this.answering.last = true;
    this.door.brokenBody(this.answering, refusal);
  }

  private refuse(refusal: Refusal, cause: string, head: Buffer | undefined): void {
    const { socket } = this;
    this.enter('open');
    // Nothing that still comes is a request.
    this.parser.fault ??= { kind: 'malformed', reason: cause };
    const answer = (text: string): void => {
      if (!socket.writable) return void socket.destroy();
      socket.write(text);
      this.linger(false);
    };
    this.door.broken({ refusal, cause, head, socket, answer });
  }

  /** The client says that nothing more comes. */
  private readonly ended = (): void => {
    if (this.state === 'head') this.breakOff({ kind: 'malformed', reason: 'its head broke off' }, NOTHING);
    else if (this.request && !this.request.complete && this.parser.fault === undefined) {
      const reason = 'the body broke off';
      this.parser.fault = { kind: 'malformed', reason };
      this.breakOff(this.parser.fault, NOTHING);
    } else if (this.state === 'ending') this.socket.destroy();
    // Who waits for an answer listens; who does not listen any more has left. What is refused is answered all the same.
    else if (this.parser.fault === undefined) this.socket.destroySoon();
  };

  private readonly drained = (): void => {
    this.answering?.drained();
  };

  private closed(): void {
    const { answering, request } = this;
    this.state = 'gone';
    this.answering = undefined;
    this.request = undefined;
    answering?.close();
    request?.breakOff();
    this.onGone(this);
  }

  private enter(state: State): void {
    this.state = state;
    this.since = this.door.now();
  }
}

function refusalOf({ kind, reason }: RequestFault, targetBytes: number): Refusal {
  if (kind === 'target-too-long') return refuse('URI_TOO_LONG', { maxBytes: targetBytes });
  return refuse(kind === 'too-large' ? 'HEADERS_TOO_LARGE' : 'REQUEST_MALFORMED', { reason });
}

/** The HTTP/1 connections of one listener. */
export class Http1Sessions {
  private readonly open = new Set<Http1Session>();
  private readonly checking: NodeJS.Timeout;

  constructor(
    private readonly door: Http1Door,
    checkMs: number,
  ) {
    this.checking = setInterval(() => this.check(), checkMs).unref();
  }

  /** Takes a connection over whose next byte begins a request. */
  accept(socket: Socket, connection: Connection): void {
    this.open.add(new Http1Session(socket, connection, this.door, (session) => this.open.delete(session)));
  }

  closeIdle(): void {
    for (const session of this.open) session.closeIdle();
  }

  /** Looks after them no longer; whoever has opened the connections ends them. */
  stop(): void {
    clearInterval(this.checking);
  }

  private check(): void {
    const now = this.door.now();
    for (const session of this.open) session.check(now);
  }
}
