import { hostname } from 'node:os';
import { variables, type AppName } from '@sallyport/contracts';
import type { Closable } from './address';
import { shareSmallSlabs } from './buffer-pool';
import { ConfigError } from './config';
import { DataDirInUse } from './database/data-lock';
import { PostgresVersionMismatch } from './database/embedded-postgres';
import { EmbeddedPostgresUnavailable } from './database/postgres-binaries';
import { Unreachable } from './keep-trying';
import { ListenError } from './listening';
import { createLogger, type Logger } from './logger';

/** Exit codes of a server process, a subset of sysexits(3). */
export const exitCodes = {
  done: 0,
  failed: 1,
  /** The environment cannot be used. */
  usage: 64,
  /** Something that has to be there does not answer, or an address is taken. */
  unavailable: 69,
} as const;

/** How long an orderly end may take before the process ends anyway, unless what runs asks for another bound. */
const CLOSE_MS = 30_000;

/** What has begun the end of a process: a signal, its own defect, or the loss of whoever started it. */
export type EndReason = 'SIGTERM' | 'SIGINT' | 'fault' | 'orphaned';

/** The life of the process, as what runs in it sees it. */
export interface Life {
  /** Undefined while nothing has begun the end. */
  readonly reason: EndReason | undefined;
  /** Begins the orderly end; more than once is once. */
  end(reason: EndReason): void;
  /** Calls back once, when the end begins and before anything is closed. */
  onEnd(listener: (reason: EndReason) => void): void;
}

/** What a start hands back: how to end it, and how long that may take. */
export interface Running extends Closable {
  /** Milliseconds after which the process ends anyway; 30 s unless given. */
  readonly endsWithinMs?: number;
}

export interface MainOptions {
  /**
   * The process is one of a group whose supervisor says when it ends: a signal that reached the whole group is not taken
   * for a second one, and SIGINT, which a terminal sends to everybody, is the supervisor's to pass on.
   */
  readonly supervised?: boolean;
}

/** A failure that somebody else has put into words; only the exit code is left to pass on. */
export class AlreadyReported extends Error {
  constructor(readonly exitCode: number) {
    super(`ended with exit code ${exitCode}`);
    this.name = 'AlreadyReported';
  }
}

/**
 * Runs an application as this process: starts it, ends it in order at SIGTERM or SIGINT (a second one ends it at once), and
 * turns what goes wrong into one line and an exit code. The one owner of signals and of the process' last errors.
 */
export function runMain(app: AppName, start: (life: Life) => Promise<Running>, options: MainOptions = {}): void {
  shareSmallSlabs();
  new Main(
    app,
    start,
    process,
    createLogger({ app, node: `${hostname()}-${process.pid}`, level: 'info' }),
    options,
  ).run();
}

/** What is used of the process; handed in so that tests can end a process and live on. */
export interface Host {
  on(event: string, listener: (argument: unknown) => void): unknown;
  exit(code: number): void;
  readonly stderr: { write(text: string): unknown };
  readonly env: NodeJS.ProcessEnv;
  /** There when a parent process holds the other end. */
  readonly channel?: unknown;
}

/** The life of one process; {@link runMain} is its only user outside of tests. */
export class Main implements Life {
  reason: EndReason | undefined;
  private running: Running | undefined;
  private exitCode: number = exitCodes.done;
  private readonly listeners: Array<(reason: EndReason) => void> = [];

  constructor(
    private readonly app: AppName,
    private readonly start: (life: Life) => Promise<Running>,
    private readonly host: Host,
    private readonly logger: Logger,
    private readonly options: MainOptions = {},
  ) {}

  run(): void {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) this.host.on(signal, () => this.signalled(signal));
    // The tool that started us holds the other end of this channel: when it is killed, nobody would end us any more.
    if (this.host.channel) this.host.on('disconnect', () => this.end('orphaned'));
    this.host.on('uncaughtException', (error) => this.broken('uncaught exception', error));
    this.host.on('unhandledRejection', (reason) => this.broken('unhandled rejection', reason));
    this.start(this).then(
      (running) => this.started(running),
      (error: unknown) => this.startFailed(error),
    );
  }

  end(reason: EndReason): void {
    if (this.reason !== undefined) return;
    this.reason = reason;
    this.logger.info({ reason }, 'ending');
    for (const listener of this.listeners.splice(0)) listener(reason);
    if (this.running) void this.close(this.running);
  }

  onEnd(listener: (reason: EndReason) => void): void {
    this.listeners.push(listener);
  }

  /** What the start waits for may never come; then the second signal ends it. */
  private started(running: Running): void {
    this.running = running;
    if (this.reason !== undefined) void this.close(running);
  }

  private startFailed(error: unknown): void {
    if (error instanceof AlreadyReported) return this.exit(error.exitCode);
    if (this.reason !== undefined) return this.exit(this.exitCode);
    const { code, line } = failureOf(error, this.host.env);
    this.host.stderr.write(`sallyport ${this.app}: ${line}\n`);
    if (code === exitCodes.failed) this.logger.fatal({ err: error }, 'start failed');
    this.exit(code);
  }

  private signalled(signal: 'SIGINT' | 'SIGTERM'): void {
    if (this.options.supervised) {
      if (signal === 'SIGTERM') this.end(signal);
      return;
    }
    if (this.reason !== undefined) return this.exit(128 + (signal === 'SIGINT' ? 2 : 15));
    this.end(signal);
  }

  private broken(what: string, error: unknown): void {
    this.logger.fatal({ err: error }, what);
    this.exitCode = exitCodes.failed;
    this.end('fault');
  }

  private async close(running: Running): Promise<void> {
    const bound = running.endsWithinMs ?? CLOSE_MS;
    setTimeout(() => {
      this.logger.error({ seconds: bound / 1000 }, 'the end took too long');
      this.exit(exitCodes.failed);
    }, bound).unref();
    try {
      await running.close();
      this.exit(this.exitCode);
    } catch (error) {
      this.logger.error({ err: error }, 'the end was not clean');
      this.exit(exitCodes.failed);
    }
  }

  private exit(code: number): void {
    this.logger.flush();
    this.host.exit(code);
  }
}

/** What a start cannot do without, and whose absence is no defect. */
const absences = [Unreachable, DataDirInUse, EmbeddedPostgresUnavailable, PostgresVersionMismatch];

/** The one line a person reads, and the code a script reads. */
function failureOf(error: unknown, environment: NodeJS.ProcessEnv): { code: number; line: string } {
  if (error instanceof ConfigError) return { code: exitCodes.usage, line: error.message };
  if (error instanceof ListenError) return { code: exitCodes.unavailable, line: takenAddress(error, environment) };
  const line = error instanceof Error ? error.message : String(error);
  return { code: absences.some((kind) => error instanceof kind) ? exitCodes.unavailable : exitCodes.failed, line };
}

/** Names the variable that moves the listener: the one that has this port, by the environment or by default. */
function takenAddress({ message, address }: ListenError, environment: NodeJS.ProcessEnv): string {
  if ('path' in address) return message;
  const names = variables
    .filter((row) => row.name.endsWith('_PORT') && (environment[row.name] || row.default) === String(address.port))
    .map((row) => row.name);
  return names.length === 0 ? message : `${message}; ${names.join(' or ')} changes the port`;
}
