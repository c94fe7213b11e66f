import { connect, constants, type ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Lookup } from '../../address-guard';
import type { Forwarding, ForwardSink, UpstreamClient, UpstreamRequest } from '../../forward';
import { limits } from '../../limits';
import type { UpstreamOrigin } from '../../pool';
import { ConnectError, Connector, notInTime } from '../connector';
import type { PooledTransport } from '../transport';
import { Http2Exchange } from './http2-exchange';

/** Exchanges on one connection at a time, whatever more the upstream allows: what one connection loses is bounded. */
const MOST_STREAMS = 100;
/**
 * Exchanges on one connection altogether. Streams are counted up to 2^31 and never again (RFC 9113 §5.1.1): a connection is
 * left long before, so that none comes to its last one.
 */
const MOST_EXCHANGES = 1_000_000;
/** A connection without exchanges is closed after this. */
const IDLE_MS = 60_000;
/** A connection on which an answer is late has this long to show that it is alive. */
const PING_MS = 2_000;

/**
 * The connections to one origin over HTTP/2 (RFC 9113): agreed on by ALPN over TLS, taken for granted without. Exchanges
 * share a connection; another one is opened when all are full.
 */
export class Http2Client implements UpstreamClient, PooledTransport {
  readonly origin: string;
  readonly authority: string;
  private readonly connector: Connector;
  private readonly most: number;
  private readonly sessions = new Set<Session>();
  private readonly connecting = new Set<() => void>();
  private readonly waiting = new Set<Http2Exchange>();
  private readonly isConnecting = (): boolean => this.connecting.size > 0;
  private retired = false;
  private whenEmpty: (() => void) | undefined;

  /** @param mostExchanges of one connection, after which another takes its place */
  constructor(
    private readonly upstream: UpstreamOrigin,
    lookup: Lookup,
    private readonly mostExchanges = MOST_EXCHANGES,
  ) {
    const url = new URL(upstream.url);
    this.origin = url.origin;
    this.authority = url.host;
    this.connector = new Connector(upstream, lookup, 'h2');
    this.most = upstream.connections ?? limits.upstream.connections;
  }

  forward(request: UpstreamRequest, sink: ForwardSink): Forwarding {
    const exchange = new Http2Exchange(request, sink, this.origin, this.isConnecting);
    if (!this.begin(exchange)) this.wait(exchange);
    return exchange;
  }

  retire(): Promise<void> {
    this.retired = true;
    for (const session of this.sessions) session.leave();
    return this.isEmpty() ? Promise.resolve() : new Promise((resolve) => (this.whenEmpty = resolve));
  }

  destroy(): Promise<void> {
    const closed = this.retire();
    for (const cancel of [...this.connecting]) cancel();
    this.failWaiting(new ConnectError('SALLYPORT_NO_CONNECTION', 'the gateway closes its connections'));
    for (const session of [...this.sessions]) session.destroy();
    return closed;
  }

  /** @returns false when no connection has room. */
  private begin(exchange: Http2Exchange): boolean {
    for (const session of this.sessions) if (session.hasRoom && session.start(exchange)) return true;
    return false;
  }

  private wait(exchange: Http2Exchange): void {
    const { connectMs } = exchange.request.timeouts;
    const full = () => new ConnectError('SALLYPORT_FULL', 'no connection had room in time');
    // The exchange gives up, not the connection: others wait for it too.
    const timer = setTimeout(() => exchange.fail(this.isConnecting() ? notInTime(connectMs) : full()), connectMs);
    this.waiting.add(exchange);
    exchange.leaveQueue = () => {
      clearTimeout(timer);
      this.waiting.delete(exchange);
      exchange.leaveQueue = undefined;
    };
    const enough = this.connecting.size * MOST_STREAMS >= this.waiting.size;
    if (!enough && this.sessions.size + this.connecting.size < this.most) this.connect(connectMs);
  }

  /** @param atLeastMs for whom it is made would wait so long */
  private connect(atLeastMs = 0): void {
    const tryFor = Math.max(this.upstream.connectMs, atLeastMs);
    const connected = (error: Error | undefined, socket?: Socket): void => {
      this.connecting.delete(giveUp);
      if (!socket) {
        // Those who wait could only wait for the same error once more.
        if (this.connecting.size === 0) this.failWaiting(error!);
        return this.tellIfEmpty();
      }
      const session = new Session(socket, this.origin, this.mostExchanges, (gone) => this.changed(gone));
      this.sessions.add(session);
      this.serveWaiting();
      if (this.retired) session.leave();
    };
    const cancel = this.connector.connect(connected, undefined, tryFor);
    const giveUp = (): void => {
      this.connecting.delete(giveUp);
      cancel();
      this.tellIfEmpty();
    };
    this.connecting.add(giveUp);
  }

  /** A session has room again, or is gone. */
  private changed(gone: Session | undefined): void {
    if (gone) this.sessions.delete(gone);
    this.serveWaiting();
    if (this.waiting.size > 0 && this.connecting.size === 0 && this.sessions.size < this.most) this.connect();
    this.tellIfEmpty();
  }

  private serveWaiting(): void {
    for (const exchange of this.waiting) {
      if (!this.begin(exchange)) return;
      exchange.leaveQueue?.();
    }
  }

  private failWaiting(error: Error): void {
    for (const exchange of [...this.waiting]) exchange.fail(error);
  }

  private isEmpty(): boolean {
    return this.sessions.size === 0 && this.connecting.size === 0;
  }

  private tellIfEmpty(): void {
    if (this.isEmpty()) this.whenEmpty?.();
  }
}

/** One connection with the exchanges on it. */
class Session {
  private readonly session: ClientHttp2Session;
  private open = 0;
  private started = 0;
  private leaving = false;
  private idle: NodeJS.Timeout | undefined;
  private pinging = false;
  private lastError: Error | undefined;

  /** @param changed told when an exchange ended, and with the session when it is gone */
  constructor(
    private readonly socket: Socket,
    origin: string,
    private readonly mostExchanges: number,
    private readonly changed: (gone: Session | undefined) => void,
  ) {
    this.session = connect(origin, {
      createConnection: () => socket,
      settings: { enablePush: false, maxHeaderListSize: limits.upstream.headBytes, initialWindowSize: 256 * 1024 },
      maxSessionMemory: 64,
      // What a server may send of frames that carry nothing, before it is taken for hostile.
      maxOutstandingPings: 4,
    });
    this.session.on('error', (error: Error) => (this.lastError ??= error));
    this.session.on('goaway', () => this.leave());
    this.session.on('close', () => this.destroy());
    socket.on('close', () => {
      clearTimeout(this.idle);
      this.leaving = true;
      this.changed(this);
    });
    this.rest();
  }

  get hasRoom(): boolean {
    const { session } = this;
    if (this.leaving || session.closed || session.destroyed) return false;
    // Before the upstream has said what it allows, the RFC's advice is not to assume less than a hundred (§6.5.2).
    const allowed = session.remoteSettings?.maxConcurrentStreams ?? MOST_STREAMS;
    return this.open < Math.min(MOST_STREAMS, allowed);
  }

  /** @returns false when it turned out that it takes no more; then nothing has happened to the exchange. */
  start(exchange: Http2Exchange): boolean {
    this.open++;
    clearTimeout(this.idle);
    if (++this.started >= this.mostExchanges) this.leaving = true;
    const taken = exchange.start(this.session, {
      ended: () => {
        this.open--;
        if (this.open === 0) this.rest();
        this.changed(undefined);
      },
      late: () => this.ping(),
      why: () => this.lastError,
    });
    if (taken) return true;
    this.open--;
    this.leave();
    return false;
  }

  /** Takes no more, and closes after the last exchange. */
  leave(): void {
    this.leaving = true;
    if (this.open === 0) this.destroy();
  }

  /** Node ends a session politely and waits for the upstream to do the same; we have nothing to wait for. */
  destroy(): void {
    this.leaving = true;
    this.session.destroy(undefined, constants.NGHTTP2_CANCEL);
    this.socket.destroy();
  }

  private rest(): void {
    if (this.leaving) return this.destroy();
    this.idle = setTimeout(() => this.leave(), IDLE_MS);
    this.idle.unref();
  }

  /** An answer that is late may be the fault of a connection that nobody told us is dead. */
  private ping(): void {
    if (this.pinging || this.session.destroyed) return;
    this.pinging = true;
    const timer = setTimeout(() => this.destroy(), PING_MS);
    timer.unref();
    this.session.ping(() => {
      clearTimeout(timer);
      this.pinging = false;
    });
  }
}
