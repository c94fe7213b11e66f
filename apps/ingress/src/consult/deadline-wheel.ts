import type { Clock } from '@sallyport/contracts';

/** What can lie in the wheel. It expires when the tick it was last armed for comes; 0 takes it out. */
export interface Perishable {
  expires: number;
}

const TICK_MS = 10;
/** More than the longest budget, so that a slot holds one tick's entries only. */
const SLOTS = 256;
const LONGEST_MS = (SLOTS - 2) * TICK_MS;

/**
 * Every deadline of a process on one 10 ms interval, since a timer per consult costs more than the consult. Nothing
 * expires early; it may expire up to two ticks late. What was answered meanwhile is passed over when its slot comes.
 */
export class DeadlineWheel<Entry extends Perishable> {
  private readonly slots: Entry[][] = Array.from({ length: SLOTS }, () => []);
  private held = 0;
  private done = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly expire: (entry: Entry) => void,
  ) {}

  /** @param milliseconds from now; more than 2.5 s counts as 2.5 s. */
  arm(entry: Entry, milliseconds: number): void {
    const now = this.clock.monotonic();
    if (!this.timer) this.start(now);
    const tick = Math.ceil((now + Math.min(milliseconds, LONGEST_MS)) / TICK_MS);
    entry.expires = Math.max(tick, this.done + 1);
    this.slots[entry.expires % SLOTS]!.push(entry);
    this.held++;
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private start(now: number): void {
    this.done = Math.floor(now / TICK_MS);
    // Timers run before the sockets are read: an answer that already lies there while this process was busy is no
    // late answer, so the slots are looked at after the sockets.
    this.timer = setInterval(() => setImmediate(this.advance), TICK_MS).unref();
  }

  private readonly advance = (): void => {
    const now = Math.floor(this.clock.monotonic() / TICK_MS);
    // After a long pause of the process one turn of the wheel has passed every slot.
    for (let tick = Math.max(this.done + 1, now - SLOTS + 1); tick <= now; tick++) this.empty(tick);
    this.done = Math.max(this.done, now);
    if (this.held === 0) this.close();
  };

  private empty(tick: number): void {
    const slot = this.slots[tick % SLOTS]!;
    if (slot.length === 0) return;
    this.slots[tick % SLOTS] = [];
    this.held -= slot.length;
    for (const entry of slot) {
      if (entry.expires === 0 || entry.expires > tick) continue;
      entry.expires = 0;
      this.expire(entry);
    }
  }
}
