import { isSendable } from '../../headers-out';
import { ChunkedBody, trimmed } from '../../http1/chunked-body';
import { CountedBody } from '../../http1/counted-body';

const CR = 13;
const LF = 10;
const END_OF_HEAD = Buffer.from('\r\n\r\n');

/** Informational answers before the real one: more are not meant to inform. */
const MOST_INFORMATIONAL = 8;

type State = 'head' | 'length' | 'chunks' | 'close' | 'switched' | 'done';

const NO_FIELDS: readonly string[] = [];

/**
 * Reads the answers of one HTTP/1.1 connection (RFC 9112), and takes nothing that could be read in two ways. It is fed
 * with what a socket gives, and says after each feed what has come; nothing of a feed counts when it ends in a fault.
 */
export class ResponseParser {
  /** 0 until the head of the answer has come. */
  status = 0;
  /** Names in lower case. */
  fields: readonly string[] = NO_FIELDS;
  /** Of the body, or of what follows a switch of protocols, what came with the last feed. */
  readonly pieces: Buffer[] = [];
  /** What is wrong; from then on nothing more is read. */
  fault: string | undefined;
  /** Whether the connection can carry another exchange after this one. */
  reusable = false;
  /** How long the upstream keeps an idle connection, where it says so; milliseconds. */
  keepAliveMs: number | undefined;

  private state: State = 'done';
  private bodiless = false;
  private maySwitch = false;
  private rest: Buffer | undefined;
  private readonly counted = new CountedBody();
  private readonly chunks = new ChunkedBody();
  private informational = 0;

  /** @param headBytes what the head of an answer may weigh */
  constructor(private readonly headBytes: number) {}

  get complete(): boolean {
    return this.state === 'done';
  }

  /** Whether the answer ends with the connection. */
  get endsWithConnection(): boolean {
    return this.state === 'close';
  }

  /**
   * A request goes out; its answer is next.
   * @param maySwitch whether it asks for another protocol: then a 101 is an answer, and the last that is read here.
   */
  begin(method: string, maySwitch = false): void {
    this.status = 0;
    this.fields = NO_FIELDS;
    this.bodiless = method === 'HEAD';
    this.maySwitch = maySwitch;
    this.informational = 0;
    this.state = 'head';
  }

  feed(chunk: Buffer): void {
    this.pieces.length = 0;
    let at = 0;
    while (at < chunk.length && this.fault === undefined) at = this.step(chunk, at);
    if (this.fault !== undefined) this.pieces.length = 0;
  }

  private step(chunk: Buffer, at: number): number {
    switch (this.state) {
      case 'head':
        return this.readHead(chunk, at);
      case 'length':
        return this.readCounted(chunk, at);
      case 'chunks':
        return this.readChunks(chunk, at);
      case 'close':
      case 'switched':
        this.pieces.push(at === 0 ? chunk : chunk.subarray(at));
        return chunk.length;
      case 'done':
        return this.fail('bytes follow the answer', at);
    }
  }

  private readHead(chunk: Buffer, at: number): number {
    const { rest } = this;
    const before = rest?.length ?? 0;
    const buffer = rest ? Buffer.concat([rest, at === 0 ? chunk : chunk.subarray(at)]) : chunk;
    const from = rest ? 0 : at;
    const end = buffer.indexOf(END_OF_HEAD, rest ? Math.max(0, before - 3) : at);
    if (end < 0) return this.keepForLater(buffer, from, chunk.length);
    if (end + 4 - from > this.headBytes) return this.fail(`its head has more than ${this.headBytes} bytes`, at);
    this.rest = undefined;
    this.parseHead(buffer.toString('latin1', from, end));
    return rest ? at + end + 4 - before : end + 4;
  }

  /** A head that is not complete yet must at least look like one. */
  private keepForLater(buffer: Buffer, from: number, consumed: number): number {
    const length = buffer.length - from;
    if (length > this.headBytes) return this.fail(`its head has more than ${this.headBytes} bytes`, consumed);
    if (!'HTTP/1.'.startsWith(buffer.toString('latin1', from, from + Math.min(length, 7))))
      return this.fail('it is not HTTP/1.1', consumed);
    for (let lf = buffer.indexOf(LF, from); lf >= 0; lf = buffer.indexOf(LF, lf + 1))
      if (buffer[lf - 1] !== CR) return this.fail('a line of its head ends without a carriage return', consumed);
    // A copy: what a socket gave is not held for the sake of a few bytes of it.
    this.rest = Buffer.from(buffer.subarray(from));
    return consumed;
  }

  private parseHead(text: string): void {
    const endOfLine = text.indexOf('\r\n');
    const status = statusOf(endOfLine < 0 ? text : text.slice(0, endOfLine));
    if (status === undefined) return void this.fail('its status line is malformed', 0);
    const framing = new Framing(text.charCodeAt(7) === 49 /* 1 */);
    const fields: string[] = [];
    let at = endOfLine < 0 ? text.length : endOfLine + 2;
    while (at < text.length) {
      let end = text.indexOf('\r\n', at);
      if (end < 0) end = text.length;
      const colon = text.indexOf(':', at);
      if (colon <= at || colon >= end) return void this.fail('a line of its head is no field', 0);
      const name = text.slice(at, colon).toLowerCase();
      const value = trimmed(text, colon + 1, end);
      if (!isSendable(name, value)) return void this.fail('a field holds bytes that no field may hold', 0);
      const fault = framing.read(name, value);
      if (fault !== undefined) return void this.fail(fault, 0);
      fields.push(name, value);
      at = end + 2;
    }
    this.takeHead(status, fields, framing);
  }

  private takeHead(status: number, fields: readonly string[], framing: Framing): void {
    const { length, chunked } = framing;
    if (chunked && length >= 0) return void this.fail('it has both a length and chunks', 0);
    if (status === 101) return this.switch(fields, framing);
    if (status < 200) {
      // RFC 9112 §6.1, RFC 9110 §8.6: an informational answer has neither.
      if (chunked || length >= 0) return void this.fail('an informational answer announces a body', 0);
      if (++this.informational > MOST_INFORMATIONAL) this.fail('it informs without end', 0);
      return;
    }
    this.status = status;
    this.fields = fields;
    this.keepAliveMs = framing.keepAliveMs;
    // RFC 9112 §6.1, RFC 9110 §8.6: a 204 announces no body. One that it does may come late, and be read as the next answer.
    this.reusable = framing.persistent && !(status === 204 && framing.announcesBody);
    if (this.bodiless || status === 204 || status === 304) this.state = 'done';
    else if (chunked) {
      this.chunks.begin();
      this.state = 'chunks';
    } else if (length >= 0) {
      this.counted.begin(length);
      this.state = length === 0 ? 'done' : 'length';
    } else {
      this.reusable = false;
      this.state = 'close';
    }
  }

  private switch(fields: readonly string[], { chunked, length, is11 }: Framing): void {
    if (!this.maySwitch) return void this.fail('it switches protocols unasked', 0);
    // RFC 9110 §7.8: HTTP/1.0 knows no other protocol. A length of nothing is said by some, and does no harm.
    if (!is11 || chunked || length > 0) return void this.fail('its agreement to switch protocols is malformed', 0);
    this.status = 101;
    this.fields = fields;
    this.reusable = false;
    this.state = 'switched';
  }

  private readCounted(chunk: Buffer, at: number): number {
    const end = this.counted.read(chunk, at, this.pieces);
    if (this.counted.complete) this.state = 'done';
    return end;
  }

  private readChunks(chunk: Buffer, at: number): number {
    const { chunks } = this;
    const end = chunks.read(chunk, at, this.pieces);
    if (chunks.fault !== undefined) return this.fail(chunks.fault, end);
    if (chunks.complete) this.state = 'done';
    return end;
  }

  private fail(fault: string, at: number): number {
    this.fault = fault;
    this.reusable = false;
    this.rest = undefined;
    return at;
  }
}

/** What the fields of a head say about where the answer ends, and the connection. */
class Framing {
  /** -1: none. */
  length = -1;
  chunked = false;
  keepAliveMs: number | undefined;
  persistent: boolean;
  private closes = false;

  constructor(readonly is11: boolean) {
    this.persistent = is11;
  }

  get announcesBody(): boolean {
    return this.chunked || this.length > 0;
  }

  /** @returns what is wrong with a field. */
  read(name: string, value: string): string | undefined {
    switch (name) {
      case 'content-length':
        // RFC 9112 §6.3: equal values might be taken for one; whoever sends two has lost track of its own framing.
        if (this.length >= 0 || !/^\d{1,15}$/.test(value)) return 'its length is malformed or given twice';
        this.length = Number(value);
        return undefined;
      case 'transfer-encoding':
        if (!this.is11 || this.chunked || value.toLowerCase() !== 'chunked')
          return 'its transfer encoding is not chunked';
        this.chunked = true;
        return undefined;
      case 'connection':
        // RFC 9112 §9.3: whoever says `close` means it, whatever else it says.
        this.closes ||= /(^|,)[ \t]*close[ \t]*(,|$)/i.test(value);
        this.persistent = !this.closes && (this.persistent || /(^|,)[ \t]*keep-alive[ \t]*(,|$)/i.test(value));
        return undefined;
      case 'keep-alive': {
        const seconds = /(?:^|,)[ \t]*timeout=(\d{1,6})/i.exec(value)?.[1];
        if (seconds !== undefined) this.keepAliveMs = Number(seconds) * 1000;
        return undefined;
      }
      default:
        return undefined;
    }
  }
}

/** @returns undefined when it is no status line (RFC 9112 §4); a reason phrase is read over. */
function statusOf(line: string): number | undefined {
  const match = /^HTTP\/1\.[01] ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/.exec(line);
  return match ? Number(match[1]) : undefined;
}
