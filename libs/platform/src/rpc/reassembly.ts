const NOTHING = Buffer.alloc(0);

/** Units that say in a header of a fixed length how long they are. */
export interface UnitKind {
  /** Bytes of a unit that tell its size. */
  readonly header: number;
  /** Bytes of the unit that begins at `at`, its header, which is there, included; `Infinity` when it has ended this. */
  sizeAt(bytes: Buffer, at: number): number;
  /** Takes one whole unit. It lies in a buffer that is used again as soon as this returns. */
  take(bytes: Buffer, start: number, end: number): void;
}

/**
 * Makes whole units of bytes that come in pieces of any size. A unit that lies whole in a piece is taken where it lies. One
 * that does not is gathered in one buffer of its size, so that a byte costs the same in however small pieces it comes.
 */
export class Reassembly {
  /** Bytes that wait, from `from` to `to`: of a unit that has not come whole, or of many while none is taken. */
  private room = NOTHING;
  private from = 0;
  private to = 0;
  private state: 'taking' | 'holding' | 'over' = 'taking';

  constructor(private readonly kind: UnitKind) {}

  /** Bytes that have come and wait. */
  get waiting(): number {
    return this.to - this.from;
  }

  get isHolding(): boolean {
    return this.state === 'holding';
  }

  /** Takes in the next piece; what is needed of it later is copied. */
  add(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (this.waiting > 0 && this.state === 'taking' && at < end) at = this.complete(bytes, at, end);
    at = this.takeWhole(bytes, at, end);
    if (at < end) this.keep(bytes, at, end, this.state === 'taking' ? this.sizeAt(bytes, at, end) : 0);
  }

  /** From now on units wait. */
  hold(): void {
    if (this.state === 'taking') this.state = 'holding';
  }

  /** Takes those that have waited, unless `hold` comes in between, and then those that come. */
  release(): void {
    if (this.state !== 'holding') return;
    this.state = 'taking';
    while (this.state === 'taking' && this.waiting >= this.sizeAt(this.room, this.from, this.to)) this.takeFirst();
  }

  /** Lets everything go, and takes nothing more. */
  end(): void {
    this.state = 'over';
    this.clear();
  }

  /** Takes the units that lie whole in a piece. @returns where the first begins that does not. */
  private takeWhole(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (this.state === 'taking' && at < end) {
      const size = this.sizeAt(bytes, at, end);
      if (end - at < size) break;
      this.kind.take(bytes, at, at + size);
      at += size;
    }
    return at;
  }

  /** Adds to the unit that has begun, and takes it when it is whole. @returns where what follows it begins. */
  private complete(bytes: Buffer, start: number, end: number): number {
    const size = this.sizeAt(this.room, this.from, this.to);
    const upTo = Math.min(end, start + size - this.waiting);
    this.keep(bytes, start, upTo, size);
    if (this.state === 'taking' && this.waiting >= this.sizeAt(this.room, this.from, this.to)) this.takeFirst();
    return upTo;
  }

  /** Takes the first of those that wait; it has left before anybody hears of it. */
  private takeFirst(): void {
    const { room, from } = this;
    this.from += this.sizeAt(room, from, this.to);
    const upTo = this.from;
    if (this.from === this.to) this.clear();
    this.kind.take(room, from, upTo);
  }

  /** @returns size of a unit as far as it is known: that of its header until this is there. */
  private sizeAt(bytes: Buffer, at: number, end: number): number {
    const { header } = this.kind;
    return end - at < header ? header : this.kind.sizeAt(bytes, at);
  }

  /** @param size what is expected to wait in the end; more may. */
  private keep(bytes: Buffer, start: number, end: number, size: number): void {
    if (this.state === 'over') return;
    const waiting = this.waiting + end - start;
    if (this.to + end - start > this.room.length) {
      // Twice as much as waits, so that a byte is moved once on average.
      const larger = Buffer.allocUnsafe(Math.max(size, waiting <= size ? 0 : 2 * waiting));
      this.room.copy(larger, 0, this.from, this.to);
      this.to -= this.from;
      this.from = 0;
      this.room = larger;
    }
    this.to += bytes.copy(this.room, this.to, start, end);
  }

  private clear(): void {
    this.room = NOTHING;
    this.from = 0;
    this.to = 0;
  }
}
