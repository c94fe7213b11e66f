import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readlinkSync, rmSync } from 'node:fs';
import {
  chmod,
  chown,
  lchown,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { BusLogger } from '../bus';
import { yieldFamily } from '../yielding';
import { isAlive, lockDirectory } from './data-lock';
import { preparePostgres, type Identity, type PostgresBinaries } from './postgres-binaries';

const USER = 'sallyport';
const DATABASE = 'sallyport';
const SOCKET_DIR_PREFIX = 'sp-pg-';
const SOCKET_NAME = '.s.PGSQL.5432';
/** sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included. */
const LONGEST_SOCKET_PATH = 103;

const START_LIMIT_MS = 30_000;
const STOP_FAST_MS = 10_000;
const STOP_IMMEDIATE_MS = 5_000;
const POLL_MS = 10;
const LONGEST_RESTART_PAUSE_MS = 10_000;
/** How soon a new connection yields the processor, in milliseconds. */
const YIELD_EVERY_MS = 5_000;
/** A log above this starts anew, with the old one kept beside it. */
const LOG_BYTES = 4 * 1024 * 1024;

/** Lean: one host, a handful of small pools, and a process per connection. */
const settings: Readonly<Record<string, string>> = {
  listen_addresses: '',
  unix_socket_permissions: '0700',
  cluster_name: 'sallyport',
  max_connections: '60',
  shared_buffers: '32MB',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  max_wal_size: '256MB',
  min_wal_size: '32MB',
  // Nothing replicates from here.
  wal_level: 'minimal',
  max_wal_senders: '0',
  max_worker_processes: '4',
  max_parallel_workers_per_gather: '0',
  autovacuum_max_workers: '1',
  // Postgres 18 would keep three reader processes.
  io_method: 'sync',
  jit: 'off',
  huge_pages: 'off',
  logging_collector: 'off',
  log_destination: 'stderr',
  // Only what the server says of itself. The error of a statement is its sender's, and may quote what no log may hold.
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  timezone: 'UTC',
};

/** For tests only: a crash of the machine loses everything. */
const testSettings = { fsync: 'off', full_page_writes: 'off' };

/** The cluster on disk belongs to another major version. */
export class PostgresVersionMismatch extends Error {
  constructor(directory: string, found: string, ours: string) {
    super(
      `The embedded database in ${directory} was made by Postgres ${found}; this Sallyport brings Postgres ${ours}, which cannot read it. ` +
        `Either start the Sallyport that made it, or copy the data over: run a Postgres ${found} server on a copy of that folder, ` +
        `pg_dump the database "${DATABASE}", restore it into a Postgres ${ours}, and name that one in SALLYPORT_DATABASE_URL. ` +
        'To begin empty instead, move the folder away.',
    );
    this.name = 'PostgresVersionMismatch';
  }
}

export interface EmbeddedPostgresOptions {
  /** The data folder of the installation; the cluster lives in `postgres` below it. */
  readonly dataDir: string;
  readonly logger: BusLogger;
  /** Trades durability for speed. */
  readonly testing?: boolean;
}

export interface EmbeddedPostgres {
  /** For pg and TypeORM: `postgresql://user:password@localhost/database?host=<socket folder>`. A secret. */
  readonly url: string;
  /** Id of the server's first process. */
  pid(): number;
  /** Stops the server, rolls open transactions back, and leaves neither process nor socket. */
  close(): Promise<void>;
}

/**
 * Starts a real Postgres that belongs to this process and listens on a private unix socket only.
 *
 * One that an earlier, killed process left running on the same folder is stopped first. A server that dies while it
 * is in use is started again under the same URL. As root the server runs as another user.
 *
 * @throws DataDirInUse while another Sallyport runs on the folder; PostgresVersionMismatch;
 *   EmbeddedPostgresUnavailable where the binaries cannot run.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir);
  await mkdir(join(dataDir, 'postgres'), { recursive: true, mode: 0o700 });
  // The kernel tells a server's folder by its real path.
  const home = await realpath(join(dataDir, 'postgres'));
  const release = await lockDirectory(dataDir, join(home, 'owner.pid'));
  let socketDir: string | undefined;
  try {
    const binaries = await preparePostgres(home);
    const cluster = join(home, 'cluster');
    await clearAwayOrphan(cluster, options.logger);
    await giveTo(home, binaries.identity);
    const password = await readOrDrawPassword(join(home, 'password'), binaries.identity);
    if (!existsSync(cluster)) await initialise(home, cluster, binaries, options.testing ?? false);
    await requireVersion(cluster, binaries.majorVersion);
    socketDir = await makeSocketDir(binaries.identity);
    const server = new Server({ ...options, home, cluster, binaries, socketDir, password, release });
    await server.start();
    return server;
  } catch (error) {
    if (socketDir) await rm(socketDir, { recursive: true, force: true });
    await release();
    throw error;
  }
}

interface ServerOptions extends EmbeddedPostgresOptions {
  readonly home: string;
  readonly cluster: string;
  readonly binaries: PostgresBinaries;
  readonly socketDir: string;
  readonly password: string;
  readonly release: () => Promise<void>;
}

class Server implements EmbeddedPostgres {
  readonly url: string;
  private child: ChildProcess | undefined;
  private closing: Promise<void> | undefined;
  private yielding: NodeJS.Timeout | undefined;
  private readonly stopWaiting = new AbortController();
  private restarting: Promise<void> = Promise.resolve();

  constructor(private readonly options: ServerOptions) {
    this.url = urlOf(options, DATABASE);
  }

  pid(): number {
    return this.child?.pid ?? 0;
  }

  async start(): Promise<void> {
    process.on('exit', this.abandon);
    try {
      await this.launch();
      await makeDatabase(urlOf(this.options, 'postgres'));
    } catch (error) {
      process.off('exit', this.abandon);
      if (this.child) await stopProcess(this.child);
      throw error;
    }
  }

  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    this.stopWaiting.abort();
    await this.restarting;
    clearInterval(this.yielding);
    if (this.child) await stopProcess(this.child);
    process.off('exit', this.abandon);
    await rm(this.options.socketDir, { recursive: true, force: true });
    await this.options.release();
  }

  /** A process that ends without closing asks its server to follow; there is no time left to wait for it. */
  private readonly abandon = (): void => {
    if (this.child && isRunning(this.child)) this.child.kill('SIGINT');
    rmSync(this.options.socketDir, { recursive: true, force: true });
  };

  private async launch(): Promise<void> {
    const { home, cluster, binaries, socketDir, testing } = this.options;
    const chosen = { ...settings, unix_socket_directories: `"${socketDir}"`, ...(testing ? testSettings : {}) };
    const flags = Object.entries(chosen).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const logPath = join(home, 'postgres.log');
    const log = await openLog(logPath);
    const begin = (await log.stat()).size;
    const child = run(binaries, 'postgres', ['-D', cluster, ...flags], log.fd);
    this.child = child;
    // It shares the machine with those that answer requests, and none of them waits for it.
    this.yieldFrom(child.pid);
    await log.close();
    try {
      await untilReady(child, cluster);
    } catch (error) {
      const said = (await readFile(logPath, 'utf8')).slice(begin).trim();
      throw new Error(`${(error as Error).message}${said && `; its log says: ${said.slice(-2000)}`}`, { cause: error });
    }
    child.once('exit', (code, signal) => this.died(code, signal));
    // The server must not be what keeps a process alive that has nothing else to do.
    child.unref();
  }

  /** Each connection is a process, and a session, of its own. */
  private yieldFrom(pid: number | undefined): void {
    clearInterval(this.yielding);
    if (pid === undefined) return;
    yieldFamily(pid);
    this.yielding = setInterval(() => yieldFamily(pid), YIELD_EVERY_MS).unref();
  }

  private died(code: number | null, signal: NodeJS.Signals | null): void {
    clearInterval(this.yielding);
    if (this.closing) return;
    this.options.logger.error({ code, signal }, 'the embedded Postgres ended by itself; starting it again');
    this.restarting = this.startAgain();
  }

  private async startAgain(): Promise<void> {
    const { logger, cluster } = this.options;
    for (let wait = 50; !this.closing; wait = Math.min(wait * 2, LONGEST_RESTART_PAUSE_MS)) {
      try {
        await removeForeignPidFile(cluster);
        await this.launch();
        logger.info({}, 'the embedded Postgres runs again');
        return;
      } catch (error) {
        logger.error({ err: error, nextTryMs: wait }, 'the embedded Postgres does not start');
      }
      await pause(wait, undefined, { signal: this.stopWaiting.signal }).catch(() => undefined);
    }
  }
}

function urlOf({ socketDir, password }: ServerOptions, database: string): string {
  return `postgresql://${USER}:${password}@localhost/${database}?host=${encodeURIComponent(socketDir)}`;
}

/** Starts one of the programs as the chosen user, out of reach of the terminal's Ctrl-C. */
function run({ native, identity }: PostgresBinaries, program: string, args: string[], output: number): ChildProcess {
  const { prefix, uid, gid } = identity;
  const [command = '', ...rest] = [...prefix, join(native, 'bin', program), ...args];
  return spawn(command, rest, {
    uid,
    gid,
    cwd: '/',
    detached: true,
    // Ours may hold secrets, and PG* variables meant for another server.
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['ignore', output, output],
  });
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

function exitOf(child: ChildProcess): Promise<void> {
  return new Promise((done) => {
    if (!isRunning(child)) return done();
    child.ref();
    child.once('exit', () => done());
    child.once('error', () => done());
  });
}

async function stopProcess(child: ChildProcess): Promise<void> {
  const exited = exitOf(child);
  // Postgres: SIGINT rolls back and stops, SIGQUIT stops without a checkpoint and recovers at the next start.
  for (const [signal, limit] of [
    ['SIGINT', STOP_FAST_MS],
    ['SIGQUIT', STOP_IMMEDIATE_MS],
    ['SIGKILL', STOP_IMMEDIATE_MS],
  ] as const) {
    if (!isRunning(child)) return;
    child.kill(signal);
    const waiting = new AbortController();
    await Promise.race([exited, pause(limit, undefined, waiting).catch(() => undefined)]);
    waiting.abort();
  }
}

interface PidFile {
  readonly pid: number;
  readonly socketDir: string;
  readonly status: string;
}

/** Postgres writes its state into the cluster: line 1 the process id, line 5 the socket folder, line 8 the status. */
async function readPidFile(cluster: string): Promise<PidFile | undefined> {
  try {
    const lines = (await readFile(join(cluster, 'postmaster.pid'), 'utf8')).split('\n');
    return { pid: Number(lines[0]), socketDir: lines[4] ?? '', status: lines[7]?.trim() ?? '' };
  } catch {
    return undefined;
  }
}

async function untilReady(child: ChildProcess, cluster: string): Promise<void> {
  let failure: Error | undefined;
  child.once('error', (error) => (failure = error));
  for (const end = performance.now() + START_LIMIT_MS; performance.now() < end; await pause(POLL_MS)) {
    if (failure) throw failure;
    if (!isRunning(child)) throw new Error(`the embedded Postgres ended while it started (status ${child.exitCode})`);
    const file = await readPidFile(cluster);
    if (file?.pid === child.pid && file?.status === 'ready') return;
  }
  throw new Error(`the embedded Postgres was not ready within ${START_LIMIT_MS / 1000} s`);
}

/** Whether a process is a Postgres on this cluster, and not another one with a reused id. */
function servesCluster(pid: number, cluster: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === cluster;
  } catch (error) {
    // Without /proc (macOS) the file's word is taken: Postgres removes it on every orderly end.
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && !existsSync('/proc/self/cwd') && isAlive(pid);
  }
}

/** A reused process id in the file would make Postgres believe that another server is running. */
async function removeForeignPidFile(cluster: string): Promise<void> {
  const file = await readPidFile(cluster);
  if (file && isAlive(file.pid) && !servesCluster(file.pid, cluster)) await rm(join(cluster, 'postmaster.pid'));
}

/** Our lock says that no Sallyport is alive on this folder: what still serves it has lost its owner. */
async function clearAwayOrphan(cluster: string, logger: BusLogger): Promise<void> {
  const file = await readPidFile(cluster);
  if (!file) return;
  await removeForeignPidFile(cluster);
  if (isAlive(file.pid) && servesCluster(file.pid, cluster)) {
    logger.warn({ pid: file.pid }, 'stopping the Postgres that an earlier process left behind');
    await stopOrphan(file.pid, cluster);
  }
  // Only a folder that we made: the file is in reach of others than us.
  if (basename(file.socketDir).startsWith(SOCKET_DIR_PREFIX))
    await rm(file.socketDir, { recursive: true, force: true });
}

async function stopOrphan(pid: number, cluster: string): Promise<void> {
  for (const [signal, limit] of [
    ['SIGINT', STOP_FAST_MS],
    ['SIGQUIT', STOP_IMMEDIATE_MS],
  ] as const) {
    process.kill(pid, signal);
    for (const end = performance.now() + limit; performance.now() < end; await pause(POLL_MS)) {
      if (!isAlive(pid)) return;
    }
  }
  throw new Error(`the Postgres with process id ${pid}, which still serves ${cluster}, does not stop`);
}

/** Makes the cluster under another name first: one that was interrupted is never taken for a whole one. */
async function initialise(home: string, cluster: string, binaries: PostgresBinaries, testing: boolean): Promise<void> {
  const draft = join(home, 'cluster.draft');
  await rm(draft, { recursive: true, force: true });
  const flags = ['--username', USER, '--pwfile', join(home, 'password'), '--auth', 'scram-sha-256'];
  // The builtin provider sorts alike on every machine, whatever locales it has.
  const locale = ['--encoding', 'UTF8', '--locale-provider', 'builtin', '--locale', 'C.UTF-8'];
  const logPath = join(home, 'initdb.log');
  const log = await open(logPath, 'w', 0o600);
  const child = run(
    binaries,
    'initdb',
    ['-D', draft, ...flags, ...locale, '--no-instructions', ...(testing ? ['--no-sync'] : [])],
    log.fd,
  );
  await log.close();
  await exitOf(child);
  if (child.exitCode !== 0) {
    throw new Error(`initdb failed with status ${child.exitCode}: ${(await readFile(logPath, 'utf8')).slice(-2000)}`);
  }
  await rename(draft, cluster);
}

async function requireVersion(cluster: string, ours: string): Promise<void> {
  const found = (await readFile(join(cluster, 'PG_VERSION'), 'utf8')).trim();
  if (found !== ours) throw new PostgresVersionMismatch(cluster, found, ours);
}

async function readOrDrawPassword(path: string, { owner }: Identity): Promise<string> {
  if (existsSync(path)) return (await readFile(path, 'utf8')).trim();
  const password = randomBytes(24).toString('base64url');
  await writeFile(path, password, { mode: 0o600, flag: 'wx' });
  // initdb reads it as the other user.
  if (owner) await chown(path, owner.uid, owner.gid);
  return password;
}

/** Hands the folder and everything below to the user of the server, unless it is theirs. */
async function giveTo(home: string, { owner }: Identity): Promise<void> {
  if (!owner) return;
  const { uid, gid } = await stat(home);
  const cluster = existsSync(join(home, 'cluster')) ? await stat(join(home, 'cluster')) : undefined;
  if (uid === owner.uid && gid === owner.gid && (!cluster || cluster.uid === owner.uid)) return;
  await chown(home, owner.uid, owner.gid);
  for (const name of await readdir(home, { recursive: true })) await lchown(join(home, name), owner.uid, owner.gid);
}

async function makeSocketDir({ owner }: Identity): Promise<string> {
  const fits = (parent: string) =>
    Buffer.byteLength(join(parent, `${SOCKET_DIR_PREFIX}XXXXXX`, SOCKET_NAME)) <= LONGEST_SOCKET_PATH;
  const parent = [tmpdir(), '/tmp'].find((candidate) => fits(candidate) && existsSync(candidate));
  if (!parent) throw new Error('no temporary folder has a path short enough for a unix socket; set TMPDIR to one');
  const directory = await mkdtemp(join(parent, SOCKET_DIR_PREFIX));
  await chmod(directory, 0o700);
  if (owner) await chown(directory, owner.uid, owner.gid);
  return directory;
}

async function openLog(path: string) {
  const size = existsSync(path) ? (await stat(path)).size : 0;
  if (size > LOG_BYTES) await rename(path, `${path}.old`);
  return open(path, 'a', 0o600);
}

async function makeDatabase(url: string): Promise<void> {
  const { Client } = await import('pg');
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [DATABASE]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${DATABASE}`);
  } finally {
    await client.end();
  }
}
