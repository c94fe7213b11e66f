import { createHash } from 'node:crypto';
import { refuse, type Refusal } from '@sallyport/contracts';

/** RFC 6455 §7.4.1, and 1014 of the IANA registry. */
export const closeCodes = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  tooBig: 1009,
  badGateway: 1014,
} as const;

/** Why a connection cannot go on: what the one who is to blame is told. */
export interface WebSocketFault {
  readonly code: number;
  readonly reason: string;
}

export type ControlFrame = 'close' | 'ping' | 'pong';

/** Where the frames of one direction go. */
export interface FrameSink {
  /** Parts of data frames, in order. */
  onData(bytes: Buffer): void;
  /**
   * @param payload without its mask
   * @param frame as it came, to be passed on or not
   */
  onControl(kind: ControlFrame, payload: Buffer, frame: Buffer): void;
}

const CONTINUATION = 0;
const BINARY = 2;
const controls: Readonly<Record<number, ControlFrame>> = { 8: 'close', 9: 'ping', 10: 'pong' };
/** RFC 6455 §5.5 */
const MOST_CONTROL_BYTES = 125;
const LONGEST_HEAD = 14;

/**
 * Judges the frames of one direction of a WebSocket (RFC 6455 §5) while they pass: nothing of a frame goes on before its
 * head was judged, and nothing of a message is held. No extension is ever agreed on, so that what a message weighs is
 * what it will weigh.
 */
export class FrameGate {
  private readonly head = Buffer.alloc(LONGEST_HEAD);
  private headBytes = 0;
  private left = 0;
  private control: { kind: ControlFrame; frame: Buffer; filled: number; headBytes: number } | undefined;
  private message: number | undefined;
  private ended = false;

  /**
   * @param masked whether every frame must be masked, as those of clients, or none may be (§5.1)
   * @param maxMessageBytes of all frames of one message together
   */
  constructor(
    private readonly masked: boolean,
    private readonly maxMessageBytes: number,
    private readonly sink: FrameSink,
  ) {}

  /** Whether what was passed on ends with a whole frame, so that another one can be put behind it. */
  get atBoundary(): boolean {
    return this.left === 0;
  }

  /** @returns what is wrong; everything before that was passed on, and nothing more may be fed. */
  push(chunk: Buffer): WebSocketFault | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.left > 0) at += this.takePayload(chunk, at);
      else {
        if (this.ended) return fault('a frame behind the one that closes');
        at += this.takeHead(chunk, at);
        if (this.headBytes < this.headLength()) return undefined;
        const wrong = this.begin();
        if (wrong) return wrong;
      }
    }
    return undefined;
  }

  private takeHead(chunk: Buffer, at: number): number {
    const from = at;
    while (at < chunk.length && this.headBytes < this.headLength()) this.head[this.headBytes++] = chunk[at++]!;
    return at - from;
  }

  /** Bytes of the head, as far as its first two tell. */
  private headLength(): number {
    if (this.headBytes < 2) return 2;
    const length = this.head[1]! & 0x7f;
    return 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + ((this.head[1]! & 0x80) !== 0 ? 4 : 0);
  }

  private begin(): WebSocketFault | undefined {
    const [first = 0, second = 0] = this.head;
    const headBytes = this.headBytes;
    this.headBytes = 0;
    const final = (first & 0x80) !== 0;
    const opcode = first & 0x0f;
    if ((first & 0x70) !== 0) return fault('a bit of an extension nobody agreed on');
    if (((second & 0x80) !== 0) !== this.masked)
      return fault(this.masked ? 'a frame without a mask' : 'a masked frame');
    const length = this.payloadLength(second & 0x7f);
    if (length === undefined) return fault('a length that is not written in its shortest form');
    const kind = controls[opcode];
    if (kind) return this.beginControl(kind, final, length, headBytes);
    const wrong = this.judgeData(opcode, final, length);
    if (wrong) return wrong;
    this.left = length;
    this.sink.onData(Buffer.from(this.head.subarray(0, headBytes)));
    return undefined;
  }

  /** §5.2: the shortest form, and at most 2⁶³ − 1; beyond 2⁵³ no limit of ours reaches. */
  private payloadLength(short: number): number | undefined {
    if (short < 126) return short;
    const length = short === 126 ? this.head.readUInt16BE(2) : Number(this.head.readBigUInt64BE(2));
    return length < (short === 126 ? 126 : 65_536) || length >= 2 ** 63 ? undefined : length;
  }

  private judgeData(opcode: number, final: boolean, length: number): WebSocketFault | undefined {
    if (opcode > BINARY) return fault('an opcode that is reserved');
    if ((opcode === CONTINUATION) !== (this.message !== undefined))
      return fault(opcode === CONTINUATION ? 'the continuation of nothing' : 'a message within a message');
    const message = (this.message ?? 0) + length;
    if (message > this.maxMessageBytes)
      return { code: closeCodes.tooBig, reason: `a message of more than ${this.maxMessageBytes} bytes` };
    this.message = final ? undefined : message;
    return undefined;
  }

  private beginControl(
    kind: ControlFrame,
    final: boolean,
    length: number,
    headBytes: number,
  ): WebSocketFault | undefined {
    if (!final || length > MOST_CONTROL_BYTES) return fault('a control frame that is long or in parts');
    if (kind === 'close' && length === 1) return fault('half a close code');
    const frame = Buffer.alloc(headBytes + length);
    this.head.copy(frame, 0, 0, headBytes);
    this.control = { kind, frame, filled: headBytes, headBytes };
    this.left = length;
    return length === 0 ? this.endControl() : undefined;
  }

  private takePayload(chunk: Buffer, at: number): number {
    const taken = Math.min(this.left, chunk.length - at);
    this.left -= taken;
    if (!this.control) this.sink.onData(chunk.subarray(at, at + taken));
    else {
      chunk.copy(this.control.frame, this.control.filled, at, at + taken);
      this.control.filled += taken;
      if (this.left === 0) this.endControl();
    }
    return taken;
  }

  private endControl(): undefined {
    const { kind, frame, headBytes } = this.control!;
    this.control = undefined;
    if (kind === 'close') this.ended = true;
    const payload = Buffer.from(frame.subarray(headBytes));
    if (this.masked) applyMask(payload, frame.subarray(headBytes - 4, headBytes));
    this.sink.onControl(kind, payload, frame);
  }
}

function fault(reason: string): WebSocketFault {
  return { code: closeCodes.protocolError, reason };
}

function applyMask(bytes: Buffer, key: Uint8Array): void {
  for (let at = 0; at < bytes.length; at++) bytes[at]! ^= key[at & 3]!;
}

/**
 * Makes a control frame of our own.
 * @param mask four random bytes where we are the client, undefined where we are the server
 */
export function controlFrame(kind: ControlFrame, payload: Uint8Array, mask: Uint8Array | undefined): Buffer {
  const opcode = kind === 'close' ? 8 : kind === 'ping' ? 9 : 10;
  const head = Buffer.from([0x80 | opcode, (mask ? 0x80 : 0) | payload.length]);
  const body = Buffer.from(payload);
  if (mask) applyMask(body, mask);
  return Buffer.concat(mask ? [head, mask, body] : [head, body]);
}

/** @param reason at most 123 bytes of it go out (§5.5.1) */
export function closeFrame({ code, reason }: WebSocketFault, mask: Uint8Array | undefined): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return controlFrame('close', Buffer.concat([payload, Buffer.from(reason).subarray(0, 123)]), mask);
}

/** Sixteen bytes in base64, with nothing in the bits that are left over. */
const KEY = /^[A-Za-z0-9+/]{21}[AQgw]==$/;

/** The only version there is (RFC 6455 §4.1). */
const WEBSOCKET_VERSION = '13';

/** @returns why a request cannot open a WebSocket (RFC 6455 §4.2.1), beyond what makes it an upgrade. */
export function handshakeRefusal(field: ReadonlyMap<string, string>): Refusal | undefined {
  if (field.get('sec-websocket-version') !== WEBSOCKET_VERSION)
    return refuse('WEBSOCKET_VERSION_UNSUPPORTED', { version: WEBSOCKET_VERSION });
  return KEY.test(field.get('sec-websocket-key') ?? '')
    ? undefined
    : refuse('REQUEST_MALFORMED', { reason: 'Sec-WebSocket-Key is not sixteen bytes in base64' });
}

/** What a server must answer to a key (§4.2.2). */
export function acceptOf(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}
