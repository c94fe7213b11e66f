import { readdirSync, readFileSync } from 'node:fs';
import { getHeapStatistics } from 'node:v8';
import { LoopDelay, type Closable } from '@sallyport/platform';
import type { Signals } from './pressure';

/** Milliseconds between two looks at the loop. */
const DELAY_EVERY_MS = 10;
/** Counting descriptors costs a look at each: it is done every so many readings. */
const DESCRIPTORS_EVERY = 50;

/** Reads what this process feels. */
export class ProcessSignals implements Closable {
  private readonly delay = new LoopDelay(DELAY_EVERY_MS);
  private readonly heapLimit = getHeapStatistics().heap_size_limit;
  private readonly descriptorLimit = descriptorLimit();
  private descriptors = 0;
  private readings = 0;

  /**
   * @param sockets share of the sockets that the listeners may have open.
   * @param lateMs how late other work of this process is.
   */
  constructor(
    private readonly sockets: () => number,
    private readonly lateMs: () => number,
  ) {}

  readonly read = (): Signals => {
    if (this.readings++ % DESCRIPTORS_EVERY === 0) this.descriptors = openDescriptors() / this.descriptorLimit;
    return {
      loopDelayMs: Math.max(this.delay.read(), this.lateMs()),
      heap: getHeapStatistics().used_heap_size / this.heapLimit,
      sockets: Math.max(this.sockets(), this.descriptors),
    };
  };

  close(): Promise<void> {
    return this.delay.close();
  }
}

/** Where there is no /proc, the sockets alone have to do. */
function openDescriptors(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}

function descriptorLimit(): number {
  try {
    return Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]) || Infinity;
  } catch {
    return Infinity;
  }
}
