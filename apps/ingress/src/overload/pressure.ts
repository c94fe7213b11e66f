import type { RoutePriority } from '@sallyport/contracts';

/** What a process feels, read every {@link REFRESH_MS}. */
export interface Signals {
  /** How late this process is, milliseconds: its loop since the last reading (99th percentile), or what waits beside it. */
  readonly loopDelayMs: number;
  /** Used share of the heap's limit, 0 to 1. */
  readonly heap: number;
  /** Used share of the sockets or file descriptors, whichever is nearer to its limit, 0 to 1. */
  readonly sockets: number;
}

export const REFRESH_MS = 100;

/** What is done about it; each member is the contract's answer to one signal. */
export interface Pressure {
  /** Share of the requests of each priority that is turned away, 0 to 1. */
  readonly shed: Readonly<Record<RoutePriority, number>>;
  /** Answers end their connections, and caches give up what they can. */
  readonly lean: boolean;
  /** Connections are not accepted any more. */
  readonly closed: boolean;
  /** What has caused most of it, for the metric and the log. */
  readonly cause: 'loop' | 'heap' | 'sockets' | undefined;
}

const LOOP_MS = { low: 40, normal: 80, high: 200 } as const;
const HEAP = { lean: 0.8, refuse: 0.9, closed: 0.97 } as const;
const SOCKETS_CLOSED = 0.9;
/** Below the level at which something began it must fall before it ends, so that it does not flicker. */
const RELEASE = 0.75;

export const calm: Pressure = Object.freeze({
  shed: { low: 0, normal: 0, high: 0 },
  lean: false,
  closed: false,
  cause: undefined,
});

/** Follows the signals of one process. Pure: the same signals in the same order give the same answers. */
export class PressureGauge {
  private readonly delays = [0, 0, 0];
  private readonly on = new Set<string>();

  /** @returns {@link calm} itself while nothing is to be done. */
  next({ loopDelayMs, heap, sockets }: Signals): Pressure {
    this.delays.shift();
    this.delays.push(loopDelayMs);
    // The middle one of three: one long garbage collection is over before anybody could be turned away for it.
    const delay = [...this.delays].sort((one, other) => one - other)[1]!;
    const shedsLow = this.holds('low', delay, LOOP_MS.low);
    const shedsNormal = this.holds('normal', delay, LOOP_MS.normal);
    const onlyHigh = this.holds('high', delay, LOOP_MS.high);
    const lean = this.holds('lean', heap, HEAP.lean);
    const refuses = this.holds('refuse', heap, HEAP.refuse);
    const full = this.holds('full', heap, HEAP.closed);
    const crowded = this.holds('crowded', sockets, SOCKETS_CLOSED);
    if (this.on.size === 0) return calm;
    const normal = onlyHigh ? 1 : shedsNormal ? share(delay, LOOP_MS.normal, LOOP_MS.high) : 0;
    return {
      shed: refuses ? { low: 1, normal: 1, high: 1 } : { low: shedsLow ? 1 : 0, normal, high: 0 },
      lean,
      closed: full || crowded,
      cause: lean ? 'heap' : shedsLow ? 'loop' : crowded ? 'sockets' : undefined,
    };
  }

  private holds(name: string, value: number, level: number): boolean {
    const holds = value >= (this.on.has(name) ? level * RELEASE : level);
    if (holds) this.on.add(name);
    else this.on.delete(name);
    return holds;
  }
}

/** Some at the lower level, all at the upper one. */
function share(value: number, from: number, to: number): number {
  const least = 0.1;
  return Math.min(1, Math.max(least, least + ((value - from) / (to - from)) * (1 - least)));
}
