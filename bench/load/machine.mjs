// What a figure was measured on, and how much processor time a process has used.
import { readFileSync, readdirSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

/** One line for people and scripts: processor, cores, memory, kernel, Node. */
export function describeMachine() {
  const [processor] = cpus();
  return `${processor?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}, Node ${process.version}`;
}

const TICKS_PER_SECOND = 100;

/** Processor seconds, user and system, that these processes have used so far. */
export function processorSeconds(pids) {
  return pids.reduce((sum, pid) => sum + secondsOf(pid), 0);
}

function secondsOf(pid) {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // proc(5): fields 14 and 15, counted after the command's name, which may hold spaces and parentheses.
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}

/** A process and everything it has started. */
export function processTree(pid) {
  const parents = new Map();
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const line = readFileSync(`/proc/${name}/stat`, 'latin1');
      parents.set(Number(name), Number(line.slice(line.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // It has ended in between.
    }
  }
  const tree = [pid];
  for (const found of tree) for (const [child, parent] of parents) if (parent === found) tree.push(child);
  return tree;
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values) {
  const sorted = [...values].sort((one, other) => one - other);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Bytes of these processes that are in memory. */
export function residentBytes(pids) {
  return pids.reduce((sum, pid) => {
    const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return sum + Number(line?.[1] ?? 0) * 1024;
  }, 0);
}

/** Files and sockets these processes have open. */
export function openDescriptors(pids) {
  return pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
}
