import type { Clock } from '@sallyport/contracts';

/** Work that stops at every `yield` and can be gone on with later. */
export type Sliced<T> = Generator<void, T, void>;

export interface SliceOptions {
  readonly clock: Pick<Clock, 'monotonic'>;
  /** Milliseconds of work after which other work gets its turn. */
  readonly sliceMs?: number;
  /** Milliseconds of processor time after which the work is given up. */
  readonly budgetMs?: number;
  /** Milliseconds of processor time that this process has had. */
  readonly used?: () => number;
}

const SLICE_MS = 4;
const BUDGET_MS = 5_000;

/** Not the clock's: on a busy machine time passes in which nothing of ours has run. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Work that would never have ended. */
export class TookTooLong extends Error {
  constructor(milliseconds: number) {
    super(`it takes more than ${milliseconds / 1000} s of work`);
    this.name = 'TookTooLong';
  }
}

/**
 * Does long work between requests: a few milliseconds, then everything else that waits, then the next few.
 * @throws TookTooLong, and what the work throws.
 */
export async function inSlices<T>(work: Sliced<T>, options: SliceOptions): Promise<T> {
  const { clock, sliceMs = SLICE_MS, budgetMs = BUDGET_MS, used = processorTime } = options;
  for (let spent = 0; ;) {
    const end = clock.monotonic() + sliceMs;
    const usedBefore = used();
    do {
      const step = work.next();
      if (step.done) return step.value;
    } while (clock.monotonic() < end);
    spent += used() - usedBefore;
    // The work is told, so that it can give back what it holds.
    if (spent > budgetMs) work.throw(new TookTooLong(budgetMs));
    await new Promise(setImmediate);
  }
}

/** Does it without a pause, for whoever has nothing else to do. */
export function atOnce<T>(work: Sliced<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}
