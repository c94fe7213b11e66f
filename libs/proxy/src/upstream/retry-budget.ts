import type { RetrySettings } from '@sallyport/contracts';
import { SlidingCounts } from './sliding-counts';

const WINDOW_MS = 10_000;

/**
 * Bounds the retries of one upstream, so that they cannot become the load that keeps it down. Two bounds hold at once:
 * on what is under way, and on what the last ten seconds saw, because calls that fail fast are hardly ever under way.
 */
export class RetryBudget {
  private active = 0;
  private retrying = 0;
  private readonly requests = new SlidingCounts(WINDOW_MS);
  private readonly retries = new SlidingCounts(WINDOW_MS);

  constructor(private readonly settings: Pick<RetrySettings, 'budgetPercent' | 'budgetMinimum'>) {}

  /** A request begins; its retries are not further ones. */
  begin(now: number): void {
    this.active++;
    this.requests.add(now, false);
  }

  end(): void {
    this.active--;
  }

  /** Takes a retry out of the budget; `endRetry` gives its place back. */
  tryRetry(now: number): boolean {
    this.requests.advance(now);
    this.retries.advance(now);
    if (this.retrying >= this.most(this.active) || this.retries.calls >= this.most(this.requests.calls)) return false;
    this.retrying++;
    this.retries.add(now, false);
    return true;
  }

  endRetry(): void {
    this.retrying--;
  }

  private most(requests: number): number {
    const { budgetPercent, budgetMinimum } = this.settings;
    return Math.max(budgetMinimum, Math.floor((requests * budgetPercent) / 100));
  }
}
