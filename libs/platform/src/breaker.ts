import type { Clock } from '@sallyport/contracts';

const MISSES = 3;
const WITHIN_MS = 1_000;
const PROBE_MS = 250;

export interface BreakerPorts {
  readonly clock: Clock;
  /** From 0 up to 1: jitter of the probes. */
  readonly chance: () => number;
  /** Asks a question that decides nothing; a good answer is told with `answered`, none with nothing. */
  readonly probe: () => void;
  /** Hears each change. */
  readonly changed: (open: boolean) => void;
}

/**
 * Keeps requests from waiting for somebody who is slow: three answers missed within a second open it, and while it is open
 * nobody is asked. A probe goes out every 250 ms, give or take a quarter; the first that is answered in time closes it.
 */
export class Breaker {
  /** Moments of the last misses, the oldest first. */
  private misses: number[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly ports: BreakerPorts) {}

  get open(): boolean {
    return this.timer !== undefined;
  }

  /** An answer was due and did not come. */
  missed(): void {
    if (this.open) return;
    const now = this.ports.clock.monotonic();
    this.misses.push(now);
    if (this.misses.length < MISSES) return;
    if (this.misses.length > MISSES) this.misses.shift();
    if (now - this.misses[0]! > WITHIN_MS) return;
    this.probeLater();
    this.ports.changed(true);
  }

  /** A probe was answered in time. */
  answered(): void {
    if (this.open) this.reset();
  }

  /** Forgets everything: there is somebody else now. */
  reset(): void {
    this.misses = [];
    const wasOpen = this.open;
    clearTimeout(this.timer);
    this.timer = undefined;
    if (wasOpen) this.ports.changed(false);
  }

  /** Ends it; nothing more is probed or told. */
  close(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private probeLater(): void {
    const pause = PROBE_MS * (0.75 + this.ports.chance() / 2);
    this.timer = setTimeout(() => {
      this.probeLater();
      this.ports.probe();
    }, pause).unref();
  }
}
