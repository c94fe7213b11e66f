import { BodyView } from './body-view';

/** Bytes of a run of base64 that are shown: what begins in it is decoded by rules. */
const SHOWN = 1024;
const BACKSLASH = 0x5c;
const SLASH = 0x2f;

/** RFC 4648 §4 without the padding, which ends a run and is shown. */
const ALPHABET = new Uint8Array(256);
for (const byte of Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')) ALPHABET[byte] = 1;

/**
 * JSON without what pictures, sound and documents are made of: of a run of base64 the beginning is shown, and each byte that is
 * left out was seen to be a letter, a digit, `+` or `/`. Space, quotes, brackets, escapes and every other sign end a run and
 * are shown, so that the document around it stays as it is.
 */
export class Base64View extends BodyView {
  /** Length of the run that is going on. */
  private run = 0;
  private leaving = false;
  /** The last byte of a run was a backslash: `\/` stands for a slash (RFC 8259 §7), and anything else ends the run. */
  private escaped = false;

  protected take(chunk: Buffer): void {
    for (let at = 0; at < chunk.length && !this.tooLong;) {
      at = this.leaving ? this.leaveRun(chunk, at) : this.showUpToRun(chunk, at);
    }
  }

  protected override flush(): void {
    if (this.leaving && this.escaped) this.keep(Buffer.from([BACKSLASH]));
  }

  /** Shows bytes up to where a run has been shown for long enough. @returns where that is. */
  private showUpToRun(chunk: Buffer, from: number): number {
    let at = from;
    for (; at < chunk.length && this.run < SHOWN; at++) this.count(chunk[at]!);
    this.leaving = this.run >= SHOWN;
    this.keep(chunk.subarray(from, at));
    return at;
  }

  private count(byte: number): void {
    if (ALPHABET[byte] === 1 && (!this.escaped || byte === SLASH)) this.run += 1;
    else if (byte !== BACKSLASH || this.escaped) this.run = 0;
    this.escaped = byte === BACKSLASH && !this.escaped;
  }

  /** Leaves bytes out up to the end of the run. @returns where that is. */
  private leaveRun(chunk: Buffer, from: number): number {
    let at = from;
    if (this.escaped) {
      if (chunk[at] !== SLASH) return this.endRun(at, true);
      this.escaped = false;
      this.leaveOut(2);
      at += 1;
    }
    const begin = at;
    while (at < chunk.length && ALPHABET[chunk[at]!] === 1) at += 1;
    this.leaveOut(at - begin);
    if (at === chunk.length) return at;
    if (chunk[at] !== BACKSLASH) return this.endRun(at, false);
    this.escaped = true;
    return at + 1;
  }

  /** @param held whether a backslash was held back that ends it */
  private endRun(at: number, held: boolean): number {
    if (held) this.keep(Buffer.from([BACKSLASH]));
    this.leaving = false;
    this.run = 0;
    // `escaped` stays: what follows a backslash belongs to it.
    return at;
  }
}
