import { closeSync, openSync, readSync } from 'node:fs';

/** Milliseconds that a thread has run or waited for a processor; what is missing from a stretch of time it has slept. */
export type ThreadTime = () => number;

const ZERO = 0x30;
const NINE = 0x39;
const NANOSECONDS = 1e6;

/**
 * The time of the thread that calls this, as its kernel counts it: late by up to a tick, some milliseconds.
 * @param path for tests: sched-stats.rst of the kernel has the form, `<ran> <waited> <slices>` in nanoseconds
 * @returns undefined where the kernel does not tell.
 */
export function openThreadTime(path = '/proc/thread-self/schedstat'): ThreadTime | undefined {
  const text = Buffer.alloc(96);
  try {
    const fd = openSync(path, 'r');
    const read: ThreadTime = () => sumOfTwo(text, readSync(fd, text, 0, text.length, 0)) / NANOSECONDS;
    if (read() > 0) return read;
    closeSync(fd);
  } catch {
    // No Linux, or one that keeps it to itself.
  }
  return undefined;
}

/** Sum of the first two numbers of a text, without making a string of it: this is read beside every batch of records. */
function sumOfTwo(text: Uint8Array, length: number): number {
  let sum = 0;
  let number = 0;
  let numbers = 0;
  for (let at = 0; at < length && numbers < 2; at++) {
    const character = text[at]!;
    if (character >= ZERO && character <= NINE) {
      number = number * 10 + character - ZERO;
    } else {
      sum += number;
      number = 0;
      numbers++;
    }
  }
  return sum;
}
