import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { freePort } from '@sallyport/testkit';

/** Whether the machine has a NATS server to test against. */
export const hasNatsServer = spawnSync('nats-server', ['--version']).status === 0;

/** A server of a test's own, that it can stop and start again on the same port and store. */
export interface NatsServer {
  readonly url: string;
  start(): Promise<void>;
  /** @param signal default SIGTERM. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Resolves once not one of its threads runs any more: kill(2) returns before. */
  freeze(): Promise<void>;
  /** Forgets all it kept; only while it is stopped. */
  wipe(): Promise<void>;
  close(): Promise<void>;
}

/** @param flags more of the server's own, such as `--user`. */
export async function startNatsServer(...flags: string[]): Promise<NatsServer> {
  const store = await mkdtemp(join(tmpdir(), 'sp-nats-'));
  const port = await freePort();
  let child: ChildProcess | undefined;

  const server: NatsServer = {
    url: `nats://127.0.0.1:${port}`,
    start: async () => {
      const process = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', store, ...flags], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      child = process;
      await new Promise<void>((ready, failed) => {
        let log = '';
        process.stderr!.on('data', (data: Buffer) => {
          log += data.toString();
          if (log.includes('Server is ready')) ready();
        });
        process.once('exit', () => failed(new Error(`nats-server ended: ${log}`)));
      });
    },
    stop: async (signal = 'SIGTERM') => {
      const process = child;
      if (!process || process.exitCode !== null || process.signalCode !== null) return;
      const exited = new Promise((resolve) => process.once('exit', resolve));
      process.kill(signal);
      await exited;
    },
    freeze: async () => {
      child!.kill('SIGSTOP');
      while (!isFrozen(child!.pid!)) await wait(1);
    },
    wipe: () => rm(store, { recursive: true, force: true }),
    close: async () => {
      await server.stop('SIGKILL');
      await rm(store, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

/** proc(5), /proc/pid/stat: behind the name, which may hold anything, T says that a signal stopped the thread. */
function isFrozen(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    const line = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
    return line.slice(line.lastIndexOf(')') + 2).startsWith('T');
  });
}
