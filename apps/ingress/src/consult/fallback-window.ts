import type { Clock } from '@sallyport/contracts';
import type { Counter } from '@sallyport/platform';

/**
 * Counts the time a service was stood in for: from the first answer given without it to the next one it gave. The time
 * is added as it passes, so that a window that is still open shows.
 */
export class FallbackWindow {
  private since: number | undefined;
  private mode = '';

  constructor(
    private readonly service: string,
    private readonly clock: Clock,
    private readonly seconds: Pick<Counter, 'add'>,
  ) {}

  /** The service answered. */
  answered(): void {
    if (this.since === undefined) return;
    this.count();
    this.since = undefined;
  }

  /** Somebody stood in. @param mode how: local, deny, allow_flagged or unavailable. */
  stoodIn(mode: string): void {
    if (this.since === undefined) this.since = this.clock.monotonic();
    else this.count();
    this.mode = mode;
  }

  private count(): void {
    const now = this.clock.monotonic();
    this.seconds.add((now - this.since!) / 1000, { service: this.service, mode: this.mode });
    this.since = now;
  }
}
