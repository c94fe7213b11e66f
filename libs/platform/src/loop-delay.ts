import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';
import type { Closable } from './address';

/**
 * How late the event loop of this process is. Every look wakes the process, which costs some 50 µs where there is nothing
 * else to wake for: who looks often pays for it also when nobody asks for anything.
 */
export class LoopDelay implements Closable {
  /** @param everyMs milliseconds between two looks; what is shorter may be missed. */
  constructor(
    private readonly everyMs: number,
    private readonly looks: Pick<
      IntervalHistogram,
      'enable' | 'disable' | 'percentile' | 'reset'
    > = monitorEventLoopDelay({ resolution: everyMs }),
  ) {
    this.looks.enable();
  }

  /** @returns the 99th percentile since the last reading, in milliseconds; 0 where nothing was late. */
  read(): number {
    // What is counted is the time from one look to the next.
    const late = Math.max(0, this.looks.percentile(99) / 1e6 - this.everyMs);
    this.looks.reset();
    return late;
  }

  async close(): Promise<void> {
    this.looks.disable();
  }
}
