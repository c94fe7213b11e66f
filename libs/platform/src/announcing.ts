import type { HearingBus } from './bus';

/** Things that are each tried, whatever becomes of the others. */
export class Attempts {
  private readonly failures: unknown[] = [];

  make(attempt: () => void): void {
    try {
      attempt();
    } catch (error) {
      this.failures.push(error);
    }
  }

  async settle(under: readonly Promise<void>[]): Promise<void> {
    for (const outcome of await Promise.allSettled(under)) {
      if (outcome.status === 'rejected') this.failures.push(outcome.reason);
    }
  }

  /** @throws the first failure. */
  requireAll(): void {
    if (this.failures.length > 0) throw this.failures[0];
  }
}

/** `announce` of a bus that knows who listens. */
export async function announceWhereHeard<Item>(
  bus: HearingBus,
  items: readonly Item[],
  subjectOf: (item: Item) => string,
  dataOf: (item: Item) => Uint8Array,
): Promise<void> {
  const attempts = new Attempts();
  const published: Promise<void>[] = [];
  for (const item of items) {
    attempts.make(() => {
      const subject = subjectOf(item);
      if (bus.isHeard(subject)) published.push(bus.publish(subject, dataOf(item)));
    });
  }
  await attempts.settle(published);
  attempts.requireAll();
}
