import type { Clock } from '@sallyport/contracts';

/** What can lie in the wheel. It expires when the tick it was last armed for comes; with 0 it is passed over. */
export interface Perishable {
  expires: number;
}

const TICK_MS = 4;
/** More than the longest budget, so that a slot holds one tick's entries only. */
const SLOTS = 640;
const LONGEST_MS = (SLOTS - 2) * TICK_MS;

/**
 * Every deadline of a process on one 4 ms interval, since a timer for each costs more than what it is for. The interval runs
 * only while something lies in the wheel: with little to do, most of what wakes a process would be its ticks.
 *
 * Nothing expires early, and nothing expires of which the answer has come in time: while this process was busy with
 * something else, answers may lie unread in its sockets. So a deadline that has passed when a turn of the event loop
 * begins ends its entry only after that turn has read the sockets. It may be two ticks late for that, or as late as this
 * process itself was.
 */
export class DeadlineWheel<Entry extends Perishable> {
  private readonly slots: Entry[][] = Array.from({ length: SLOTS }, () => []);
  private held = 0;
  private done = 0;
  private due = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly expire: (entry: Entry) => void,
  ) {}

  /** @param milliseconds from now; more than 2.5 s counts as 2.5 s. */
  arm(entry: Entry, milliseconds: number): void {
    this.armAt(entry, this.clock.monotonic(), milliseconds);
  }

  /** The same for many at one moment. @param now the moment, of the wheel's clock. */
  armAt(entry: Entry, now: number, milliseconds: number): void {
    if (!this.timer) this.start(now);
    const tick = Math.ceil((now + Math.min(milliseconds, LONGEST_MS)) / TICK_MS);
    entry.expires = Math.max(tick, this.done + 1);
    this.slots[entry.expires % SLOTS]!.push(entry);
    this.held++;
  }

  /** Takes an entry out before its time; one that does not lie in the wheel is left as it is. */
  disarm(entry: Entry): void {
    if (entry.expires <= 0) return;
    const slot = this.slots[entry.expires % SLOTS]!;
    entry.expires = 0;
    // Who is answered was most likely asked last.
    const at = slot.lastIndexOf(entry);
    // Those of the tick that has just come are out already.
    if (at < 0) return;
    const last = slot.pop()!;
    if (at < slot.length) slot[at] = last;
    if (--this.held === 0) this.close();
  }

  close(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private start(now: number): void {
    this.done = Math.floor(now / TICK_MS);
    // Timers run first in a turn, then the sockets are read, then come the immediates.
    this.timer = setInterval(() => {
      this.due = Math.floor(this.clock.monotonic() / TICK_MS);
      setImmediate(this.advance);
    }, TICK_MS).unref();
  }

  private readonly advance = (): void => {
    const { due } = this;
    // After a long pause of the process one turn of the wheel has passed every slot.
    for (let tick = Math.max(this.done + 1, due - SLOTS + 1); tick <= due; tick++) this.empty(tick);
    this.done = Math.max(this.done, due);
    if (this.held === 0) this.close();
  };

  /**
   * Puts back what is due in a later turn of the wheel: after a long pause, what was armed at its end. An entry that was
   * armed again for another tick lies in the slot of that tick already.
   */
  private keep(entry: Entry, tick: number): void {
    if ((entry.expires - tick) % SLOTS !== 0) return;
    this.slots[tick % SLOTS]!.push(entry);
    this.held++;
  }

  private empty(tick: number): void {
    const slot = this.slots[tick % SLOTS]!;
    if (slot.length === 0) return;
    this.slots[tick % SLOTS] = [];
    this.held -= slot.length;
    for (const entry of slot) {
      if (entry.expires > tick) this.keep(entry, tick);
      else if (entry.expires > 0) {
        entry.expires = 0;
        this.expire(entry);
      }
    }
  }
}
