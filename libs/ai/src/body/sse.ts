import { HeldBytes } from '@sallyport/proxy';

/** One event may have this many bytes; more is not a stream of events. */
export const MAX_EVENT_BYTES = 1024 * 1024;

export class EventTooLarge extends Error {
  constructor() {
    super(`an event is larger than ${MAX_EVENT_BYTES} bytes`);
    this.name = 'EventTooLarge';
  }
}

const LF = 0x0a;
const CR = 0x0d;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Splits a byte stream into server-sent events (WHATWG HTML §9.2.5) at blank lines, in bytes: an event goes out as it
 * came, its blank line included, and no character is decoded. However the stream is cut into chunks, the events are
 * the same; that is why a carriage return waits for the byte after it, which may belong to the same line end. A byte order
 * mark may lead the stream and is no part of it (§9.2.5): left there, it would hide the first line from every reader.
 */
export class SseSplitter {
  private readonly held = new HeldBytes();
  /** Whether an event went out: only the first can have the mark. */
  private begun = false;
  /** Nothing has come since the last line end. */
  private atLineStart = true;
  /** The byte before was a carriage return. */
  private afterReturn = false;
  /** The event ended with that carriage return, unless a line feed follows. */
  private eventEnds = false;

  /** @param onEvent called for each event that is whole, in order, before `push` returns. */
  constructor(private readonly onEvent: (event: Buffer) => void) {}

  /** @throws EventTooLarge */
  push(chunk: Buffer): void {
    let start = 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (this.afterReturn) {
        this.afterReturn = false;
        const sameLineEnd = byte === LF;
        if (this.eventEnds) {
          this.eventEnds = false;
          const end = sameLineEnd ? at + 1 : at;
          this.emit(chunk.subarray(start, end));
          start = end;
        }
        if (sameLineEnd) continue;
      }
      if (byte === LF) {
        if (this.atLineStart) {
          this.emit(chunk.subarray(start, at + 1));
          start = at + 1;
        } else this.atLineStart = true;
      } else if (byte === CR) {
        this.afterReturn = true;
        this.eventEnds = this.atLineStart;
        this.atLineStart = true;
      } else this.atLineStart = false;
    }
    if (start < chunk.length) this.hold(chunk.subarray(start));
  }

  /** @returns what came after the last blank line: empty when the stream ended with an event. */
  end(): Buffer {
    if (this.eventEnds) this.emit(Buffer.alloc(0));
    return this.withoutMark(this.held.take());
  }

  private hold(part: Buffer): void {
    if (this.held.length + part.length > MAX_EVENT_BYTES) throw new EventTooLarge();
    this.held.push(part);
  }

  private emit(last: Buffer): void {
    this.atLineStart = true;
    if (this.held.length + last.length > MAX_EVENT_BYTES) throw new EventTooLarge();
    let event = last;
    if (this.held.length > 0) {
      this.held.push(last);
      event = this.held.take();
    }
    if (!this.begun) event = this.withoutMark(event);
    this.onEvent(event);
  }

  private withoutMark(bytes: Buffer): Buffer {
    const marked = !this.begun && bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
    this.begun = true;
    return marked ? bytes.subarray(BYTE_ORDER_MARK.length) : bytes;
  }
}

/**
 * The data of an event: its `data` lines joined by line feeds, one space after the colon cut off.
 * @returns undefined when it has none, as a comment or a keep-alive.
 */
export function eventData(event: Buffer): string | undefined {
  const lines = event.toString('utf8').split(/\r\n|\r|\n/);
  const data: string[] = [];
  for (const line of lines) {
    if (line === 'data') data.push('');
    else if (line.startsWith('data:')) data.push(line.charCodeAt(5) === 0x20 ? line.slice(6) : line.slice(5));
  }
  return data.length > 0 ? data.join('\n') : undefined;
}
