import { isSendable } from '../headers-out';
import { limits } from '../limits';
import { CountedBody } from './counted-body';

const CR = 13;
const LF = 10;
const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;
const BACKSLASH = 92;

/** Leading zeros say nothing, and are no way around the bound on a line. */
const MOST_SIZE_DIGITS = 16;
const MOST_EXTENSION_BYTES = limits.body.chunkExtensionBytes;
const LONG_EXTENSION = `a chunk extension of more than ${MOST_EXTENSION_BYTES} bytes`;
/** What a chunk may take on the wire beside its data, for nothing; and what all of them may take beyond that. */
const FREE_BYTES = 16;
const MOST_EXCESS_BYTES = 16 * 1024;
const MALFORMED_EXTENSION = 'an extension of a chunk is malformed';
/** All trailer fields together. */
const MOST_TRAILER_BYTES = 8 * 1024;

type State =
  | 'size'
  | 'extension-name'
  | 'extension-value'
  | 'extension-quoted'
  | 'extension-escaped'
  | 'extension-unquoted'
  | 'line-end'
  | 'data'
  | 'end'
  | 'trailer'
  | 'done';

/**
 * Reads a body in chunks (RFC 9112 §7.1), whichever side sends it, and takes nothing that could be read in two ways.
 * Extensions and trailers are read to find their end, and dropped.
 */
export class ChunkedBody {
  /** What is wrong; from then on nothing more may be read. */
  fault: string | undefined;

  private state: State = 'size';
  private size = -1;
  private readonly data = new CountedBody();
  /** Bytes since the last that was data; of the trailers, all of them. */
  private counted = 0;
  /** Bytes of extensions for which there was too little data: what a body may weigh must also bound what is read for it. */
  private excess = 0;
  /** Of the line that is being read. */
  private trailer = '';
  /** Whether an extension has a byte of the name, or the value, that is being read. */
  private named = false;

  /** Whether the last byte was read. */
  get complete(): boolean {
    return this.state === 'done';
  }

  /** Another body begins. */
  begin(): void {
    this.fault = undefined;
    this.trailer = '';
    this.excess = 0;
    this.beginChunk();
  }

  /**
   * Reads on, to the end of the body or of what has come.
   * @param at where in `bytes` to begin
   * @param pieces gets the data of the chunks
   * @returns where it ended
   */
  read(bytes: Buffer, at: number, pieces: Buffer[]): number {
    while (at < bytes.length && this.state !== 'done' && this.fault === undefined) {
      if (this.state === 'data') at = this.readData(bytes, at, pieces);
      else this.readByte(bytes[at++]!);
    }
    return at;
  }

  private beginChunk(): void {
    this.state = 'size';
    this.size = -1;
    this.counted = 0;
  }

  private readData(bytes: Buffer, at: number, pieces: Buffer[]): number {
    const end = this.data.read(bytes, at, pieces);
    this.counted = 0;
    if (this.data.complete) this.state = 'end';
    return end;
  }

  private readByte(byte: number): void {
    if (this.state === 'trailer') return this.readTrailer(byte);
    this.counted++;
    switch (this.state) {
      case 'size':
        return this.readSize(byte);
      case 'line-end':
        return this.endLine(byte);
      case 'end':
        if (byte !== (this.counted === 1 ? CR : LF)) return this.fail('a chunk does not end where it says');
        if (this.counted === 2) this.beginChunk();
        return;
      default:
        this.readExtension(byte);
    }
  }

  private endLine(byte: number): void {
    if (byte !== LF) return this.fail('the line of a chunk does not end');
    const { counted, size } = this;
    this.excess = Math.max(0, this.excess + counted - FREE_BYTES - 2 * size);
    if (this.excess > MOST_EXCESS_BYTES) return this.fail('its chunks say more than they hold');
    this.data.begin(size);
    this.counted = 0;
    this.state = size === 0 ? 'trailer' : 'data';
  }

  private readSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.size = Math.max(0, this.size) * 16 + digit;
      if (this.counted > MOST_SIZE_DIGITS || this.size > Number.MAX_SAFE_INTEGER / 16)
        this.fail('a chunk is too large');
    } else if (this.size < 0) this.fail('a chunk has no size');
    else if (byte === CR) this.state = 'line-end';
    else if (byte === SEMICOLON) {
      this.beginExtension();
      this.counted = 0;
    } else this.fail('the size of a chunk is malformed');
  }

  private beginExtension(): void {
    this.state = 'extension-name';
    this.named = false;
  }

  /** RFC 9112 §7.1.1, without the blanks that nobody needs and some read in another way. */
  private readExtension(byte: number): void {
    if (this.counted > MOST_EXTENSION_BYTES) return this.fail(LONG_EXTENSION);
    const { state } = this;
    if (state === 'extension-quoted' || state === 'extension-escaped') return this.readQuoted(byte);
    if (state !== 'extension-unquoted' && isTokenByte(byte)) this.named = true;
    else if (state === 'extension-value' && byte === QUOTE && !this.named) this.state = 'extension-quoted';
    else if (!this.named) this.fail(MALFORMED_EXTENSION);
    else if (byte === CR) this.state = 'line-end';
    else if (byte === SEMICOLON) this.beginExtension();
    else if (state === 'extension-name' && byte === EQUALS) {
      this.state = 'extension-value';
      this.named = false;
    } else this.fail(MALFORMED_EXTENSION);
  }

  private readQuoted(byte: number): void {
    if (byte !== 9 && (byte < 32 || byte > 126)) return this.fail(MALFORMED_EXTENSION);
    if (this.state === 'extension-escaped') this.state = 'extension-quoted';
    else if (byte === BACKSLASH) this.state = 'extension-escaped';
    else if (byte === QUOTE) {
      this.state = 'extension-unquoted';
      this.named = true;
    }
  }

  private readTrailer(byte: number): void {
    if (++this.counted > MOST_TRAILER_BYTES) return this.fail('the trailers are too long');
    if (byte !== LF) {
      this.trailer += String.fromCharCode(byte);
      return;
    }
    const line = this.trailer;
    this.trailer = '';
    if (!line.endsWith('\r')) return this.fail('a line of the trailers ends without a carriage return');
    if (line === '\r') {
      this.state = 'done';
      return;
    }
    const fault = judgeTrailer(line.slice(0, -1));
    if (fault !== undefined) this.fail(fault);
  }

  private fail(fault: string): void {
    this.fault = fault;
  }
}

function judgeTrailer(line: string): string | undefined {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
  if (colon < 1 || !isSendable(name, trimmed(line, colon + 1, line.length)))
    return 'a line of the trailers is no field';
  // RFC 9110 §6.5.1: whoever merges trailers with the fields would read another message.
  if (name === 'content-length' || name === 'transfer-encoding') return 'a trailer says where the message ends';
  return undefined;
}

/** RFC 9110 §5.6.2. */
export function isTokenByte(byte: number): boolean {
  return TOKEN_BYTES[byte] === 1;
}

const TOKEN_BYTES = new Uint8Array(256);
for (const character of "!#$%&'*+-.^_`|~") TOKEN_BYTES[character.charCodeAt(0)] = 1;
for (let digit = 48; digit <= 57; digit++) TOKEN_BYTES[digit] = 1;
for (let letter = 65; letter <= 90; letter++) TOKEN_BYTES[letter] = TOKEN_BYTES[letter + 32] = 1;

/** Without the blanks around it (RFC 9112 §5.1); a line that begins with one is caught as a name that is none. */
export function trimmed(text: string, from: number, to: number): string {
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
