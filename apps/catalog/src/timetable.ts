import type { Closable, Logger } from '@sallyport/platform';

/** Milliseconds between two rounds; the data plane judges sunsets by date itself, so nobody waits for one. */
const ROUND_MS = 10_000;

export interface Work {
  readonly name: string;
  readonly run: () => Promise<unknown>;
}

/** Runs work over and over, one after the other; what fails is logged and comes again in the next round. */
export function startTimetable(works: readonly Work[], logger: Logger, roundMs = ROUND_MS): Closable {
  let closed = false;
  let timer: NodeJS.Timeout | undefined;
  let round = Promise.resolve();
  const failing = new Set<string>();
  const runRound = async (): Promise<void> => {
    for (const { name, run } of works) {
      if (closed) return;
      try {
        await run();
        failing.delete(name);
      } catch (error) {
        // Once per outage: a database that is down for an hour is one line, not 360.
        if (!failing.has(name)) logger.warn({ err: error, work: name }, 'work of the timetable failed');
        failing.add(name);
      }
    }
  };
  const schedule = (): void => {
    timer = setTimeout(() => {
      round = runRound().finally(() => {
        if (!closed) schedule();
      });
    }, roundMs);
    timer.unref();
  };
  schedule();
  return {
    close: async () => {
      closed = true;
      clearTimeout(timer);
      await round;
    },
  };
}
