import { METHODS } from 'node:http';
import type { HeadLimits } from '../limits';
import { CountedBody } from './counted-body';
import { ChunkedBody, isTokenByte, trimmed } from './chunked-body';

const CR = 13;
const LF = 10;
const TAB = 9;
const BLANK = 32;
const MOST_EMPTY_LINES = 4;
const NOTHING: Buffer = Buffer.alloc(0);
const END_OF_HEAD = Buffer.from('\r\n\r\n');

/** RFC 9112 §3: three parts, one blank between them; which of them are served is judged by whoever reads them. */
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e\x80-\xff]+) HTTP\/(\d\.\d)$/;
/** A word that is none is more likely a message that is read from the wrong place than a method. */
const KNOWN_METHODS: ReadonlySet<string> = new Set(METHODS);
const LENGTH = /^\d{1,15}$/;
/** What stands around the target and the fields: the method, the version, blanks and line ends. */
const AROUND_BYTES = 64;

/** The head of a request, before anything is believed. */
export interface ParsedHead {
  readonly method: string;
  readonly target: string;
  /** As `1.1`. */
  readonly httpVersion: string;
  /** Names and values in turn, as received (latin1: one character a byte), values without the blanks around them. */
  readonly rawHeaders: string[];
  /** Whether bytes follow that belong to the message, or might. */
  readonly bodyFollows: boolean;
  /** Whether the client keeps the connection (RFC 9112 §9.3). */
  readonly persistent: boolean;
  /** Whether the client asks for another protocol (RFC 9110 §7.8), and has no body: behind the head may come what is no HTTP. */
  readonly upgrade: boolean;
}

/** What is wrong with the bytes of a request. */
export interface RequestFault {
  readonly kind: 'malformed' | 'too-large' | 'target-too-long';
  readonly reason: string;
  /** What has come of the head, where that is what is wrong. */
  readonly head?: Buffer;
}

type State = 'head' | 'length' | 'chunks' | 'unknown' | 'done';

/**
 * Reads the requests of one HTTP/1.1 connection (RFC 9112), one at a time, and takes nothing whose lines or chunks could be
 * read in two ways. It is fed with what a socket gives and stops behind each message; nothing of a feed counts when it ends
 * in a fault. What the fields mean is judged by the canonical request: where that refuses, nothing behind it may be read.
 */
export class RequestParser {
  /** Undefined until the head has come. */
  head: ParsedHead | undefined;
  /** Of the body, what came with the last feed. */
  readonly pieces: Buffer[] = [];
  /** From then on nothing more is read. */
  fault: RequestFault | undefined;

  private state: State = 'head';
  private readonly counted = new CountedBody();
  private readonly chunks = new ChunkedBody();
  /** What has come of a head, in a buffer with room for more. */
  private rest: Buffer = NOTHING;
  private kept = 0;
  private emptyLines = 0;

  private readonly headBytes: number;

  constructor(private readonly limits: Pick<HeadLimits, 'blockBytes' | 'targetBytes'>) {
    this.headBytes = limits.blockBytes + limits.targetBytes + AROUND_BYTES;
  }

  /** Whether the last byte of the message was read. */
  get complete(): boolean {
    return this.state === 'done';
  }

  /** Whether a part of a head has come. */
  get begun(): boolean {
    return this.kept > 0;
  }

  /** The message is answered; the next one may come. */
  next(): void {
    this.head = undefined;
    this.state = 'head';
    this.emptyLines = 0;
    this.pieces.length = 0;
  }

  /** @returns how many bytes belong to this message; those behind them to the next. */
  feed(bytes: Buffer): number {
    this.pieces.length = 0;
    let at = 0;
    while (at < bytes.length && this.state !== 'done' && this.fault === undefined) at = this.step(bytes, at);
    if (this.fault !== undefined) this.pieces.length = 0;
    return at;
  }

  private step(bytes: Buffer, at: number): number {
    switch (this.state) {
      case 'head':
        return this.kept === 0 ? this.readHead(bytes, at) : this.readHeadOn(bytes, at);
      case 'length':
        return this.readCounted(bytes, at);
      case 'chunks':
        return this.readChunks(bytes, at);
      default:
        // Where this message ends cannot be said, so that nothing behind it is one.
        return bytes.length;
    }
  }

  private readHead(bytes: Buffer, at: number): number {
    // RFC 9112 §2.2: empty lines in front of a request are read over; clients of old sent one behind a body.
    if (this.emptyLines < MOST_EMPTY_LINES && bytes[at] === CR && bytes[at + 1] === LF) {
      this.emptyLines++;
      return at + 2;
    }
    const end = bytes.indexOf(END_OF_HEAD, at);
    if (end < 0) {
      this.keep(bytes, at);
      this.judgeBegun(0);
      return bytes.length;
    }
    if (end + 4 - at > this.headBytes) return this.tooLarge(bytes.subarray(at, end), at);
    this.parseHead(bytes.toString('latin1', at, end));
    return end + 4;
  }

  /** Goes on with a head of which a part has come; no byte is looked at twice. */
  private readHeadOn(bytes: Buffer, at: number): number {
    const { kept } = this;
    this.keep(bytes, at);
    if (this.emptyLines < MOST_EMPTY_LINES && this.kept > 1 && this.rest[0] === CR && this.rest[1] === LF) {
      this.emptyLines++;
      this.kept = 0;
      return at + 2 - kept;
    }
    const end = this.rest.subarray(0, this.kept).indexOf(END_OF_HEAD, Math.max(0, kept - 3));
    if (end < 0) {
      this.judgeBegun(kept);
      return bytes.length;
    }
    if (end + 4 > this.headBytes) return this.tooLarge(this.rest.subarray(0, end), at);
    const text = this.rest.toString('latin1', 0, end);
    this.kept = 0;
    // What came with the end of a head may be much more than a head, and a connection lives long.
    this.rest = NOTHING;
    this.parseHead(text);
    return at + end + 4 - kept;
  }

  private keep(bytes: Buffer, at: number): void {
    const length = this.kept + bytes.length - at;
    if (length > this.rest.length) {
      const grown = Buffer.allocUnsafe(Math.max(length, 2 * this.rest.length));
      this.rest.copy(grown, 0, 0, this.kept);
      this.rest = grown;
    }
    bytes.copy(this.rest, this.kept, at);
    this.kept = length;
  }

  /** A head that is not complete yet must at least look like one. @param from what was judged before */
  private judgeBegun(from: number): void {
    const { rest, kept } = this;
    const head = rest.subarray(0, kept);
    if (kept > this.headBytes) return void this.tooLarge(head, 0);
    if (from === 0 && !isTokenByte(rest[0]!) && rest[0] !== CR)
      return this.fail('its first byte begins no method', head);
    for (let at = from; at < kept; at++) {
      const byte = rest[at]!;
      if (byte === LF && (at === 0 || rest[at - 1] !== CR))
        return this.fail('a line ends without a carriage return', head);
      if (at > 0 && byte !== LF && rest[at - 1] === CR)
        return this.fail('a carriage return stands inside of a line', head);
      if (byte === 0) return this.fail('a byte of its head is zero', head);
    }
  }

  private parseHead(text: string): void {
    let end = text.indexOf('\r\n');
    const line = REQUEST_LINE.exec(end < 0 ? text : text.slice(0, end));
    if (line === null) return this.failHead('its first line is no request line', text);
    if (!KNOWN_METHODS.has(line[1]!)) return this.failHead('nobody knows its method', text);
    const httpVersion = line[3]!;
    const framing = new Framing(httpVersion);
    const rawHeaders: string[] = [];
    while (end >= 0) {
      const at = end + 2;
      end = text.indexOf('\r\n', at);
      const stop = end < 0 ? text.length : end;
      const colon = text.indexOf(':', at);
      if (colon <= at || colon >= stop) return this.failHead('a line of its head is no field', text);
      const name = text.slice(at, colon);
      const value = trimmed(text, colon + 1, stop);
      framing.read(name, value, text.charCodeAt(stop - 1) === TAB);
      rawHeaders.push(name, value);
    }
    if (framing.oddBlanks) return this.failHead('a tab ends a line that says where the message ends', text);
    this.begin(framing);
    this.head = {
      method: line[1]!,
      target: line[2]!,
      httpVersion,
      rawHeaders,
      bodyFollows: this.state !== 'done',
      persistent: framing.persistent,
      upgrade: framing.upgrade && framing.connectionUpgrade && this.state === 'done',
    };
  }

  private begin({ known, length, chunked }: Framing): void {
    if (!known) this.state = 'unknown';
    else if (chunked) {
      this.chunks.begin();
      this.state = 'chunks';
    } else {
      this.counted.begin(length);
      this.state = length > 0 ? 'length' : 'done';
    }
  }

  private readCounted(bytes: Buffer, at: number): number {
    const end = this.counted.read(bytes, at, this.pieces);
    if (this.counted.complete) this.state = 'done';
    return end;
  }

  private readChunks(bytes: Buffer, at: number): number {
    const { chunks } = this;
    const end = chunks.read(bytes, at, this.pieces);
    if (chunks.fault !== undefined) this.fail(chunks.fault);
    else if (chunks.complete) this.state = 'done';
    return end;
  }

  private tooLarge(head: Buffer, at: number): number {
    // RFC 9112 §3: whoever sends too long a target is told so, however long it is.
    const kind = targetBytesOf(head) > this.limits.targetBytes ? 'target-too-long' : 'too-large';
    this.fault = { kind, reason: `more than ${this.headBytes} bytes`, head };
    return at;
  }

  private failHead(reason: string, text: string): void {
    this.fail(reason, Buffer.from(`${text}\r\n\r\n`, 'latin1'));
  }

  private fail(reason: string, head?: Buffer): void {
    this.fault = { kind: 'malformed', reason, ...(head && { head }) };
  }
}

/** How many bytes of a target there are in a head that may not be complete. */
function targetBytesOf(head: Buffer): number {
  const endOfLine = head.indexOf(CR);
  const line = endOfLine < 0 ? head : head.subarray(0, endOfLine);
  const begin = line.indexOf(BLANK) + 1;
  const end = begin === 0 ? begin : line.indexOf(BLANK, begin);
  return (end < 0 ? line.length : end) - begin;
}

/** What the fields of a head say about where the message ends, and the connection. */
class Framing {
  length = 0;
  chunked = false;
  /** Whether there is one way, and only one, to say where the message ends (RFC 9112 §6.3). */
  known = true;
  /** RFC 9110 §5.5 has blanks around a value mean nothing; not every parser knows that of a tab behind a number. */
  oddBlanks = false;
  persistent: boolean;
  upgrade = false;
  connectionUpgrade = false;
  private counted = false;
  private closes = false;

  constructor(private readonly version: string) {
    this.persistent = version === '1.1';
    if (version !== '1.1' && version !== '1.0') this.known = false;
  }

  /** @param tab whether a tab ends the line */
  read(name: string, value: string, tab: boolean): void {
    switch (name.length) {
      case 7:
        if (name.toLowerCase() === 'upgrade') this.upgrade = true;
        return;
      case 10:
        if (name.toLowerCase() === 'connection') this.readConnection(value.toLowerCase());
        return;
      case 14:
        if (name.toLowerCase() !== 'content-length') return;
        this.oddBlanks ||= tab;
        return this.readLength(value);
      case 17:
        if (name.toLowerCase() !== 'transfer-encoding') return;
        this.oddBlanks ||= tab;
        return this.readTransferEncoding(value);
    }
  }

  private readLength(value: string): void {
    if (this.counted || this.chunked || !LENGTH.test(value)) this.known = false;
    this.counted = true;
    this.length = Number(value);
  }

  private readTransferEncoding(value: string): void {
    if (this.counted || this.chunked || this.version !== '1.1' || value.toLowerCase() !== 'chunked') this.known = false;
    this.chunked = true;
  }

  private readConnection(value: string): void {
    for (const member of value === 'keep-alive' || value === 'close' ? [value] : value.split(',')) {
      const option = member.trim();
      if (option === 'close') this.closes = true;
      else if (option === 'keep-alive') this.persistent = true;
      else if (option === 'upgrade') this.connectionUpgrade = true;
    }
    if (this.closes) this.persistent = false;
  }
}
