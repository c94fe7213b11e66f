/** Follows UTF-8 byte by byte as RFC 3629 §4 allows it: no overlong form, no surrogate, nothing above U+10FFFF. */
export class Utf8Watch {
  private pending = 0;
  private low = 0x80;
  private high = 0xbf;

  /** @returns false when the sequence is broken. */
  accept(byte: number): boolean {
    if (this.pending > 0) {
      const fits = byte >= this.low && byte <= this.high;
      this.expect(this.pending - 1, 0x80, 0xbf);
      return fits;
    }
    if (byte < 0x80) return true;
    if (byte >= 0xc2 && byte <= 0xdf) this.expect(1, 0x80, 0xbf);
    else if (byte >= 0xe0 && byte <= 0xef) this.expect(2, byte === 0xe0 ? 0xa0 : 0x80, byte === 0xed ? 0x9f : 0xbf);
    else if (byte >= 0xf0 && byte <= 0xf4) this.expect(3, byte === 0xf0 ? 0x90 : 0x80, byte === 0xf4 ? 0x8f : 0xbf);
    else return false;
    return true;
  }

  /** Whether no character is half read. */
  get complete(): boolean {
    return this.pending === 0;
  }

  private expect(pending: number, low: number, high: number): void {
    this.pending = pending;
    this.low = low;
    this.high = high;
  }
}
