import { hostname } from 'node:os';
import type { AppName } from '@sallyport/contracts';
import type { Closable } from './address';
import { ConfigError } from './config';
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
  new Main(app, start).run();
}

class Main {
  private readonly logger: Logger;
  private running: Closable | undefined;
  private ending = false;

  constructor(
    private readonly app: AppName,
    private readonly start: () => Promise<Closable>,
  ) {
    this.logger = createLogger({ app, node: `${hostname()}-${process.pid}`, level: 'info' });
  }

  run(): void {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => this.signalled(signal));
    // The tool that started us holds the other end of this channel: when it is killed, nobody would end us any more.
    if (process.channel) process.once('disconnect', () => this.signalled('SIGTERM'));
    process.on('uncaughtException', (error) => this.broken('uncaught exception', error));
    process.on('unhandledRejection', (reason) => this.broken('unhandled rejection', reason));
    this.start().then(
      (running) => this.started(running),
      (error: unknown) => this.startFailed(error),
    );
  }

  /** What the start waits for may never come; then the second signal ends it. */
  private started(running: Closable): void {
    this.running = running;
    if (this.ending) void this.end(exitCodes.done);
  }

  private startFailed(error: unknown): void {
    if (this.ending) return process.exit(exitCodes.done);
    const { code, line } = failureOf(error);
    process.stderr.write(`sallyport ${this.app}: ${line}\n`);
    if (code === exitCodes.failed) this.logger.fatal({ err: error }, 'start failed');
    this.exit(code);
  }

  private signalled(signal: string): void {
    if (this.ending) return process.exit(128 + (signal === 'SIGINT' ? 2 : 15));
    this.ending = true;
    this.logger.info({ signal }, 'ending');
    if (this.running) void this.end(exitCodes.done);
  }

  private broken(what: string, error: unknown): void {
    this.logger.fatal({ err: error }, what);
    if (this.ending) return;
    this.ending = true;
    void this.end(exitCodes.failed);
  }

  private async end(code: number): Promise<void> {
    setTimeout(() => {
      this.logger.error({ seconds: CLOSE_MS / 1000 }, 'the end took too long');
      this.exit(exitCodes.failed);
    }, CLOSE_MS).unref();
    try {
      await this.running?.close();
      this.exit(code);
    } catch (error) {
      this.logger.error({ err: error }, 'the end was not clean');
      this.exit(exitCodes.failed);
    }
  }

  private exit(code: number): void {
    this.logger.flush();
    process.exit(code);
  }
}

/** The one line a person reads, and the code a script reads. */
function failureOf(error: unknown): { code: number; line: string } {
  if (error instanceof ConfigError) return { code: exitCodes.usage, line: error.message };
  if (error instanceof Unreachable || error instanceof ListenError) {
    return { code: exitCodes.unavailable, line: error.message };
  }
  return { code: exitCodes.failed, line: error instanceof Error ? error.message : String(error) };
}
