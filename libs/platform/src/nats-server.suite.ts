import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, standStill } from '@sallyport/testkit';

/** Whether the machine has a NATS server to test against. */
export const hasNatsServer = spawnSync('nats-server', ['--version']).status === 0;

/** A server of a test's own, that it can stop and start again on the same port and store. */
export interface NatsServer {
  readonly url: string;
  start(): Promise<void>;
  /** @param signal default SIGTERM. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Stands still from then on. */
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
    freeze: () => standStill(child!),
    wipe: () => rm(store, { recursive: true, force: true }),
    close: async () => {
      await server.stop('SIGKILL');
      await rm(store, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}
