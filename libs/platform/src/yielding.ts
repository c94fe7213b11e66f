import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

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
  // One that yields more already, as under nice(1), is left alone: without privileges the kernel takes nothing back.
  if (getPriority(0) < YIELDING) setPriority(0, YIELDING);
}

/** The same for a process and its children as they are now; one that is gone needs none. */
export function yieldFamily(pid: number): void {
  yieldProcess(pid);
  for (const child of childrenOf(pid)) yieldProcess(child);
}

function yieldProcess(pid: number): void {
  try {
    if (getPriority(pid) < YIELDING) setPriority(pid, YIELDING);
    yieldSession(pid);
  } catch {
    // It ended in between, or runs as somebody whose priority is not ours to lower.
  }
}

/**
 * sched(7), the autogroup feature: where it is on, processes of different sessions share the processor by the nice value of
 * their sessions, and their own counts among those of one session only. The session of a process that leads none is somebody
 * else's, perhaps ours.
 */
function yieldSession(pid: number): void {
  const path = `/proc/${pid}/autogroup`;
  if (!existsSync(path) || sessionOf(pid) !== pid) return;
  const nice = Number(/nice (-?\d+)/.exec(readFileSync(path, 'latin1'))?.[1]);
  // Without privileges ten changes a second are allowed; the others fail, and are made at the next call.
  if (nice < YIELDING) writeFileSync(path, String(YIELDING));
}

/** proc(5), /proc/pid/stat: the sixth field; the second is a name in parentheses that may hold anything. */
function sessionOf(pid: number): number {
  const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(line.slice(line.lastIndexOf(')') + 2).split(' ')[3]);
}

function childrenOf(pid: number): number[] {
  try {
    const line = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1');
    return line.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
