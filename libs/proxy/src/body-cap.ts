import { refuse, type Refusal } from '@sallyport/contracts';

/** Counts the body of one request against what it may weigh. */
export class BodyCap {
  private counted = 0;

  /** @param maxBytes what the body may weigh at most */
  constructor(private maxBytes: number) {}

  /** Lowers the cap; it never rises, so that the strictest policy holds whatever the order. */
  lower(maxBytes: number): void {
    this.maxBytes = Math.min(this.maxBytes, maxBytes);
  }

  /** Judges an announced length, before a byte is read. */
  announce(contentLength: number | undefined): Refusal | undefined {
    return contentLength !== undefined && contentLength > this.maxBytes ? this.tooLarge() : undefined;
  }

  /** Counts bytes as they are read: a chunked body announces nothing. */
  count(bytes: number): Refusal | undefined {
    this.counted += bytes;
    return this.counted > this.maxBytes ? this.tooLarge() : undefined;
  }

  /** Bytes counted so far. */
  get bytes(): number {
    return this.counted;
  }

  private tooLarge(): Refusal {
    return refuse('BODY_TOO_LARGE', { maxBytes: this.maxBytes });
  }
}
