import { subjects, type AppName, type Clock, type RandomBytes } from '@sallyport/contracts';
import { controlReported, type Trail } from '@sallyport/trail';
import type { Closable } from './address';
import type { Bus } from './bus';
import { ClockComparison, FORGOTTEN_MS } from './clock-comparison';
import type { Logger } from './logger';
import type { Metrics } from './metrics';

/** Between one telling of the time and the next. */
const TELL_EVERY_MS = 5_000;
/** Within this time a node that has just come is told by everybody. */
const WELCOME_MS = 1_000;
/** Beyond this somebody should look at the machine, until it is no more than half of that. */
const SUSPECT_MS = 1_000;
/** Beyond this nothing is decided by it, until most say that it is no more than two thirds of that. */
const WRONG_MS = 30_000;
const RIGHT_MS = 20_000;
/** What one node says, however long its name. */
const MOST_BYTES = 256;
/** Tenant of records about the cluster itself. */
const SYSTEM = 'system';

/** What the nodes of a cluster tell each other. */
interface Told {
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
  /** Whose clock it is: processes of one name are taken to share one. */
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
  const watching = new Watching(options);
  await watching.begin();
  return { fault: () => watching.fault, close: () => watching.close() };
}

class Watching implements Closable {
  fault: string | undefined;
  private suspected = false;
  private readonly comparison: ClockComparison;
  private readonly timers: NodeJS.Timeout[] = [];
  private welcome: NodeJS.Timeout | undefined;
  private unreadable = false;
  private stop: (() => Promise<void>) | undefined;
  /** Monotonic milliseconds. */
  private turnedAt: number;
  private blindUntil = 0;

  constructor(private readonly options: ClockWatchOptions) {
    const { clock, metrics } = options;
    this.comparison = new ClockComparison(clock);
    this.turnedAt = clock.monotonic();
    metrics
      .gauge(
        'sallyport_clock_offset_seconds',
        'By how much the clock of this process is ahead of most others.',
        [],
        'max',
      )
      .observe(() => (this.comparison.offset() ?? 0) / 1000);
  }

  async begin(): Promise<void> {
    const subscription = await this.options.bus.subscribe(subjects.clockTold, ({ data }) => this.hear(data));
    this.stop = () => subscription.stop();
    this.tell();
    this.timers.push(
      setTimeout(() => this.turn(), 2 * WELCOME_MS).unref(),
      setInterval(() => this.turn(), TELL_EVERY_MS).unref(),
    );
  }

  async close(): Promise<void> {
    await this.stop?.();
    for (const timer of [...this.timers, this.welcome]) clearTimeout(timer);
  }

  private tell(): void {
    const { node, bus, clock } = this.options;
    const told: Told = { node, at: clock.now() };
    // Who is not connected is not told the time, and tells none.
    bus.publish(subjects.clockTold, Buffer.from(JSON.stringify(told))).catch(() => undefined);
  }

  private hear(data: Uint8Array): void {
    const told = readTold(data);
    if (!told) return this.complain(data.length);
    if (told.node === this.options.node || !this.comparison.heard(told.node, told.at)) return;
    this.welcome ??= setTimeout(() => {
      this.welcome = undefined;
      this.tell();
    }, Math.random() * WELCOME_MS).unref();
  }

  private complain(bytes: number): void {
    if (this.unreadable) return;
    this.unreadable = true;
    this.options.logger.warn({ bytes }, 'a message about the time cannot be read; it is not said again of others');
  }

  private turn(): void {
    const now = this.options.clock.monotonic();
    // This process has stood still, and what it hears at first has waited for it: late by as long as it stood.
    if (now - this.turnedAt > 2 * TELL_EVERY_MS) this.blindUntil = now + FORGOTTEN_MS;
    this.turnedAt = now;
    if (now >= this.blindUntil) this.consider();
    this.tell();
  }

  private consider(): void {
    const offset = this.comparison.offset();
    // Nobody is heard: what was known before still holds.
    if (offset === undefined) return;
    this.suspect(Math.abs(offset), offset);
    if (this.comparison.isOffForMost(WRONG_MS)) this.doubt(offset);
    else if (this.comparison.isRightForMost(RIGHT_MS)) this.trust(offset);
  }

  private suspect(size: number, offset: number): void {
    const { logger } = this.options;
    if (!this.suspected && size > SUSPECT_MS) {
      this.suspected = true;
      logger.warn({ seconds: seconds(offset) }, 'the clock of this process is not that of the others');
    } else if (this.suspected && size <= SUSPECT_MS / 2) {
      this.suspected = false;
      logger.info({ seconds: seconds(offset) }, 'the clock of this process is that of the others again');
    }
  }

  private doubt(offset: number): void {
    const isNew = this.fault === undefined;
    this.fault = `the clock is ${Math.abs(seconds(offset))} s ${offset > 0 ? 'ahead of' : 'behind'} the others`;
    if (!isNew) return;
    this.options.logger.error({ seconds: seconds(offset) }, `${this.fault}: nothing is decided by it`);
    this.report('failed', offset);
  }

  private trust(offset: number): void {
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

function readTold(data: Uint8Array): Told | undefined {
  if (data.length > MOST_BYTES) return undefined;
  try {
    const { node, at } = (JSON.parse(Buffer.from(data).toString()) as Partial<Told> | null) ?? {};
    return typeof node === 'string' && Number.isSafeInteger(at) ? { node, at: at! } : undefined;
  } catch {
    return undefined;
  }
}

function seconds(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10;
}
