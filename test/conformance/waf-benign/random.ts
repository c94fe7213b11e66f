/** Numbers that look random and are the same for the same seed (mulberry32). */
export class Random {
  constructor(private state: number) {}

  /** @returns a whole number from 0 to `below` − 1 */
  int(below: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  }

  /** @returns a whole number from `least` to `most` */
  between(least: number, most: number): number {
    return least + this.int(most - least + 1);
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.int(items.length)]!;
  }

  /** Happens so many times in a hundred. */
  happens(percent: number): boolean {
    return this.int(100) < percent;
  }

  times<Item>(least: number, most: number, make: (at: number) => Item): Item[] {
    return Array.from({ length: this.between(least, most) }, (_, at) => make(at));
  }

  hex(digits: number): string {
    return Array.from({ length: digits }, () => this.int(16).toString(16)).join('');
  }

  bytes(count: number): Buffer {
    const buffer = Buffer.allocUnsafe(count);
    for (let at = 0; at < count; at++) buffer[at] = this.int(256);
    return buffer;
  }

  uuid(): string {
    return `${this.hex(8)}-${this.hex(4)}-4${this.hex(3)}-a${this.hex(3)}-${this.hex(12)}`;
  }

  /** A moment of some year, in ISO 8601. */
  moment(): string {
    return new Date(
      Date.UTC(2025, this.int(20), this.between(1, 28), this.int(24), this.int(60), this.int(60)),
    ).toISOString();
  }

  day(): string {
    return this.moment().slice(0, 10);
  }
}
