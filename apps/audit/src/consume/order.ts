/** One batch as it came, with a mark by which its message is answered. */
export interface Arrived<Mark> {
  readonly mark: Mark;
  readonly firstSeq: number;
  readonly bodies: readonly Uint8Array[];
}

/** A record at its place in the chain. */
export interface Placed {
  readonly seq: number;
  readonly body: Uint8Array;
}

/** What to do with the batches of one chain. */
export interface Arrangement<Mark> {
  /** New records, in sequence. */
  readonly accepted: readonly Placed[];
  /** Records below the next sequence: seen before, unless they lie in a declared gap. */
  readonly repeated: readonly Placed[];
  /** Sequences given up for lost. */
  readonly gap: { readonly first: number; readonly last: number } | undefined;
  readonly nextSeq: number;
  /** Messages that are done with, and messages that must come again because something before them is missing. */
  readonly done: readonly Mark[];
  readonly early: readonly Mark[];
}

/**
 * Puts the batches of one chain in order. A hole is waited for; once `giveUp` says so it becomes a declared gap, and
 * what lies behind it is taken.
 */
export function arrange<Mark>(nextSeq: number, batches: readonly Arrived<Mark>[], giveUp: boolean): Arrangement<Mark> {
  const accepted: Placed[] = [];
  const repeated: Placed[] = [];
  const done: Mark[] = [];
  const early: Mark[] = [];
  let next = nextSeq;
  let gap: { first: number; last: number } | undefined;
  for (const { mark, firstSeq, bodies } of [...batches].sort((left, right) => left.firstSeq - right.firstSeq)) {
    if (firstSeq > next) {
      if (!giveUp || gap) {
        early.push(mark);
        continue;
      }
      gap = { first: next, last: firstSeq - 1 };
      next = firstSeq;
    }
    for (const [offset, body] of bodies.entries()) {
      const seq = firstSeq + offset;
      if (seq < next) repeated.push({ seq, body });
      else accepted.push({ seq: next++, body });
    }
    done.push(mark);
  }
  return { accepted, repeated, gap, nextSeq: next, done, early };
}

/** Remembers since when each chain has been waiting for something that is missing. */
export class Holes {
  readonly #since = new Map<string, { readonly nextSeq: number; readonly at: number }>();

  /** @param patienceMs how long a hole is waited for before it is declared a gap */
  constructor(private readonly patienceMs: number) {}

  /** Whether the hole before `nextSeq` has been there for too long. */
  isOld(chain: string, nextSeq: number, now: number): boolean {
    const hole = this.#since.get(chain);
    return hole !== undefined && hole.nextSeq === nextSeq && now - hole.at >= this.patienceMs;
  }

  /** @param waiting whether batches of the chain wait for something before them */
  note(chain: string, nextSeq: number, waiting: boolean, now: number): void {
    const hole = this.#since.get(chain);
    if (!waiting) this.#since.delete(chain);
    else if (hole?.nextSeq !== nextSeq) this.#since.set(chain, { nextSeq, at: now });
  }
}
