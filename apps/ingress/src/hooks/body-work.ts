/**
 * How much of a turn goes to whole bodies before everything else has its turn again. A turn as long as all answers that happen to be
 * there would keep every other request, of whatever route, from being read, refused or answered meanwhile.
 */
const BUDGET_MS = 10;

interface Waiting {
  readonly since: number;
  readonly task: () => void;
}

/**
 * Does what policies do to whole bodies, milliseconds of it at a time: what does not fit into a turn of the loop waits for the next,
 * in order.
 */
export class BodyWork {
  private readonly waiting: Waiting[] = [];
  private spentMs = 0;
  private turnBegun = false;
  private isBusy = false;
  private readonly turnEnd = (): void => this.nextTurn();

  /** @param now milliseconds of a clock that never goes back */
  constructor(private readonly now: () => number) {}

  /** How long the first of those that wait has waited, milliseconds. */
  get lateMs(): number {
    const [first] = this.waiting;
    return first ? this.now() - first.since : 0;
  }

  /** @param task done now or in a later turn; what it brings of its own is a part of it. It must not throw. */
  do(task: () => void): void {
    if (this.isBusy) return task();
    if (!this.turnBegun) {
      this.turnBegun = true;
      setImmediate(this.turnEnd);
    }
    if (this.waiting.length === 0 && this.spentMs < BUDGET_MS) this.measured(task);
    else this.waiting.push({ since: this.now(), task });
  }

  private nextTurn(): void {
    this.spentMs = 0;
    let done = 0;
    while (done < this.waiting.length && this.spentMs < BUDGET_MS) this.measured(this.waiting[done++]!.task);
    this.waiting.splice(0, done);
    this.turnBegun = done > 0;
    if (this.turnBegun) setImmediate(this.turnEnd);
  }

  private measured(task: () => void): void {
    const begun = this.now();
    this.isBusy = true;
    task();
    this.isBusy = false;
    this.spentMs += this.now() - begun;
  }
}
