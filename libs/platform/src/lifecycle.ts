import { hostname } from 'node:os';
import { variables, type AppName } from '@sallyport/contracts';
import type { Closable } from './address';
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

/** How long an orderly end may take before the process ends anyway. */
const CLOSE_MS = 35_000;

/**
 * Runs an application as this process: starts it, ends it in order at SIGTERM or SIGINT (a second one ends it at once), and
 * turns what goes wrong into one line and an exit code. The one owner of signals and of the process' last errors.
 */
export function runMain(app: AppName, start: () => Promise<Closable>): void {
  new Main(app, start, process).run();
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
export class Main {
  private running: Closable | undefined;
  private ending = false;
  private exitCode: number = exitCodes.done;

  constructor(
    private readonly app: AppName,
    private readonly start: () => Promise<Closable>,
    private readonly host: Host,
    private readonly logger: Logger = createLogger({ app, node: `${hostname()}-${process.pid}`, level: 'info' }),
  ) {}

  run(): void {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) this.host.on(signal, () => this.signalled(signal));
    // The tool that started us holds the other end of this channel: when it is killed, nobody would end us any more.
    if (this.host.channel) this.host.on('disconnect', () => this.signalled('SIGTERM'));
    this.host.on('uncaughtException', (error) => this.broken('uncaught exception', error));
    this.host.on('unhandledRejection', (reason) => this.broken('unhandled rejection', reason));
    this.start().then(
      (running) => this.started(running),
      (error: unknown) => this.startFailed(error),
    );
  }

  /** What the start waits for may never come; then the second signal ends it. */
  private started(running: Closable): void {
    this.running = running;
    if (this.ending) void this.end();
  }

  private startFailed(error: unknown): void {
    if (this.ending) return this.exit(exitCodes.done);
    const { code, line } = failureOf(error, this.host.env);
    this.host.stderr.write(`sallyport ${this.app}: ${line}\n`);
    if (code === exitCodes.failed) this.logger.fatal({ err: error }, 'start failed');
    this.exit(code);
  }

  private signalled(signal: string): void {
    if (this.ending) return this.exit(128 + (signal === 'SIGINT' ? 2 : 15));
    this.ending = true;
    this.logger.info({ signal }, 'ending');
    if (this.running) void this.end();
  }

  private broken(what: string, error: unknown): void {
    this.logger.fatal({ err: error }, what);
    this.exitCode = exitCodes.failed;
    if (this.ending) return;
    this.ending = true;
    void this.end();
  }

  private async end(): Promise<void> {
    setTimeout(() => {
      this.logger.error({ seconds: CLOSE_MS / 1000 }, 'the end took too long');
      this.exit(exitCodes.failed);
    }, CLOSE_MS).unref();
    try {
      await this.running?.close();
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
