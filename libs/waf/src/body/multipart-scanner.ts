/** What a form of several parts may be made of; sizes in bytes as written. */
export interface MultipartLimits {
  readonly parts: number;
  /** Head of one part. */
  readonly headerBytes: number;
  /** Name of one file, without its quotes. */
  readonly fileNameBytes: number;
}

export type MultipartFault = 'syntax' | 'parts' | 'header' | 'fileName';

const END_OF_HEAD = Buffer.from('\r\n\r\n');
const DASHES = Buffer.from('--');
/** RFC 2046 §5.1.1: what a boundary is made of, and how long it may be. */
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/;
const PARAMETER = /;\s*boundary=(?:"([^"\\]*)"|([^\s;"]*))\s*(?=;|$)/gi;
const FILE_NAME = /;\s*filename\*?=(?:"((?:[^"\\]|\\.)*)"|([^\r\n;"]*))/gi;

/** @returns the boundary that a Content-Type names, once and well-formed; otherwise undefined. */
export function boundaryOf(contentType: string): string | undefined {
  const [first, more] = [...contentType.matchAll(PARAMETER)];
  const boundary = first?.[1] ?? first?.[2];
  return boundary !== undefined && !more && BOUNDARY.test(boundary) ? boundary : undefined;
}

/**
 * Follows a body of `multipart/form-data` (RFC 7578) as its bytes arrive: counts its parts and reads their heads, in time
 * linear in the bytes and in memory bounded by the limits.
 */
export class MultipartScanner {
  private readonly delimiter: Buffer;
  private place: 'preamble' | 'head' | 'data' | 'epilogue' = 'preamble';
  /** Bytes that could be the beginning of something. */
  private rest: Buffer = Buffer.from('\r\n');
  private parts = 0;
  private fault: MultipartFault | undefined;

  constructor(
    boundary: string,
    private readonly limits: MultipartLimits,
  ) {
    this.delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  }

  /** @returns the fault, as soon as there is one; it stays. */
  push(chunk: Uint8Array): MultipartFault | undefined {
    if (this.fault || this.place === 'epilogue') return this.fault;
    this.rest = Buffer.concat([this.rest, chunk]);
    while (!this.fault && this.step());
    return this.fault;
  }

  /** @returns the fault of the whole: a form that does not end is none. */
  end(): MultipartFault | undefined {
    if (!this.fault && this.place !== 'epilogue') this.fault = 'syntax';
    return this.fault;
  }

  /** @returns whether there may be more to do with what is at hand. */
  private step(): boolean {
    if (this.place === 'head') return this.readHead();
    if (this.place === 'epilogue') return false;
    return this.findDelimiter();
  }

  private findDelimiter(): boolean {
    const at = this.rest.indexOf(this.delimiter);
    if (at < 0) {
      this.rest = this.rest.subarray(Math.max(0, this.rest.length - this.delimiter.length));
      return false;
    }
    const after = at + this.delimiter.length;
    if (this.rest.length < after + 2) {
      this.rest = this.rest.subarray(at);
      return false;
    }
    if (this.rest.subarray(after, after + 2).equals(DASHES)) return this.goTo('epilogue', after);
    this.parts += 1;
    if (this.parts > this.limits.parts) this.fault = 'parts';
    return this.goTo('head', after);
  }

  private readHead(): boolean {
    const at = this.rest.indexOf(END_OF_HEAD);
    if ((at < 0 ? this.rest.length : at) > this.limits.headerBytes) this.fault = 'header';
    if (at < 0 || this.fault) return false;
    if (at === 0 || !this.rest.subarray(0, 2).equals(END_OF_HEAD.subarray(0, 2))) this.fault = 'syntax';
    for (const match of this.rest.toString('latin1', 0, at).matchAll(FILE_NAME)) {
      if ((match[1] ?? match[2] ?? '').length > this.limits.fileNameBytes) this.fault = 'fileName';
    }
    // The line end that closes the head may open the delimiter of a part without data.
    return this.goTo('data', at + 2);
  }

  private goTo(place: 'head' | 'data' | 'epilogue', from: number): boolean {
    this.place = place;
    this.rest = this.rest.subarray(from);
    return !this.fault;
  }
}
