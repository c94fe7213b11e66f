import { subjects, type AppName, type Clock, type RandomBytes } from '@sallyport/contracts';
import { controlReported, type Trail } from '@sallyport/trail';
import type { Closable } from './address';
import type { Bus } from './bus';
import { ClockComparison } from './clock-comparison';
import type { Logger } from './logger';
import type { Metrics } from './metrics';

/** Between one telling of the time and the next. */
const TELL_EVERY_MS = 5_000;
/** Within this time a node that has just come is told by everybody. */
const WELCOME_MS = 1_000;
/** Beyond this somebody should look at the machine. */
const SUSPECT_MS = 1_000;
/** Beyond this nothing is decided by it. */
const WRONG_MS = 30_000;
/** Tenant of records about the cluster itself. */
const SYSTEM = 'system';

/** What the nodes of a cluster tell each other. */
interface Told {
  /** The workers of one ingress are one node: they share a clock. */
  readonly node: string;
  /** Milliseconds since the epoch, as that node has them. */
  readonly at: number;
}

export interface ClockWatch extends Closable {
  /** Why nothing may be decided by the clock of this process, in words; undefined while it may. */
  readonly fault: () => string | undefined;
}

/** The clock of a process that has no other to compare it with. */
export const unwatchedClock: ClockWatch = { fault: () => undefined, close: () => Promise.resolve() };

export interface ClockWatchOptions {
  readonly app: AppName;
  readonly node: string;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly trail: Pick<Trail, 'append'>;
}

/**
 * Compares the clock of this process with those of the other nodes of the cluster, all the time: each tells what time it has.
 * A clock that differs by more than a second from most is a line of the log, by more than 30 s it is a fault and on record.
 */
export async function watchClock(options: ClockWatchOptions): Promise<ClockWatch> {
  const { node, bus, clock, logger, metrics } = options;
  const comparison = new ClockComparison(clock);
  const verdict = new Verdict(options);
  metrics
    .gauge(
      'sallyport_clock_offset_seconds',
      'By how much the clock of this process is ahead of most others.',
      [],
      'max',
    )
    .observe(() => (comparison.offset() ?? 0) / 1000);

  const tell = (): void => {
    const told: Told = { node, at: clock.now() };
    // Who is not connected is not told the time, and tells none.
    bus.publish(subjects.clockTold, Buffer.from(JSON.stringify(told))).catch(() => undefined);
  };
  // Not with each message: what waited while this process stood still is read in order, and the first of it is late.
  const turn = (): void => {
    verdict.consider(comparison);
    tell();
  };
  let welcome: NodeJS.Timeout | undefined;
  const hear = (data: Uint8Array): void => {
    const told = readTold(data);
    if (!told) return logger.warn({ bytes: data.length }, 'a message about the time cannot be read');
    if (told.node === node || !comparison.heard(told.node, told.at)) return;
    welcome ??= setTimeout(() => {
      welcome = undefined;
      tell();
    }, Math.random() * WELCOME_MS).unref();
  };
  const subscription = await bus.subscribe(subjects.clockTold, ({ data }) => hear(data));
  tell();
  const first = setTimeout(turn, 2 * WELCOME_MS).unref();
  const timer = setInterval(turn, TELL_EVERY_MS).unref();
  return {
    fault: () => verdict.fault,
    async close() {
      clearInterval(timer);
      clearTimeout(first);
      clearTimeout(welcome);
      await subscription.stop();
    },
  };
}

function readTold(data: Uint8Array): Told | undefined {
  try {
    const told = JSON.parse(Buffer.from(data).toString()) as Partial<Told> | null;
    const { node, at } = told ?? {};
    return typeof node === 'string' && node.length <= 64 && Number.isSafeInteger(at) ? { node, at: at! } : undefined;
  } catch {
    return undefined;
  }
}

/** What is held of the clock, and who hears of a change of that. */
class Verdict {
  fault: string | undefined;
  private suspected = false;

  constructor(private readonly options: ClockWatchOptions) {}

  consider(comparison: ClockComparison): void {
    const offset = comparison.offset();
    // Nobody is heard: what was known before still holds.
    if (offset === undefined) return;
    this.suspect(Math.abs(offset) > SUSPECT_MS, offset);
    const isWrong = comparison.isOffForMost(WRONG_MS);
    if (isWrong) this.begin(offset);
    else this.end(offset);
  }

  private suspect(suspected: boolean, offset: number): void {
    if (suspected === this.suspected) return;
    this.suspected = suspected;
    const { logger } = this.options;
    if (suspected) logger.warn({ seconds: seconds(offset) }, 'the clock of this process is not that of the others');
    else logger.info({ seconds: seconds(offset) }, 'the clock of this process is that of the others again');
  }

  private begin(offset: number): void {
    if (this.fault !== undefined) return;
    this.fault = `the clock is ${describe(offset)} the others`;
    this.options.logger.error({ seconds: seconds(offset) }, `${this.fault}: nothing is decided by it`);
    this.report('failed', offset);
  }

  private end(offset: number): void {
    if (this.fault === undefined) return;
    this.fault = undefined;
    this.options.logger.info({ seconds: seconds(offset) }, 'the clock decides again');
    this.report('ok', offset);
  }

  private report(state: 'failed' | 'ok', offset: number): void {
    const { app, clock, random, trail } = this.options;
    const detail = { offset_seconds: seconds(offset) };
    trail.append(controlReported({ now: clock.now(), random, tenant: SYSTEM, app, what: 'clock-skew', state, detail }));
  }
}

function describe(offset: number): string {
  return `${Math.abs(seconds(offset))} s ${offset > 0 ? 'ahead of' : 'behind'}`;
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10;
}
