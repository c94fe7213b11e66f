import { spawn, type ChildProcess } from 'node:child_process';
import { PATIENCE_MS, until, within } from './waiting';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ProgramOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Ours ends by itself when the test run is killed, since it watches the channel that this opens. */
  readonly channel?: boolean;
}

const TAIL = 4_000;

/** A program that a test has started, with all it has said. It is ended by its process id and never by its name. */
export class Program {
  readonly exited: Promise<Exit>;
  stdout = '';
  stderr = '';
  private readonly child: ChildProcess;

  constructor(
    readonly name: string,
    command: string,
    args: readonly string[],
    { env, cwd, uid, gid, channel = false }: ProgramOptions,
  ) {
    const stdio = ['ignore' as const, 'pipe' as const, 'pipe' as const, ...(channel ? ['ipc' as const] : [])];
    this.child = spawn(command, args, { env, cwd, uid, gid, stdio });
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => {
        this.stderr += `${error.message}\n`;
        resolve({ code: null, signal: null });
      });
      // Not at the exit: what it has said last may still be on its way.
      this.child.once('close', (code, signal) => resolve({ code, signal }));
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  get running(): boolean {
    return this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** The end of what it has said, for the message of a failure. */
  tail(): string {
    const lines = `${this.stdout.slice(-TAIL)}${this.stderr.slice(-TAIL)}`.trimEnd();
    const state = this.running ? 'runs' : `ended (${this.child.exitCode ?? this.child.signalCode ?? 'never ran'})`;
    return `--- ${this.name} ${state} ---\n${lines}`;
  }

  send(signal: NodeJS.Signals): void {
    if (this.running) this.child.kill(signal);
  }

  /** @throws Error with its last lines when it ends first. */
  until(what: string, probe: () => unknown, limitMs = PATIENCE_MS): Promise<unknown> {
    let ended = false;
    void this.exited.then(() => (ended = true));
    const look = async (): Promise<unknown> => {
      const answer: unknown = await probe();
      return answer ? answer : ended ? new Error(`${what}: it ended before`) : undefined;
    };
    return until(what, look, { within: limitMs, seen: () => this.tail() }).then((answer) => {
      if (answer instanceof Error) throw new Error(`${answer.message}\n${this.tail()}`);
      return answer;
    });
  }

  /** Waits for the end. @throws Error with its last lines when it does not come. */
  async end(signal?: NodeJS.Signals, limitMs = 120_000): Promise<Exit> {
    if (signal) this.send(signal);
    try {
      return await within(limitMs, `${this.name} ends${signal ? ` after ${signal}` : ''}`, this.exited);
    } catch (error) {
      this.send('SIGKILL');
      throw new Error(`${(error as Error).message}\n${this.tail()}`, { cause: error });
    }
  }
}
