/** When the work of an inspection is done. */
export interface Gathering {
  /** @param work does not throw */
  add(work: () => void): void;
  /**
   * For work that is done: has what follows from it wait until the others are done as well.
   * @returns false where nothing is to be waited for: then whoever asks goes on itself
   */
  defers(next: () => void): boolean;
}

/** Everything at once. */
export const atOnce: Gathering = { add: (work) => work(), defers: () => false };

/** Done in a row; then the loop has its turn. Of work that gives way after 4 ms each, as many keep it for less than 50. */
const MOST_IN_A_ROW = 12;

/**
 * Gathers what is to be inspected within one turn of the event loop. At its end all of it is inspected, and only then what
 * follows goes on: the next hop, an answer. Tables and code of an inspection fill a processor's caches, and so does everything
 * else a request needs; taking turns with each request, each finds that the other has emptied them.
 */
export class Cohort implements Gathering {
  private readonly works: (() => void)[] = [];
  private readonly following: (() => void)[] = [];
  private isDue = false;
  private isInspecting = false;

  /** @param atTurnEnd runs a function when this turn has brought all it brings, as setImmediate does */
  constructor(private readonly atTurnEnd: (run: () => void) => void) {}

  add(work: () => void): void {
    this.works.push(work);
    this.schedule();
  }

  defers(next: () => void): boolean {
    if (this.isInspecting) this.following.push(next);
    return this.isInspecting;
  }

  private schedule(): void {
    if (this.isDue) return;
    this.isDue = true;
    this.atTurnEnd(this.run);
  }

  private readonly run = (): void => {
    this.isDue = false;
    try {
      this.isInspecting = true;
      for (const work of this.works.splice(0, MOST_IN_A_ROW)) work();
      this.isInspecting = false;
      for (let next = this.following.shift(); next; next = this.following.shift()) next();
    } finally {
      this.isInspecting = false;
      // One that throws must not keep the others waiting.
      if (this.works.length > 0 || this.following.length > 0) this.schedule();
    }
  };
}
