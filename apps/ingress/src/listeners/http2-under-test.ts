import {
  connect as http2Connect,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';
import { connect, type Socket } from 'node:net';
import { END_HEADERS, END_STREAM, frame } from '../../../../libs/proxy/src/upstream/http2/frames.suite';

export { END_HEADERS, END_STREAM, frame };

/** The answer to one request over HTTP/2. */
export interface Answer2 {
  readonly fields: IncomingHttpHeaders & { ':status'?: number };
  readonly trailers: IncomingHttpHeaders;
  readonly body: string;
}

/** Works over a connection of Node's own client, which ends with the work. */
export async function withSession(
  origin: string,
  work: (session: ClientHttp2Session) => Promise<void>,
  options: SecureClientSessionOptions = {},
): Promise<void> {
  const session = http2Connect(origin, options);
  session.on('error', () => undefined);
  try {
    await work(session);
  } finally {
    session.destroy();
  }
}

/** Asks over a connection of Node's own client, and waits for the whole answer. */
export function get2(session: ClientHttp2Session, path: string, fields: object = {}, body?: Buffer): Promise<Answer2> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':path': path, ...fields }, { endStream: body === undefined });
    const answer = { fields: {}, trailers: {}, body: '' };
    stream.on('response', (head) => (answer.fields = head));
    stream.on('trailers', (trailers: IncomingHttpHeaders) => (answer.trailers = trailers));
    stream.on('data', (chunk: Buffer) => (answer.body += chunk.toString()));
    stream.on('error', reject);
    stream.on('end', () => resolve(answer));
    if (body !== undefined) stream.end(body);
  });
}

// ---- frames by hand (RFC 9113 §4.1, RFC 7541 §6) --------------------------------------------------------------------

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
/** Types of frames (RFC 9113 §6). */
export const DATA = 0;
export const HEADERS = 1;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const GOAWAY = 7;
/** Flags (RFC 9113 §6); ACK has the bit of END_STREAM. */
export const ACK = 1;

const empty = Buffer.alloc(0);

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A field of a header block, which goes into the table of the decoder. */
export function literal(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.from([0x40, name.length]),
    Buffer.from(name),
    integer7(value.length),
    Buffer.from(value),
  ]);
}

function integer7(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  readonly payload: Buffer;
}

/** The frames that stand in some bytes, but for one that is not whole. */
export function framesOf(bytes: Buffer): Frame[] {
  const frames = [];
  for (let at = 0; at + 9 <= bytes.length;) {
    const length = bytes.readUIntBE(at, 3);
    const payload = bytes.subarray(at + 9, at + 9 + length);
    frames.push({ type: bytes[at + 3]!, flags: bytes[at + 4]!, id: bytes.readUInt32BE(at + 5), payload });
    at += 9 + length;
  }
  return frames;
}

/** A client that writes what it is told to, and keeps what it is sent. */
export class RawHttp2Client {
  private received = empty;
  private readonly socket: Socket;

  /** Connects and begins; @param settings payload of its SETTINGS frame. */
  constructor(port: number, settings: Buffer = empty) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk: Buffer) => (this.received = Buffer.concat([this.received, chunk])));
    this.write(PREFACE, frame(SETTINGS, 0, 0, settings));
  }

  write(...frames: readonly Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  frames(type: number): readonly Frame[] {
    return framesOf(this.received).filter((one) => one.type === type);
  }

  /** Error codes of what it was told to go with. */
  get goaways(): readonly number[] {
    return this.frames(GOAWAY).map(({ payload }) => payload.readUInt32BE(4));
  }

  get closed(): boolean {
    return this.socket.closed;
  }

  destroy(): void {
    this.socket.destroy();
  }
}
