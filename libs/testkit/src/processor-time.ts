/**
 * Starts to measure what this process does itself: what others do meanwhile on a busy machine does not count.
 * @returns a function that gives the milliseconds of processor time since
 */
export function processorTime(): () => number {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1000;
  };
}

/**
 * Measures work that takes a bounded time. The collector, the compiler and whoever shares the processor work beside any
 * single run, so that a slow one is repeated: three runs at most.
 * @param enough milliseconds; a run that takes less is the last one
 * @returns the milliseconds of processor time of the quickest run
 */
export function processorMillis(enough: number, work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let run = 0; run < 3 && least >= enough; run++) {
    const spent = processorTime();
    work();
    least = Math.min(least, spent());
  }
  return least;
}
