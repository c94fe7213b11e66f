import { setTimeout as pause } from 'node:timers/promises';
import { NatsError } from 'nats';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
export const STREAM_NOT_FOUND = 10059;
export const CONSUMER_NOT_FOUND = 10014;

/** The client's messages are codes; what lies behind one says more. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error instanceof NatsError && error.chainedError ? ` (${error.chainedError.message})` : '';
  return `${error.message}${cause}`;
}

export function apiCode(error: unknown): number | undefined {
  return error instanceof NatsError ? error.api_error?.err_code : undefined;
}

/** Nobody answers for the stream: it is gone, or the server has not loaded it yet. */
export function isMissing(error: unknown): boolean {
  return (
    apiCode(error) === STREAM_NOT_FOUND ||
    apiCode(error) === CONSUMER_NOT_FOUND ||
    (error instanceof NatsError && error.code === '503')
  );
}

/** Runs, and runs once more after a repair when what it needs is missing. */
export async function withRepair<T>(run: () => Promise<T>, repair: () => Promise<unknown>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!isMissing(error)) throw error;
    await repair();
    return run();
  }
}

/** Waits longer after each failure, and not at all any more when it is stopped. */
export class Backoff {
  private next = FIRST_PAUSE_MS;
  private readonly stopping = new AbortController();

  reset(): void {
    this.next = FIRST_PAUSE_MS;
  }

  async wait(): Promise<void> {
    const delay = this.next * (0.5 + Math.random() / 2);
    this.next = Math.min(this.next * 2, LONGEST_PAUSE_MS);
    await pause(delay, undefined, { signal: this.stopping.signal }).catch(() => undefined);
  }

  stop(): void {
    this.stopping.abort();
  }
}
