import type { Scheduler } from './ports';

/** How long the disk may take for what was given to it. A record is decided within two of these and the grace. */
const STALL_MS = 2_500;
/** A process that was itself stopped looks first and hears from its disk afterwards. */
const GRACE_MS = 100;

/** How far the records of a chain have come, by their sequences. */
export interface Advance {
  readonly taken: number;
  readonly durable: number;
}

/** Notices a disk that neither does what it is asked nor fails. One timer for all records, and none while nothing waits. */
export class StallWatch {
  #cancel: (() => void) | undefined;
  #expected = 0;

  /** @param stalled called again and again while what was taken is not durable in time. */
  constructor(
    private readonly scheduler: Scheduler,
    private readonly advance: () => Advance,
    private readonly stalled: () => void,
  ) {}

  /** Something was taken. */
  begin(): void {
    if (this.#cancel) return;
    this.#expected = this.advance().taken;
    this.#cancel = this.scheduler.after(STALL_MS, () => this.#look());
  }

  end(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #look(): void {
    const late = () => this.advance().durable < this.#expected;
    if (late()) this.#cancel = this.scheduler.after(GRACE_MS, () => this.#goOn(late()));
    else this.#goOn(false);
  }

  #goOn(isStalled: boolean): void {
    this.#cancel = undefined;
    if (isStalled) this.stalled();
    const { taken, durable } = this.advance();
    if (durable < taken) this.begin();
  }
}
