import { readdirSync, readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import type { Closable } from '@sallyport/platform';
import type { Signals } from './pressure';

/** Milliseconds between two looks at the loop; the histogram counts them in. */
const RESOLUTION_MS = 10;
/** Counting descriptors costs a look at each: it is done every so many readings. */
const DESCRIPTORS_EVERY = 20;

/** Reads what this process feels. */
export class ProcessSignals implements Closable {
  private readonly delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  private readonly heapLimit = getHeapStatistics().heap_size_limit;
  private readonly descriptorLimit = descriptorLimit();
  private descriptors = 0;
  private readings = 0;

  /** @param sockets share of the sockets that the listeners may have open. */
  constructor(private readonly sockets: () => number) {
    this.delay.enable();
  }

  readonly read = (): Signals => {
    const loopDelayMs = Math.max(0, this.delay.percentile(99) / 1e6 - RESOLUTION_MS);
    this.delay.reset();
    if (this.readings++ % DESCRIPTORS_EVERY === 0) this.descriptors = openDescriptors() / this.descriptorLimit;
    return {
      loopDelayMs,
      heap: getHeapStatistics().used_heap_size / this.heapLimit,
      sockets: Math.max(this.sockets(), this.descriptors),
    };
  };

  async close(): Promise<void> {
    this.delay.disable();
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
