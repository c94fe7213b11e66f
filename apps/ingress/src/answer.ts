import { fieldValue, type RawFields } from '@sallyport/proxy';
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
  private fields: RawFields = [];
  private ended = false;
  /** The connection speaks another protocol now. */
  private switched = false;
  private announced: number | undefined;
  private held: Buffer | undefined;

  /** @param record called once, when the last byte is due; it calls `go` when that byte may leave. */
  constructor(
    private readonly response: Outgoing,
    private readonly record: (go: () => void) => void,
  ) {}

  /** Whether the caller has nothing yet, so that another answer can take the place of this one. */
  get replaceable(): boolean {
    return !this.response.headersSent && !this.switched;
  }

  /** Whether events can still be added: a stream of them is under way, and nothing is wrapped around its bytes. */
  get takesEvents(): boolean {
    const { response, announced, fields } = this;
    if (!response.headersSent || response.destroyed || this.ended || announced !== undefined) return false;
    const type = fieldValue(fields, 'content-type') ?? '';
    return /^text\/event-stream *(;|$)/i.test(type) && fieldValue(fields, 'content-encoding') === undefined;
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
    this.response.sendDate = fieldValue(fields, 'date') === undefined;
    this.response.writeHead(status, fields as string[]);
  }

  /** @returns false when the caller's buffer is full; `onDrain` tells when it is not. */
  data(chunk: Buffer): boolean {
    this.bytes += chunk.length;
    if (this.held) this.response.write(this.held);
    this.held = undefined;
    if (this.announced === undefined || this.bytes < this.announced) return this.response.write(chunk);
    this.held = chunk;
    return true;
  }

  onDrain(listener: () => void): void {
    this.response.on('drain', listener);
  }

  end(): void {
    this.ended = true;
    this.record(() => {
      if (this.held) this.response.end(this.held);
      else this.response.end();
    });
  }

  /** Cuts the connection: the only honest end of an answer whose rest will not come. */
  destroy(): void {
    this.ended = true;
    this.record(() => this.response.destroy());
  }
}
