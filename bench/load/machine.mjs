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

/**
 * Bytes of a process that are in memory, by what its mappings are (proc(5), smaps): `break` and `arenas` belong to the C library's
 * malloc, `pages` to V8 and to whatever else maps memory without a name, `code` to what V8 compiles, `stacks` to threads.
 */
export function residentByKind(pid) {
  const kinds = { program: 0, break: 0, arenas: 0, pages: 0, code: 0, stacks: 0 };
  let kind = 'program';
  let before = { end: 0, guard: false };
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'latin1').split('\n')) {
    const mapping = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ *(.*)$/.exec(line);
    if (!mapping) {
      const resident = /^Rss: +(\d+) kB$/.exec(line);
      if (resident) kinds[kind] += Number(resident[1]) * 1024;
      continue;
    }
    const [start, end] = [mapping[1], mapping[2]].map((address) => Number(`0x${address}`));
    const [, , , rights, name] = mapping;
    if (name === '[heap]') kind = 'break';
    else if (name === '[stack]') kind = 'stacks';
    else if (name !== '') kind = 'program';
    else if (rights.includes('x')) kind = 'code';
    else if (before.guard && before.end === start) kind = 'stacks';
    else if (start % ARENA_BYTES === 0 && end - start < ARENA_BYTES) kind = 'arenas';
    else kind = 'pages';
    // A thread's stack lies behind a page that nothing may touch (pthread_attr_setguardsize(3)).
    before = { end, guard: rights === '---p' && end - start === 4096 };
  }
  return kinds;
}

/** Arenas of threads lie at multiples of their largest size. */
const ARENA_BYTES = 64 * 1024 * 1024;

/** Files and sockets these processes have open. */
export function openDescriptors(pids) {
  return pids.reduce((sum, pid) => sum + readdirSync(`/proc/${pid}/fd`).length, 0);
}
