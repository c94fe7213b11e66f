import type { Closable } from './address';

/**
 * What a start has opened so far. It is ended in the opposite order, once, and whatever fails on the way does not keep the
 * others from ending.
 */
export class Opened implements Closable {
  private readonly parts: Closable[] = [];
  private ended: Promise<void> | undefined;

  /** Whether the end has begun: then a process wants no more traffic. */
  get ending(): boolean {
    return this.ended !== undefined;
  }

  /** @returns the part, so that it can be opened and kept in one line. */
  push<T extends Closable>(part: T): T {
    this.parts.push(part);
    return part;
  }

  close(): Promise<void> {
    return (this.ended ??= this.closeAll());
  }

  private async closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (let part = this.parts.pop(); part; part = this.parts.pop()) {
      await part.close().catch((error: unknown) => failures.push(error));
    }
    if (failures.length > 0) throw new AggregateError(failures, 'not everything could be ended');
  }
}

/**
 * Starts something that is made of parts. When the start fails, what it had opened is ended before the failure is passed on.
 * @param start opens parts, pushes them, and returns what the caller gets beside `close`.
 */
export async function opening<T extends object>(start: (opened: Opened) => Promise<T>): Promise<T & Closable> {
  const opened = new Opened();
  try {
    return Object.assign(await start(opened), { close: () => opened.close() });
  } catch (error) {
    // The first failure is the one that explains; what the end of the others says is beside the point.
    await opened.close().catch(() => undefined);
    throw error;
  }
}
