import type { ActiveHealth } from '@sallyport/contracts';

/** What a target answered when it was asked, counted until it means something. A target is well until it is shown not to be. */
export class HealthCheck {
  private well = true;
  private against = 0;

  get healthy(): boolean {
    return this.well;
  }

  /** @returns whether the target went out or came back. */
  record(good: boolean, { healthy, unhealthy }: Pick<ActiveHealth, 'healthy' | 'unhealthy'>): boolean {
    this.against = good === this.well ? 0 : this.against + 1;
    if (this.against < (this.well ? unhealthy : healthy)) return false;
    this.well = !this.well;
    this.against = 0;
    return true;
  }
}

/** Whether a status is among those that mean well. */
export function isExpected(status: number, expected: ActiveHealth['expect']): boolean {
  return expected.some((one) => one === status || one === `${Math.floor(status / 100)}xx`);
}
