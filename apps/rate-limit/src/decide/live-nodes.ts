/** One open stream, and the process it belongs to once that has said its name. */
interface Seat {
  node: string;
  readonly tell: (live: number) => void;
}

/**
 * Counts the ingress processes that are connected: what each of them divides a limit by while this service is away.
 * Everybody hears of a change at once, so that the number they fall back on is at most as old as their last message.
 */
export class LiveNodes {
  private readonly seats = new Set<Seat>();

  /** Processes connected now, however many streams each has; never less than one. */
  get count(): number {
    const named = new Set<string>();
    for (const { node } of this.seats) if (node !== '') named.add(node);
    return Math.max(1, named.size);
  }

  /** @param tell hears the number whenever it changes. */
  join(tell: (live: number) => void): { name(node: string): void; leave(): void } {
    const seat: Seat = { node: '', tell };
    this.seats.add(seat);
    return {
      name: (node) => {
        if (seat.node === node) return;
        this.change(() => (seat.node = node), seat);
      },
      leave: () => {
        if (this.seats.has(seat)) this.change(() => this.seats.delete(seat), seat);
      },
    };
  }

  private change(make: () => void, mover: Seat): void {
    const before = this.count;
    make();
    const live = this.count;
    if (live === before) return;
    for (const seat of this.seats) if (seat !== mover) seat.tell(live);
  }
}
