import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { Reassembly } from './reassembly';

/** Bytes that a message given to `send` leaves free in front: the header of one HTTP/2 frame and gRPC's own prefix. */
export const HEADROOM = 14;

/** What the owner of a connection hears. */
export interface ConnectionEars {
  /** The peer has said that it speaks HTTP/2. */
  ready(): void;
  /** The peer has opened the stream. @param path set at the server. */
  opened(path: string): void;
  /** One whole message. It lies in a buffer that is used again as soon as this returns. */
  message(bytes: Buffer): void;
  /** There is room again, after `send` had said that there is none. */
  drain(): void;
  /** The peer asks for an end, and still answers what it was asked. */
  leaving(): void;
  /** The peer will send no more on the stream, and still reads. */
  ended(): void;
  /** The connection, or its stream, is of no use any more; comes once and last. */
  lost(detail: string): void;
}

/** RFC 9113 §6. */
const enum Frame {
  Data = 0,
  Headers = 1,
  ResetStream = 3,
  Settings = 4,
  PushPromise = 5,
  Ping = 6,
  GoAway = 7,
  WindowUpdate = 8,
  Continuation = 9,
}
const END_STREAM = 0x1;
const ACK = 0x1;
const END_HEADERS = 0x4;
const PADDED = 0x8;
const PRIORITY = 0x20;

const enum Setting {
  HeaderTableSize = 1,
  EnablePush = 2,
  InitialWindow = 4,
  MaxFrame = 5,
}

const HEADER = 9;
const PREFIX = 5;
/** The one stream of a connection: the first a client may open. */
const STREAM = 1;
const MOST_WINDOW = 2 ** 31 - 1;
const DEFAULT_WINDOW = 65_535;
const DEFAULT_FRAME = 16_384;

/** What the peer may send before it hears that it was read. */
const OUR_WINDOW = 4 * 1024 * 1024;
const OUR_FRAME = 256 * 1024;
const LOOK_MS = 5_000;
/** Frames that carry no message, between two looks: more is no peer of ours. */
const MOST_CONTROL_FRAMES = 1_000;
/** So many more for each frame of messages that was sent: an update of either window. */
const UPDATES_PER_FRAME = 2;
/** Answers to such frames that the peer has not read, at most 26 bytes each. */
const MOST_UNREAD_ANSWERS = 1_000;
/** A ping goes out at each of so many looks, and has one look's time to come back. */
const PING_LOOKS = 4;

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/**
 * By this setting our own client says that it wants nothing of a connection but one `Decide` stream. It is of the range for
 * experiments, and whoever does not know it ignores it (RFC 9113 §6.5.2).
 */
export const ONE_STREAM_SETTING = 0xf5a1;

/**
 * One gRPC stream of messages in both directions over one HTTP/2 connection of its own, and nothing else that HTTP/2 can:
 * what a `Decide` stream needs, at a third of the cost. What is received is checked as RFC 9113 asks; what is sent any
 * HTTP/2 server understands.
 */
export class MessageConnection {
  private readonly look: NodeJS.Timeout;
  private looks = 0;
  /** What the ping said that has not come back. */
  private ping: Buffer | undefined;
  private isLost = false;
  private isEnded = false;
  private owesEnd = false;
  private isReady = false;
  private isOpen = false;

  private readonly frames = new Reassembly({
    header: HEADER,
    sizeAt: (bytes, at) => this.sizeOfFrame(bytes, at),
    take: (bytes, start, end) => this.takeFrame(bytes, start, end),
  });
  private readonly messages = new Reassembly({
    header: PREFIX,
    sizeAt: (bytes, at) => this.sizeOfMessage(bytes, at),
    take: (bytes, start, end) => this.hand(bytes.subarray(start + PREFIX, end)),
  });
  private controlFrames = 0;
  private unreadAnswers = 0;
  private unacknowledged = 0;

  private connectionWindow = DEFAULT_WINDOW;
  private streamWindow = DEFAULT_WINDOW;
  private peersInitialWindow = DEFAULT_WINDOW;
  private peersFrame = DEFAULT_FRAME;
  /** What waits for the peer's windows. */
  private readonly held: Buffer[] = [];
  private wantsDrain = false;
  private ending: Buffer | undefined;

  /**
   * @param maxMessageBytes the largest message that is received.
   * @param role the client opens the stream; at the server `received` begins after the client's preface.
   */
  constructor(
    private readonly socket: Socket,
    private readonly role: 'client' | 'server',
    private readonly ears: ConnectionEars,
    private readonly maxMessageBytes: number,
  ) {
    socket.setNoDelay?.(true);
    socket.on('drain', () => this.proceed());
    socket.on('error', (error) => this.lose(error.message));
    socket.on('close', () => this.lose('the connection ended'));
    this.look = setInterval(() => this.keepAlive(), LOOK_MS).unref();
  }

  /** Client: introduces itself and opens the stream. */
  begin(path: string, authority: string): void {
    this.socket.write(
      Buffer.concat([
        PREFACE,
        settings(true),
        windowUpdate(0, OUR_WINDOW - DEFAULT_WINDOW),
        requestHeaders(path, authority),
      ]),
    );
  }

  /** Server: introduces itself. */
  welcome(): void {
    this.socket.write(Buffer.concat([settings(false), windowUpdate(0, OUR_WINDOW - DEFAULT_WINDOW)]));
  }

  /** Server: takes the stream that was opened. */
  accept(): void {
    this.socket.write(frame(Frame.Headers, END_HEADERS, STREAM, RESPONSE_HEADERS));
  }

  /**
   * Sends one message.
   * @param roomy the message behind `HEADROOM` free bytes; it belongs to the connection from now on.
   * @returns false when the peer should be sent nothing more until `drain`.
   */
  send(roomy: Buffer): boolean {
    if (this.isLost || this.ending) return false;
    const length = roomy.length - HEADROOM;
    roomy[HEADER] = 0;
    roomy.writeUInt32BE(length, HEADER + 1);
    const payload = length + PREFIX;
    if (this.held.length === 0 && payload <= this.peersFrame && payload <= this.window) {
      writeHeader(roomy, payload, Frame.Data, 0, STREAM);
      this.spend(payload);
      if (this.socket.write(roomy)) return true;
    } else {
      this.held.push(roomy.subarray(HEADER));
      if (this.release()) return true;
    }
    this.wantsDrain = true;
    return false;
  }

  /** Says that nothing more will be sent, and closes when everything is out. */
  end(): void {
    if (this.isLost || this.ending) return;
    this.ending =
      this.role === 'client'
        ? frame(Frame.Data, END_STREAM, STREAM, NOTHING)
        : frame(Frame.Headers, END_HEADERS | END_STREAM, STREAM, OK_TRAILERS);
    this.finish();
  }

  /** Asks the peer for an end (RFC 9113 §6.8): it should ask nothing new, and end when it has its answers. */
  goAway(): void {
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(STREAM);
    if (!this.isLost) this.socket.write(frame(Frame.GoAway, 0, 0, payload));
  }

  /** Drops the connection without another word. */
  destroy(): void {
    this.lose('closed here');
  }

  /**
   * Holds messages back until `resume`. Frames are read on: among them are the windows that what is sent waits for, and the
   * signs of life of either end. Of what is held back the peer is not told that it was read, so it sends no more than its
   * window.
   */
  pause(): void {
    this.messages.hold();
  }

  /** Hands out the messages that were held back, and then those that come. */
  resume(): void {
    this.messages.release();
    if (this.isLost) return;
    this.acknowledge();
    this.tellEnd();
  }

  /** Takes in what has come over the socket. */
  received(chunk: Buffer): void {
    this.frames.add(chunk, 0, chunk.length);
  }

  private sizeOfFrame(bytes: Buffer, at: number): number {
    const length = bytes.readUIntBE(at, 3);
    if (length <= OUR_FRAME) return HEADER + length;
    this.lose('a frame is larger than was agreed');
    return Infinity;
  }

  private takeFrame(bytes: Buffer, at: number, end: number): void {
    const stream = bytes.readUInt32BE(at + 5) & 0x7fffffff;
    this.take(bytes[at + 3]!, bytes[at + 4]!, stream, bytes, at + HEADER, end);
  }

  private take(type: number, flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    if (type === Frame.Data) {
      if (stream !== STREAM) return this.lose('data of a stream nobody opened');
      return this.takeData(flags, bytes, start, end);
    }
    if (++this.controlFrames > MOST_CONTROL_FRAMES) return this.lose('too many frames without a message');
    if (!this.isReady && type !== Frame.Settings) return this.lose('the first frame is not SETTINGS');
    switch (type) {
      case Frame.Settings:
        return this.takeSettings(flags, bytes, start, end);
      case Frame.WindowUpdate:
        return this.takeWindow(stream, bytes, start, end);
      case Frame.Ping:
        return this.takePing(flags, bytes.subarray(start, end));
      case Frame.Headers:
        return this.takeHeaders(flags, stream, bytes, start, end);
      case Frame.ResetStream:
        return this.lose('the peer reset the stream');
      case Frame.GoAway:
        return this.ears.leaving();
      case Frame.PushPromise:
      case Frame.Continuation:
        return this.lose(`a frame of type ${type} has no place here`);
      default:
      // What extends HTTP/2 is ignored (RFC 9113 §5.5).
    }
  }

  private takeData(flags: number, bytes: Buffer, start: number, end: number): void {
    if (!this.isOpen || this.isEnded) return this.lose('data of a stream that is not open');
    this.unacknowledged += end - start;
    if (this.unacknowledged > OUR_WINDOW) return this.lose('the peer sends beyond its window');
    let [from, to] = [start, end];
    if (flags & PADDED) {
      to -= bytes[start]!;
      from++;
      if (start === end || from > to) return this.lose('a frame is padded beyond its length');
    }
    this.messages.add(bytes, from, to);
    if (this.isLost) return;
    this.acknowledge();
    if (flags & END_STREAM) this.takeEnd();
  }

  /** gRPC over HTTP/2: a byte that says whether it is compressed, four for the length, then the message. */
  private sizeOfMessage(bytes: Buffer, at: number): number {
    const length = bytes.readUInt32BE(at + 1);
    if (bytes[at] === 0 && length <= this.maxMessageBytes) return PREFIX + length;
    this.lose('a message is compressed or too large');
    return Infinity;
  }

  private hand(message: Buffer): void {
    try {
      this.ears.message(message);
    } catch (error) {
      // Only what cannot be read throws: the peer and this process do not speak of the same thing.
      this.lose(error instanceof Error ? error.message : String(error));
    }
  }

  private takeEnd(): void {
    this.isEnded = true;
    this.owesEnd = true;
    this.tellEnd();
  }

  /** The end comes after the messages. */
  private tellEnd(): void {
    if (!this.owesEnd || this.messages.isHolding) return;
    this.owesEnd = false;
    if (this.role === 'client') return this.lose('the peer ended the stream');
    this.ears.ended();
  }

  private takeSettings(flags: number, bytes: Buffer, start: number, end: number): void {
    if (flags & ACK) return;
    if ((end - start) % 6 !== 0) return this.lose('SETTINGS of an odd length');
    for (let at = start; at < end; at += 6) {
      const value = bytes.readUInt32BE(at + 2);
      const id = bytes.readUInt16BE(at);
      if (id === Setting.MaxFrame) this.peersFrame = Math.max(DEFAULT_FRAME, Math.min(value, OUR_FRAME));
      if (id !== Setting.InitialWindow) continue;
      if (value > MOST_WINDOW) return this.lose('a window beyond what there is');
      this.streamWindow += value - this.peersInitialWindow;
      this.peersInitialWindow = value;
    }
    this.answer(frame(Frame.Settings, ACK, 0, NOTHING));
    if (!this.isReady && !this.isLost) {
      this.isReady = true;
      this.ears.ready();
    }
    this.proceed();
  }

  private takeWindow(stream: number, bytes: Buffer, start: number, end: number): void {
    const more = end - start === 4 ? bytes.readUInt32BE(start) & 0x7fffffff : 0;
    if (more === 0) return this.lose('a window grows by nothing');
    if (stream === 0) this.connectionWindow += more;
    else this.streamWindow += more;
    if (this.connectionWindow > MOST_WINDOW || this.streamWindow > MOST_WINDOW) return this.lose('a window overflows');
    this.proceed();
  }

  private takePing(flags: number, payload: Buffer): void {
    if (payload.length !== 8) return this.lose('a ping of an odd length');
    if (!(flags & ACK)) return this.answer(frame(Frame.Ping, ACK, 0, payload));
    // RFC 9113 §6.7: it carries what the ping carried, which only a peer that has read the ping can know.
    if (this.ping?.equals(payload)) this.ping = undefined;
  }

  /** Says what a frame of the peer obliges to: a peer that makes this end say more and more must read it as well. */
  private answer(bytes: Buffer): void {
    if (++this.unreadAnswers > MOST_UNREAD_ANSWERS)
      return this.lose('the peer does not read the answers to its frames');
    this.socket.write(bytes, this.leftForPeer);
  }

  private readonly leftForPeer = (): void => void this.unreadAnswers--;

  private takeHeaders(flags: number, stream: number, bytes: Buffer, start: number, end: number): void {
    if (stream !== STREAM || !(flags & END_HEADERS)) return this.lose('headers that are not expected');
    if (this.role === 'client') {
      if (flags & END_STREAM) return this.lose('the peer ended the stream');
      if (!isOk(bytes.subarray(start, end))) return this.lose('the peer does not take the stream');
      this.isOpen = true;
      return this.ears.opened('');
    }
    if (this.isOpen) return flags & END_STREAM ? this.takeEnd() : this.lose('headers amid the stream');
    const path = flags & (PADDED | PRIORITY) ? undefined : pathOf(bytes.subarray(start, end));
    if (path === undefined) return this.lose('headers that are not read here');
    this.isOpen = true;
    this.ears.opened(path);
    if (flags & END_STREAM && !this.isLost) this.takeEnd();
  }

  /** Tells the peer in large steps what was read, so that its windows never close while this end keeps up. */
  private acknowledge(): void {
    if (this.unacknowledged < OUR_WINDOW / 2 || this.messages.isHolding) return;
    const read = this.unacknowledged;
    this.unacknowledged = 0;
    this.answer(Buffer.concat([windowUpdate(0, read), windowUpdate(STREAM, read)]));
  }

  private get window(): number {
    return Math.min(this.connectionWindow, this.streamWindow);
  }

  private spend(bytes: number): void {
    this.connectionWindow -= bytes;
    this.streamWindow -= bytes;
    this.controlFrames -= UPDATES_PER_FRAME;
  }

  /**
   * Sends of what is held what the windows and the socket take: windows that grow byte by byte must not cut it into frames
   * for a peer that reads none. @returns whether nothing is held back any more, here or in the socket.
   */
  private release(): boolean {
    let flowing = !this.socket.writableNeedDrain;
    while (flowing && this.held.length > 0 && this.window > 0) {
      const [first] = this.held;
      const count = Math.min(first!.length, this.peersFrame, this.window);
      const header = Buffer.allocUnsafe(HEADER);
      writeHeader(header, count, Frame.Data, 0, STREAM);
      this.spend(count);
      this.socket.write(header);
      flowing = this.socket.write(first!.subarray(0, count));
      if (count === first!.length) this.held.shift();
      else this.held[0] = first!.subarray(count);
    }
    return flowing && this.held.length === 0;
  }

  /** Goes on: the peer's windows have grown, or the socket takes more. */
  private proceed(): void {
    if (this.isLost) return;
    const waited = this.held.length > 0;
    const flowing = this.release();
    if (waited) this.finish();
    if (!flowing || !this.wantsDrain) return;
    this.wantsDrain = false;
    this.ears.drain();
  }

  private finish(): void {
    if (!this.ending || this.held.length > 0) return;
    this.socket.end(this.ending);
    // Ended politely; a peer that hangs must not keep the connection.
    setTimeout(() => this.socket.destroy(), 1_000).unref();
  }

  private keepAlive(): void {
    if (this.ping || !this.isReady) return this.lose('no sign of life');
    this.controlFrames = 0;
    if (++this.looks % PING_LOOKS !== 0) return;
    this.ping = randomBytes(8);
    this.socket.write(frame(Frame.Ping, 0, 0, this.ping));
  }

  private lose(detail: string): void {
    if (this.isLost) return;
    this.isLost = true;
    clearInterval(this.look);
    // Whoever waits for the peer's windows to end politely would wait for ever.
    const ends = this.ending !== undefined && this.held.length === 0;
    this.held.length = 0;
    this.frames.end();
    this.messages.end();
    if (!ends) this.socket.destroy();
    this.ears.lost(detail);
  }
}

const NOTHING = Buffer.alloc(0);

function writeHeader(into: Buffer, length: number, type: Frame, flags: number, stream: number): void {
  into[0] = length >>> 16;
  into[1] = (length >>> 8) & 0xff;
  into[2] = length & 0xff;
  into[3] = type;
  into[4] = flags;
  into[5] = 0;
  into[6] = 0;
  into[7] = 0;
  into[8] = stream;
}

function frame(type: Frame, flags: number, stream: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(HEADER + payload.length);
  writeHeader(bytes, payload.length, type, flags, stream);
  payload.copy(bytes, HEADER);
  return bytes;
}

function settings(isClient: boolean): Buffer {
  const pairs: (readonly [number, number])[] = [
    // Headers are few and short: no table of them is kept, and what is read here needs none.
    [Setting.HeaderTableSize, 0],
    [Setting.InitialWindow, OUR_WINDOW],
    [Setting.MaxFrame, OUR_FRAME],
    ...(isClient
      ? ([
          [Setting.EnablePush, 0],
          [ONE_STREAM_SETTING, 1],
        ] as const)
      : []),
  ];
  const payload = Buffer.alloc(6 * pairs.length);
  for (const [index, [id, value]] of pairs.entries()) {
    payload.writeUInt16BE(id, 6 * index);
    payload.writeUInt32BE(value, 6 * index + 2);
  }
  return frame(Frame.Settings, 0, 0, payload);
}

function windowUpdate(stream: number, more: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(more);
  return frame(Frame.WindowUpdate, 0, stream, payload);
}

// HPACK (RFC 7541), as little of it as one request needs: entries of the static table and literals that are not indexed.

const INDEXED_METHOD_POST = 0x83;
const INDEXED_SCHEME_HTTP = 0x86;
const INDEXED_STATUS_200 = 0x88;
const NAME_AUTHORITY = [0x01];
const NAME_PATH = [0x04];
const NAME_CONTENT_TYPE = [0x0f, 0x10];

const text = (value: string): Buffer => {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length > 126) throw new RangeError('a header value is too long');
  return Buffer.concat([Buffer.from([bytes.length]), bytes]);
};

const literal = (name: readonly number[] | string, value: string): Buffer =>
  typeof name === 'string'
    ? Buffer.concat([Buffer.from([0]), text(name), text(value)])
    : Buffer.concat([Buffer.from(name), text(value)]);

const GRPC = literal(NAME_CONTENT_TYPE, 'application/grpc');
const RESPONSE_HEADERS = Buffer.concat([Buffer.from([INDEXED_STATUS_200]), GRPC]);
const OK_TRAILERS = literal('grpc-status', '0');

function requestHeaders(path: string, authority: string): Buffer {
  const block = Buffer.concat([
    Buffer.from([INDEXED_METHOD_POST, INDEXED_SCHEME_HTTP]),
    literal(NAME_PATH, path),
    literal(NAME_AUTHORITY, authority),
    GRPC,
    literal('te', 'trailers'),
  ]);
  return frame(Frame.Headers, END_HEADERS, STREAM, block);
}

/** Since no table was offered, 200 is the entry of the static table, perhaps behind a change of the table's size. */
function isOk(block: Buffer): boolean {
  let at = 0;
  while (at < block.length && (block[at]! & 0xe0) === 0x20) at++;
  return block[at] === INDEXED_STATUS_200;
}

/** Path of a request of our own client; undefined for headers written in any other way. */
function pathOf(block: Buffer): string | undefined {
  let at = 0;
  let path: string | undefined;
  const string = (): string | undefined => {
    const length = block[at++] ?? 0xff;
    // The high bit is Huffman's; a length of 127 and more takes further bytes.
    if (length > 126 || at + length > block.length) return undefined;
    at += length;
    return block.toString('latin1', at - length, at);
  };
  while (at < block.length) {
    const first = block[at++]!;
    if (first & 0x80) continue;
    if (first & 0xf0) return undefined;
    if (first === 0x0f) at++;
    const name = first === 0 ? string() : '';
    const value = string();
    if (name === undefined || value === undefined) return undefined;
    if (first === NAME_PATH[0]) path = value;
  }
  return path;
}
