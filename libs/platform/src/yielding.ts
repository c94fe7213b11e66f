import { setPriority } from 'node:os';

/**
 * Nice value of what nobody waits for: who answers requests has the processor first, and of two that want it all the time
 * this one still gets a quarter (sched(7): a weight of 335 against 1,024).
 */
const YIELDING = 5;

/**
 * Lets the calling thread yield the processor to those that answer requests.
 *
 * Linux alone keeps the priority of a thread (setpriority(2), NPTL); elsewhere it would be that of the whole process, and
 * nothing is done.
 */
export function yieldThread(): void {
  if (process.platform !== 'linux') return;
  setPriority(0, YIELDING);
}

/** The same for a process and those it starts from now on; one that is gone already needs none. */
export function yieldProcess(pid: number): void {
  try {
    setPriority(pid, YIELDING);
  } catch {
    // It ended in between, or runs as somebody whose priority is not ours to lower.
  }
}
