import { defaultBounds, EventMeter, fieldValue, type Bounds, type RawFields } from '@sallyport/proxy';
import type { Outgoing } from './listeners/connection';

/**
 * The answer to one request. Holds its last byte back until the exchange is on record: the last byte of a bodiless answer
 * is its head, of an announced length the last chunk, of a stream the closing chunk. So whoever has received a whole
 * answer finds it in the audit trail, even when this process dies in the next instant.
 */
export class Answer {
  /** 0 until a head was given. */
  status = 0;
  bytes = 0;
  /** What the route lets an answer cost. */
  bounds: Bounds = defaultBounds;
  private fields: RawFields = [];
  /** Of a stream of events: how long its events are. */
  private events: EventMeter | undefined;
  private ended = false;
  /** The connection speaks another protocol now. */
  private switched = false;
  private announced: number | undefined;
  private held: Buffer | undefined;
  /** Whoever waits for room; the response is listened to from the first time on that there is none. */
  private waiting: (() => void)[] | undefined;
  private listens = false;

  /**
   * @param record called once, when the last byte is due; it calls `go` when that byte may leave.
   * @param tooLong called once, when an event of a stream is longer than it may be; that part of it was not passed on.
   */
  constructor(
    private readonly response: Outgoing,
    private readonly record: (go: () => void) => void,
    private readonly tooLong: () => void,
  ) {}

  /** Whether the caller has nothing yet, so that another answer can take the place of this one. */
  get replaceable(): boolean {
    return !this.response.headersSent && !this.switched;
  }

  /** Whether events can still be added: a stream of them is under way, and nothing is wrapped around its bytes. */
  get takesEvents(): boolean {
    const { response, announced, fields } = this;
    if (!response.headersSent || response.destroyed || this.ended || announced !== undefined) return false;
    return isEventStream(fields);
  }

  /** Whether bytes wait for the caller to read. */
  get isPending(): boolean {
    return (this.response.writableLength ?? 0) > 0;
  }

  get isSwitched(): boolean {
    return this.switched;
  }

  /** Puts a comment into a stream of events, which nobody reads and which keeps it open; not into the middle of a line. */
  comment(): void {
    const place = this.events?.place;
    if (place === 'event') this.response.write(COMMENT);
    else if (place === 'line') this.response.write(COMMENT_LINE);
  }

  /** Somebody else speaks on the connection from here on (RFC 9110 §15.2.2). */
  switchProtocol(): void {
    this.status = 101;
    this.switched = true;
  }

  /** @param fields names in lower case */
  head(status: number, fields: RawFields): void {
    this.status = status;
    this.fields = fields;
    const length = fieldValue(fields, 'content-length');
    this.announced = length === undefined ? undefined : Number(length);
    if (length === undefined && isEventStream(fields)) this.events = new EventMeter(this.bounds.eventBytes);
    this.response.sendDate = fieldValue(fields, 'date') === undefined;
    this.response.writeHead(status, fields as string[]);
  }

  /** @returns false when the caller's buffer is full; `onDrain` tells when it is not. */
  data(chunk: Buffer): boolean {
    if (this.events?.push(chunk)) {
      this.events = undefined;
      this.tooLong();
      return true;
    }
    this.bytes += chunk.length;
    if (this.held) this.response.write(this.held);
    this.held = undefined;
    if (this.announced === undefined || this.bytes < this.announced) return this.write(chunk);
    this.held = chunk;
    return true;
  }

  private write(chunk: Buffer): boolean {
    const { response } = this;
    if (response.write(chunk) || (response.writableLength ?? Infinity) < this.bounds.streamBufferBytes) return true;
    if (!this.listens) response.on('drain', () => this.drained());
    this.listens = true;
    return false;
  }

  onDrain(listener: () => void): void {
    if (this.waiting) this.waiting.push(listener);
    else this.waiting = [listener];
  }

  private drained(): void {
    for (const listener of this.waiting ?? []) listener();
  }

  end(): void {
    this.ended = true;
    this.record(() => {
      const { held, response } = this;
      if (held === undefined) response.end();
      else response.end(held);
    });
  }

  /** Cuts the connection: the only honest end of an answer whose rest will not come. */
  destroy(): void {
    this.ended = true;
    this.record(() => this.response.destroy());
  }
}

/** A comment, and the end of an event that has no data: nothing happens at the reader. */
const COMMENT = Buffer.from(':\n\n');
const COMMENT_LINE = Buffer.from(':\n');

function isEventStream(fields: RawFields): boolean {
  const type = fieldValue(fields, 'content-type');
  if (type === undefined || !/^text\/event-stream *(;|$)/i.test(type)) return false;
  return fieldValue(fields, 'content-encoding') === undefined;
}
