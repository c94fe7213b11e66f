import { constants, performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import type { Connection, Handle } from './connection';
import { Http2Answer, incomingOf, type DefectWatcher } from './http2-stream';

const { NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_SETTINGS_TIMEOUT } = constants;

/** Over this time frames are counted. */
const WINDOW_MS = 10_000;
/** How long a connection that was told to go may take. */
const GOING_MS = 2_000;
/** What RFC 9113 §6.5.2 adds to each field of a header list, and so bounds their number. */
const FIELD_OVERHEAD = 32;

/** What a client did too often. */
export type Abuse = 'resets' | 'pings' | 'settings' | 'hidden-streams';

/** Who follows what happens on the HTTP/2 connections of a listener. */
export interface Http2Watcher extends DefectWatcher {
  /** The connection was ended with ENHANCE_YOUR_CALM (RFC 9113 §7), for hidden streams without an error (§6.8). */
  onAbuse(what: Abuse, remoteAddress: string | undefined): void;
}

/**
 * One HTTP/2 connection. nghttp2 judges framing, flow control, HPACK and the number of CONTINUATION frames and ends the
 * connection on its own; here is counted what is legal once and an attack a thousand times.
 */
export class Http2Session {
  private readonly session: ServerHttp2Session;
  private readonly remoteAddress: string | undefined;
  private readonly begunAt: number;
  private counts = { resets: 0, pings: 0, settings: 0 };
  private windowBegan: number;
  private idleSince: number;
  private open = 0;
  private seen = 0;
  private goingSince: number | undefined;
  private last = false;
  private settingsAreLate = false;
  /** When the client was asked for a sign of life that has not come yet. */
  private askedAt: number | undefined;
  private askedLast: number;

  /** @param now milliseconds of a clock that never goes back */
  constructor(
    socket: Socket,
    private readonly connection: Connection,
    private readonly handle: Handle,
    private readonly watcher: Http2Watcher,
    private readonly now: () => number,
  ) {
    const { http2 } = connection.limits;
    this.begunAt = this.windowBegan = this.idleSince = this.askedLast = now();
    this.remoteAddress = socket.remoteAddress;
    this.session = performServerHandshake(socket, {
      settings: {
        maxConcurrentStreams: http2.streams,
        maxHeaderListSize: http2.headerListBytes,
        enablePush: false,
        enableConnectProtocol: false,
      },
      maxHeaderListPairs: Math.ceil(http2.headerListBytes / FIELD_OVERHEAD),
      maxSettings: http2.settings,
      // Streams beyond the number that is allowed, and frames that break the protocol: a client that is well never sends any.
      maxSessionRejectedStreams: http2.streams,
      maxSessionInvalidFrames: http2.resets,
    });
    this.session.on('stream', (stream: ServerHttp2Stream, _: unknown, flags: number, raw: string[]) =>
      this.begin(stream, flags, raw),
    );
    this.session.on('ping', () => this.count('pings'));
    this.session.on('remoteSettings', () => this.count('settings'));
    // What nghttp2 refuses ends this connection, which is all that is to be done about it.
    this.session.on('error', () => undefined);
  }

  onClose(closed: () => void): void {
    this.session.on('close', closed);
  }

  /** As goAway, but not before there was a request: who has just connected must get its answer. */
  announceEnd(): void {
    this.last = true;
    if (this.seen > 0) this.goAway();
  }

  /** Takes no further stream, lets those under way end, and says so with GOAWAY (RFC 9113 §6.8). */
  goAway(): void {
    if (this.goingSince !== undefined) return;
    this.goingSince = this.now();
    if (!this.session.destroyed) this.session.close();
  }

  destroy(): void {
    this.session.destroy();
  }

  /** To be called every so often: ends what is idle or overdue, and looks for streams that nobody was told of. */
  check(): void {
    if (this.session.destroyed) return;
    const now = this.now();
    const { keepAliveMs, headersMs } = this.connection.limits;
    const idle = this.open === 0 ? now - this.idleSince : 0;
    // A header block that does not end opens no stream: without this one a client could hold a connection with a part of one.
    if (idle > (this.seen === 0 ? headersMs : keepAliveMs)) this.goAway();
    if (this.goingSince !== undefined && this.open === 0 && now - this.goingSince > GOING_MS) return this.destroy();
    // RFC 9113 §6.5.3: until it has agreed to our settings none of our limits binds it.
    if (this.isSilentOnSettings(now)) return this.endWith(NGHTTP2_SETTINGS_TIMEOUT);
    this.findHidden();
    if (this.open > 0) this.askForLife(now);
  }

  /** Seen at two checks: behind a pause of this process what has come is read between them, and may be the acknowledgement. */
  private isSilentOnSettings(now: number): boolean {
    const wereLate = this.settingsAreLate;
    this.settingsAreLate = this.session.pendingSettingsAck && now - this.begunAt > this.connection.limits.headersMs;
    return wereLate && this.settingsAreLate;
  }

  /** A peer that is gone, or that nghttp2 has given up, does nothing any more: its streams would wait for ever. */
  private askForLife(now: number): void {
    const { headersMs } = this.connection.limits;
    if (this.askedAt !== undefined) {
      if (now - this.askedAt > headersMs) this.destroy();
      return;
    }
    // Once a connection was told to go Node sends no PING, as if none had been answered; its streams have clocks of their own.
    if (this.session.closed || now - this.askedLast < headersMs) return;
    this.askedAt = this.askedLast = now;
    this.session.ping((error) => {
      if (!error) this.askedAt = undefined;
    });
  }

  private begin(stream: ServerHttp2Stream, flags: number, raw: string[]): void {
    this.seen++;
    stream.on('error', () => undefined);
    // Reset before anybody could look at it: no work is done for it, but it counts.
    if (stream.destroyed || stream.closed) return this.count('resets');
    this.open++;
    const answer = new Http2Answer(stream, this.watcher);
    stream.on('close', () => this.end(answer.wasAbandoned));
    if (this.last || this.seen >= this.connection.limits.requestsPerSocket) this.goAway();
    const incoming = incomingOf(stream, flags, raw, this.remoteAddress, this.connection, answer);
    this.handle(incoming, answer, this.connection);
  }

  private end(wasAbandoned: boolean): void {
    this.open--;
    if (this.open === 0) this.idleSince = this.now();
    // Whichever side reset it, and with whatever code: a client can make us do it (CVE-2025-8671) as it can do it itself
    // (CVE-2023-44487), and NO_ERROR stops the same work as any other code does.
    if (wasAbandoned) this.count('resets');
  }

  private count(what: keyof Http2Session['counts']): void {
    const now = this.now();
    if (now - this.windowBegan >= WINDOW_MS) {
      this.windowBegan = now;
      this.counts = { resets: 0, pings: 0, settings: 0 };
    }
    if (++this.counts[what] > this.connection.limits.http2[what]) this.calm(what);
  }

  /**
   * Streams that nghttp2 reset before anybody saw them, because of a header list too large: their number follows from the last
   * id. So it does where a client skips ids, as it may (RFC 9113 §5.1.1), and nothing tells one from the other: the connection
   * ends without harm to those who meant none. After GOAWAY nghttp2 makes no stream of a head any more.
   */
  private findHidden(): void {
    if (this.goingSince !== undefined) return;
    const last = this.session.state.lastProcStreamID ?? 0;
    if ((last + 1) / 2 - this.seen <= this.connection.limits.http2.resets) return;
    this.watcher.onAbuse('hidden-streams', this.remoteAddress);
    this.goAway();
  }

  private calm(what: Abuse): void {
    if (this.session.destroyed) return;
    this.watcher.onAbuse(what, this.remoteAddress);
    this.endWith(NGHTTP2_ENHANCE_YOUR_CALM);
  }

  private endWith(code: number): void {
    // Documented as an error with a code; the code alone is what reaches the client.
    this.session.destroy(code as unknown as Error);
  }
}

/** The HTTP/2 connections of one listener. */
export class Http2Sessions {
  private readonly open = new Set<Http2Session>();
  private readonly checking: NodeJS.Timeout;
  private ending = false;

  constructor(
    private readonly handle: Handle,
    private readonly watcher: Http2Watcher,
    private readonly now: () => number,
    checkMs: number,
  ) {
    this.checking = setInterval(() => this.check(), checkMs).unref();
  }

  /** Takes a connection over whose next byte is the client's preface. */
  accept(socket: Socket, connection: Connection): void {
    const session = new Http2Session(socket, connection, this.handle, this.watcher, this.now);
    this.open.add(session);
    session.onClose(() => this.open.delete(session));
    if (this.ending) session.announceEnd();
  }

  /** Every connection serves one more request at most: those that stand end, those still to come end with their first. */
  announceEnd(): void {
    this.ending = true;
    for (const session of this.open) session.announceEnd();
  }

  goAway(): void {
    this.ending = true;
    for (const session of this.open) session.goAway();
  }

  destroy(): void {
    clearInterval(this.checking);
    for (const session of this.open) session.destroy();
  }

  private check(): void {
    for (const session of this.open) {
      try {
        session.check();
      } catch (error) {
        // A timer has nobody above it: what is wrong with one connection may not end all others.
        this.watcher.onDefect(error);
        session.destroy();
      }
    }
  }
}
