const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * Measures the events of a stream (`text/event-stream`) as their bytes pass: an event ends with an empty line. Costs a
 * look at the last bytes of a chunk as long as no event can be too long.
 */
export class EventMeter {
  /** Bytes since the last empty line. */
  private bytes = 0;
  /** The last byte seen, and whether the line it ends has been empty so far. */
  private last = 0;
  private lineIsEmpty = true;

  constructor(private readonly maxBytes: number) {}

  /** @returns whether an event has become longer than it may. */
  push(chunk: Uint8Array): boolean {
    if (chunk.length === 0) return false;
    if (this.bytes + chunk.length <= this.maxBytes && endsWithEmptyLine(chunk)) {
      this.bytes = 0;
      this.last = LINE_FEED;
      this.lineIsEmpty = true;
      return false;
    }
    return this.walk(chunk);
  }

  /** Whether the stream stands between two lines, so that a comment could be put in; after an empty line, between events. */
  get place(): 'event' | 'line' | 'middle' {
    if (this.last !== LINE_FEED && this.last !== CARRIAGE_RETURN && this.last !== 0) return 'middle';
    return this.bytes === 0 ? 'event' : 'line';
  }

  private walk(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!;
      const endsLine = byte === LINE_FEED ? this.last !== CARRIAGE_RETURN : byte === CARRIAGE_RETURN;
      this.bytes += 1;
      if (endsLine) {
        if (this.lineIsEmpty) this.bytes = 0;
        this.lineIsEmpty = true;
      } else if (byte !== LINE_FEED) this.lineIsEmpty = false;
      // The line feed behind a carriage return belongs to the line that has ended.
      else if (this.bytes === 1) this.bytes = 0;
      this.last = byte;
      if (this.bytes > this.maxBytes) return true;
    }
    return false;
  }
}

function endsWithEmptyLine(chunk: Uint8Array): boolean {
  return chunk.length >= 2 && chunk[chunk.length - 1] === LINE_FEED && chunk[chunk.length - 2] === LINE_FEED;
}
