import type { Socket } from 'node:net';
import { Readable } from 'node:stream';
import type { ParsedHead } from '@sallyport/proxy';
import type { Incoming } from './connection';

/** A request of an HTTP/1 connection, as its parser read it. */
export class Http1Request implements Incoming {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: string[];
  readonly httpVersion: string;
  readonly bodyFollows: boolean;
  complete = false;
  takeOver: Incoming['takeOver'];
  private stream: RequestBody | undefined;

  /** @param onWant called when the body is read faster than it comes */
  constructor(
    { method, target, rawHeaders, httpVersion, bodyFollows }: ParsedHead,
    readonly socket: Socket,
    private readonly onWant: () => void,
  ) {
    this.method = method;
    this.url = target;
    this.rawHeaders = rawHeaders;
    this.httpVersion = httpVersion;
    this.bodyFollows = bodyFollows;
  }

  /** Made when somebody asks for it: most requests have none. */
  get body(): Readable {
    if (this.stream) return this.stream;
    this.stream = new RequestBody(this.onWant);
    if (this.complete) this.stream.push(null);
    return this.stream;
  }

  /** @returns false when more is not wanted yet */
  take(pieces: readonly Buffer[], complete: boolean): boolean {
    // A body of many small chunks is held in few pieces: each one costs more than the byte in it.
    const more = pieces.length === 0 || this.body.push(pieces.length === 1 ? pieces[0] : Buffer.concat(pieces));
    this.complete = complete;
    if (complete) this.stream?.push(null);
    return more || complete;
  }

  /** What is missing of the body will not come. */
  breakOff(): void {
    if (!this.complete) this.stream?.destroy();
  }
}

class RequestBody extends Readable {
  constructor(private readonly onWant: () => void) {
    super();
  }

  override _read(): void {
    this.onWant();
  }
}
