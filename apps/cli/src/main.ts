import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { systemClock } from '@sallyport/contracts';
import { parseCommandLine } from './command-line';
import { commands } from './commands/registry';
import { exitCodes, Failure, type ExitCode } from './failure';
import { Output } from './output';

/**
 * Runs the command that the process was started with.
 *
 * @param installation folder of the clone or image
 * @returns the exit code
 */
export async function runCommandLine(installation: string): Promise<ExitCode> {
  const args = process.argv.slice(2);
  const { stdout, stderr, stdin, env: environment } = process;
  const output = new Output({ stdout, stderr, json: args.includes('--json'), environment });
  const interrupted = interruption();
  endWithReader();
  try {
    const asked = parseCommandLine(args, commands);
    if (asked.kind === 'help') {
      output.line(asked.text);
      return exitCodes.done;
    }
    if (asked.kind === 'version') {
      output.line(versionOf(installation));
      return exitCodes.done;
    }
    const world = {
      environment,
      directory: process.cwd(),
      installation,
      clock: systemClock,
      interrupted,
      readStandardInput: () => readText(stdin),
    };
    return await asked.command.run(asked.invocation, world, output);
  } catch (error) {
    const failure = interrupted.aborted
      ? new Failure('Interrupted.', { exitCode: exitCodes.failed })
      : error instanceof Failure
        ? error
        : new Failure(`This should not have happened: ${(error as Error).stack ?? String(error)}`, {
            exitCode: exitCodes.failed,
          });
    output.failure(failure);
    return failure.facts.exitCode;
  }
}

/** The first signal ends the command in order; the second one, at once. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => controller.abort());
  return controller.signal;
}

/** Who closes the pipe has read enough: `sallyport tail | head`. */
function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
}

function versionOf(installation: string): string {
  const file = readFileSync(join(installation, 'package.json'), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}
