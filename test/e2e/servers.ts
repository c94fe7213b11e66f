import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import { freePorts, testDatabase } from '@sallyport/testkit';
import { Program } from './program';

/** Where Debian puts servers, also when only root's path leads there. */
const PATH = [process.env['PATH'] ?? '', '/usr/sbin', '/usr/local/sbin'].join(delimiter);

function binary(name: string): string | undefined {
  return PATH.split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path) && spawnSync(path, ['--version']).status === 0);
}

const nats = binary('nats-server');
const redis = binary('redis-server') ?? binary('valkey-server');

/** Names of the servers that a cluster needs and this machine has not. */
export const missingServers: readonly string[] = [
  ...(nats === undefined ? ['nats-server'] : []),
  ...(redis === undefined ? ['redis-server'] : []),
];

/** A server that can be stopped and started again at the same place. */
export interface RealServer {
  readonly url: string;
  running(): boolean;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Stands still with its connections open, and goes on. */
  freeze?(): void;
  thaw?(): void;
  close(): Promise<void>;
}

/** @param store folder of its streams and buckets */
export async function startNats(store: string): Promise<RealServer> {
  const [port] = await freePorts(1);
  const args = ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', store];
  const ready = (server: Program) => server.stderr.includes('Server is ready');
  return startServer(
    `nats://127.0.0.1:${port}`,
    () => new Program('nats-server', nats!, args, { env: { PATH } }),
    ready,
  );
}

/** @param folder that it may write to; it keeps nothing */
export async function startRedis(folder: string): Promise<RealServer> {
  const [port] = await freePorts(1);
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', folder];
  const ready = (server: Program) => server.stdout.includes('eady to accept connections');
  return startServer(
    `redis://127.0.0.1:${port}`,
    () => new Program('redis-server', redis!, args, { env: { PATH } }),
    ready,
  );
}

async function startServer(url: string, run: () => Program, ready: (server: Program) => boolean): Promise<RealServer> {
  let server: Program;
  const start = async (): Promise<void> => {
    server = run();
    await server.until(`${server.name} is ready`, () => ready(server));
  };
  const stop = async (): Promise<void> => {
    await server.end('SIGTERM');
  };
  await start();
  const freeze = (): void => server.send('SIGSTOP');
  const thaw = (): void => server.send('SIGCONT');
  const close = async (): Promise<void> => {
    thaw();
    await stop();
  };
  return { url, running: () => server.running, start, stop, freeze, thaw, close };
}

/**
 * A database of its own on a real Postgres, behind a door on a TCP port: with the door shut every connection is cut and
 * every new one refused, as when the server is stopped.
 */
export async function startPostgres(): Promise<RealServer> {
  const database = await testDatabase();
  const url = new URL(database.url);
  const path = join(url.searchParams.get('host')!, '.s.PGSQL.5432');
  const [port] = await freePorts(1);
  const sockets = new Set<Socket>();
  let door: Server;
  const start = async (): Promise<void> => {
    door = createServer((client) => {
      const server = createConnection(path);
      for (const [one, other] of [
        [client, server],
        [server, client],
      ] as const) {
        sockets.add(one);
        one.pipe(other);
        one.on('error', () => undefined);
        one.once('close', () => {
          sockets.delete(one);
          other.destroy();
        });
      }
    });
    await new Promise<void>((resolve, reject) => {
      door.once('error', reject);
      door.listen(port, '127.0.0.1', resolve);
    });
  };
  const stop = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => door.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  await start();
  return {
    url: `postgresql://${url.username}:${url.password}@127.0.0.1:${port}${url.pathname}`,
    running: () => door.listening,
    start,
    stop,
    close: async () => {
      if (door.listening) await stop();
      await database.close();
    },
  };
}
