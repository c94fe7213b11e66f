import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-ports';
import { standStill } from './stand-still';

/** A real Redis or Valkey of a test's own, without persistence. */
export interface TestRedis {
  readonly url: string;
  /** Stands still until `resume`, as a server that is too slow. */
  pause(): Promise<void>;
  resume(): void;
  /** Dies as by `kill -9`. */
  kill(): Promise<void>;
  /** Ends it and removes its folder. */
  close(): Promise<void>;
}

/** Name of the server binary, or undefined where none is installed: then say so and skip by name. */
export function redisBinary(): string | undefined {
  return ['redis-server', 'valkey-server'].find((name) => spawnSync(name, ['--version']).status === 0);
}

/**
 * Starts a server on a free loopback port.
 * @param port to start again where one was killed.
 */
export async function startTestRedis(binary: string, port?: number): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'sp-'));
  const bound = port ?? (await freePort());
  const options = ['--port', String(bound), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const server = spawn(binary, options, { stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill('SIGCONT');
      server.kill(signal);
    }
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  await accepting(server);
  return {
    url: `redis://127.0.0.1:${bound}`,
    pause: () => standStill(server),
    resume: () => void server.kill('SIGCONT'),
    kill: () => end('SIGKILL'),
    close: () => end('SIGTERM'),
  };
}

function accepting(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = '';
    const timer = setTimeout(() => reject(new Error(`the server did not start: ${log}`)), 10_000);
    server.once('error', reject);
    server.once('exit', () => reject(new Error(`the server ended at once: ${log}`)));
    server.stdout!.on('data', (bytes: Buffer) => {
      log += bytes.toString();
      if (!log.includes('eady to accept connections')) return;
      clearTimeout(timer);
      resolve();
    });
  });
}
