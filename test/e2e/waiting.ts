/** How long anything may take on a machine that does much else. */
export const PATIENCE_MS = 30_000;

export interface Wait {
  readonly within?: number;
  readonly every?: number;
  /** Told when the wait is over in vain. */
  readonly seen?: () => string;
}

/** Asks again and again, until the answer is anything but undefined or false. A probe that throws is asked again. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  { within = PATIENCE_MS, every = 40, seen }: Wait = {},
): Promise<T> {
  const end = performance.now() + within;
  let problem: unknown;
  for (;;) {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== false) return answer;
      problem = undefined;
    } catch (error) {
      problem = error;
    }
    if (performance.now() > end) break;
    await pause(every);
  }
  const why = problem instanceof Error ? `: ${problem.message}` : '';
  throw new Error(`${what}: not within ${within / 1000} s${why}${seen ? `\n${seen()}` : ''}`);
}

/** @throws Error when the promise is not settled in time. */
export async function within<T>(milliseconds: number, what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${milliseconds / 1000} s`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Between two looks, never instead of one. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
