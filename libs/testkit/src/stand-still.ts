import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';

/** How long is waited where no /proc tells. */
const WITHOUT_PROC_MS = 100;

/**
 * Stops a program until SIGCONT, as one that is frozen or far too slow. kill(2) returns while its threads may still run on another
 * processor, and answer: this resolves once not one of them does.
 */
export async function standStill(program: ChildProcess): Promise<void> {
  program.kill('SIGSTOP');
  const threads = `/proc/${program.pid}/task`;
  if (!existsSync(threads)) return wait(WITHOUT_PROC_MS);
  while (!readdirSync(threads).every((thread) => isStopped(`${threads}/${thread}/stat`))) await wait(1);
}

/** proc(5), /proc/pid/stat: behind the name, which may hold anything, T says that a signal stopped the thread. */
function isStopped(stat: string): boolean {
  const line = readFileSync(stat, 'latin1');
  return line.slice(line.lastIndexOf(')') + 2).startsWith('T');
}
