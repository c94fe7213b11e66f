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
