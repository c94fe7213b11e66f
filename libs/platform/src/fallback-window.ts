import type { Clock } from '@sallyport/contracts';
import { controlReported } from '@sallyport/trail';
import type { Counter } from './metrics';
import type { Runtime } from './runtime';

/** One stretch of time in which a service was stood in for. */
export interface Fallback {
  readonly service: string;
  /** How it was stood in for: `local`, `deny`, `allow_flagged`, `unavailable` or `share`. */
  readonly mode: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** Requests that were decided in it in this mode. */
  readonly requests: number;
}

export interface FallbackPorts {
  readonly clock: Clock;
  /** Labels: service, mode. */
  readonly seconds: Counter;
  /** Whether the service would be asked now. */
  readonly isUp: () => boolean;
  /** The first request that was decided without the service. */
  readonly began: (service: string, mode: string) => void;
  /** It is over; once for each mode. */
  readonly ended: (fallback: Fallback) => void;
}

/** So long nobody has to be stood in for until a window is over: an incident is one window, however it flickers. */
const QUIET_MS = 1_000;
const LOOK_MS = 250;

/**
 * Watches how long a service is stood in for, and how often: from the first answer given without it to the next one it
 * gives. The time is counted as it passes, so that a window that is still open shows.
 */
export class FallbackWindow {
  private open: { readonly startedAt: number; readonly requests: Map<string, number> } | undefined;
  private timer: NodeJS.Timeout | undefined;
  private mode = '';
  /** Up to when the time is counted; undefined while the service answers. */
  private since: number | undefined;
  private lastStoodIn = 0;
  private endedAt = 0;

  constructor(
    private readonly service: string,
    private readonly ports: FallbackPorts,
  ) {}

  /** The service answered. */
  answered(): void {
    if (this.since !== undefined) this.pause();
  }

  /** Somebody stood in for it. */
  stoodIn(mode: string): void {
    this.lastStoodIn = this.ports.clock.monotonic();
    if (this.since === undefined) this.since = this.lastStoodIn;
    else this.count();
    this.mode = mode;
    this.open ??= this.begin(mode);
    this.open.requests.set(mode, (this.open.requests.get(mode) ?? 0) + 1);
  }

  /** This process ends, and what is open ends with it. */
  close(): void {
    if (!this.open) return;
    if (this.since !== undefined) this.pause();
    this.end();
  }

  private begin(mode: string): NonNullable<typeof this.open> {
    this.timer = setInterval(() => this.look(), LOOK_MS).unref();
    this.ports.began(this.service, mode);
    return { startedAt: this.ports.clock.now(), requests: new Map() };
  }

  private look(): void {
    const isQuiet = this.ports.clock.monotonic() - this.lastStoodIn >= QUIET_MS;
    if (this.since !== undefined) {
      // Nobody asks, and nobody would have to be stood in for: then it is over, too.
      if (isQuiet && this.ports.isUp()) this.pause();
      else this.count();
    }
    if (isQuiet && this.since === undefined) this.end();
  }

  private pause(): void {
    this.count();
    this.since = undefined;
    this.endedAt = this.ports.clock.now();
  }

  private end(): void {
    clearInterval(this.timer);
    const { startedAt, requests } = this.open!;
    this.open = undefined;
    for (const [mode, count] of requests)
      this.ports.ended({ service: this.service, mode, startedAt, endedAt: this.endedAt, requests: count });
  }

  private count(): void {
    const now = this.ports.clock.monotonic();
    this.ports.seconds.add((now - this.since!) / 1000, { service: this.service, mode: this.mode });
    this.since = now;
  }
}

/** Tenant of records about the cluster itself. */
const SYSTEM = 'system';

/** Tells of a window what everybody must be able to know of it: a line of the log at either end, and a record of the trail. */
export function tellFallback(
  { app, clock, logger, random, trail }: Pick<Runtime, 'app' | 'clock' | 'logger' | 'random' | 'trail'>,
  words: { readonly began: string; readonly ended: string },
): Pick<FallbackPorts, 'began' | 'ended'> {
  return {
    began: (service, mode) => logger.warn({ service, mode }, words.began),
    ended: ({ service, mode, startedAt, endedAt, requests }) => {
      logger.info({ service, mode, requests, milliseconds: endedAt - startedAt }, words.ended);
      const detail = {
        ended_at: new Date(endedAt).toISOString(),
        mode,
        requests,
        service,
        started_at: new Date(startedAt).toISOString(),
      };
      const what = 'fallback';
      trail.append(controlReported({ now: clock.now(), random, tenant: SYSTEM, app, what, state: 'failed', detail }));
    },
  };
}
