import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import { eventually } from '../bus.suite';
import { DataDirInUse, isAlive } from './data-lock';
import { PostgresVersionMismatch, startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres';
import { EmbeddedPostgresUnavailable } from './postgres-binaries';

jest.setTimeout(60_000);

const root = process.getuid?.() === 0;
const checkout = resolve(__dirname, '../../../..');

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

const socketDirOf = (url: string) => new URL(url).searchParams.get('host')!;

/** A process of its own that starts the server, tells its URL, and lives until it is killed. */
const ownerScript = `
  const { transformFileSync } = require('@swc/core');
  require.extensions['.ts'] = (module, file) => module._compile(transformFileSync(file, { cwd: process.cwd() }).code, file);
  const { startEmbeddedPostgres } = require(${JSON.stringify(join(__dirname, 'embedded-postgres.ts'))});
  const quiet = { info() {}, warn() {}, error() {} };
  process.on('SIGINT', () => undefined);
  process.stdin.on('data', () => process.exit(1)).on('end', () => process.exit(1));
  startEmbeddedPostgres({ dataDir: process.argv[1], logger: quiet, testing: true }).then(
    (server) => console.log(JSON.stringify({ url: server.url, pid: server.pid() })),
    (error) => { console.log(JSON.stringify({ error: error.message })); process.exit(1); },
  );`;

interface Owner {
  readonly process: ChildProcess;
  readonly told: { readonly url: string; readonly pid: number; readonly error?: string };
}

async function startOwner(dataDir: string, user: { uid?: number; gid?: number } = {}): Promise<Owner> {
  const child = spawn(process.execPath, ['-e', ownerScript, dataDir], {
    ...user,
    cwd: checkout,
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const line = await new Promise<string>((told, failed) => {
    createInterface(child.stdout!).once('line', told);
    child.once('exit', () => failed(new Error('the owner ended without a word')));
  });
  return { process: child, told: JSON.parse(line) as Owner['told'] };
}

async function gone(pid: number): Promise<void> {
  await eventually(() => expect(isAlive(pid)).toBe(false), 10_000);
}

describe('the embedded Postgres', () => {
  const logger = { info: jest.fn(), warn: jest.fn(), error: jest.fn() };
  const servers: EmbeddedPostgres[] = [];
  let parent: string;
  let dataDir: string;

  beforeEach(async () => {
    jest.clearAllMocks();
    parent = await mkdtemp(join(tmpdir(), 'sp-pg test '));
    if (root) await chmod(parent, 0o711);
    dataDir = join(parent, 'data of one');
    await mkdir(dataDir);
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
    await rm(parent, { recursive: true, force: true });
  });

  const start = async (options: { testing?: boolean; dataDir?: string } = {}) => {
    const server = await startEmbeddedPostgres({ dataDir, logger, testing: true, ...options });
    servers.push(server);
    return server;
  };

  it('starts from nothing, in a path with spaces, with durability on, and leaves neither process nor socket', async () => {
    const begin = performance.now();
    const server = await start({ testing: false });
    console.info(`cold start: ${Math.round(performance.now() - begin)} ms`);
    expect(await query(server.url, 'SELECT current_database() AS name')).toEqual([{ name: 'sallyport' }]);
    expect(await query(server.url, 'SHOW fsync')).toEqual([{ fsync: 'on' }]);
    const pid = server.pid();
    await server.close();
    expect(isAlive(pid)).toBe(false);
    expect(existsSync(socketDirOf(server.url))).toBe(false);
    expect(existsSync(join(dataDir, 'postgres', 'owner.pid'))).toBe(false);
  });

  it('lets nobody in without the password, which only its owner may read', async () => {
    const server = await start();
    const url = new URL(server.url);
    url.password = 'guess';
    await expect(query(url.toString(), 'SELECT 1')).rejects.toThrow('password authentication failed');
    expect((await stat(join(dataDir, 'postgres', 'password'))).mode & 0o777).toBe(0o600);
    expect((await stat(socketDirOf(server.url))).mode & 0o777).toBe(0o700);
    expect(await query(server.url, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '' }]);
  });

  it('writes no statement into its log', async () => {
    const server = await start();
    await expect(query(server.url, "SELECT 'a secret' / 0")).rejects.toThrow();
    expect(await readFile(join(dataDir, 'postgres', 'postgres.log'), 'utf8')).not.toContain('a secret');
  });

  it('finds its data again', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 1 AS id');
    await first.close();
    const second = await start();
    expect(await query(second.url, 'SELECT * FROM kept')).toEqual([{ id: 1 }]);
  });

  it('begins anew where an earlier start was cut off while it made the cluster', async () => {
    await mkdir(join(dataDir, 'postgres', 'cluster.draft'), { recursive: true });
    await writeFile(join(dataDir, 'postgres', 'cluster.draft', 'PG_VERSION'), '18\n');
    const server = await start();
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect(await readdir(join(dataDir, 'postgres'))).not.toContain('cluster.draft');
  });

  it('recovers after its owner was killed: the orphan is stopped, what was committed is there', async () => {
    const owner = await startOwner(dataDir);
    await query(owner.told.url, 'CREATE TABLE kept AS SELECT 1 AS id');
    owner.process.kill('SIGKILL');
    await gone(owner.process.pid!);
    expect(isAlive(owner.told.pid)).toBe(true);
    const server = await start();
    expect(isAlive(owner.told.pid)).toBe(false);
    expect(existsSync(socketDirOf(owner.told.url))).toBe(false);
    expect(await query(server.url, 'SELECT * FROM kept')).toEqual([{ id: 1 }]);
  });

  it('recovers after owner and server were killed', async () => {
    const owner = await startOwner(dataDir);
    await query(owner.told.url, 'CREATE TABLE kept AS SELECT 1 AS id');
    owner.process.kill('SIGKILL');
    process.kill(owner.told.pid, 'SIGKILL');
    await gone(owner.told.pid);
    const server = await start();
    expect(await query(server.url, 'SELECT * FROM kept')).toEqual([{ id: 1 }]);
  });

  it('is not misled by a process id in its files that now belongs to another program', async () => {
    await (await start()).close();
    const other = spawn('sleep', ['60']);
    try {
      const file = ['postmaster.pid', 'owner.pid'];
      await writeFile(
        join(dataDir, 'postgres', 'cluster', file[0]!),
        `${other.pid}\n${dataDir}\n1\n5432\n\n\n\nready\n`,
      );
      await writeFile(join(dataDir, 'postgres', file[1]!), JSON.stringify({ pid: other.pid, born: '1', token: 'x' }));
      const server = await start();
      expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      expect(isAlive(other.pid!)).toBe(true);
    } finally {
      other.kill();
    }
  });

  it('is started again under the same URL when it is killed', async () => {
    const server = await start();
    await query(server.url, 'CREATE TABLE kept AS SELECT 1 AS id');
    const pid = server.pid();
    process.kill(pid, 'SIGKILL');
    await eventually(() => expect(server.pid()).not.toBe(pid));
    await eventually(async () => expect(await query(server.url, 'SELECT * FROM kept')).toEqual([{ id: 1 }]), 20_000);
    expect(logger.error).toHaveBeenCalledWith(
      expect.objectContaining({ signal: 'SIGKILL' }),
      expect.stringContaining('starting it again'),
    );
  });

  it('closes while it is being started again', async () => {
    const server = await start();
    process.kill(server.pid(), 'SIGKILL');
    await eventually(() => expect(logger.error).toHaveBeenCalled());
    await server.close();
    expect(isAlive(server.pid())).toBe(false);
  });

  it('does not let a second Sallyport into the folder, and names the first', async () => {
    const owner = await startOwner(dataDir);
    const second = start();
    await expect(second).rejects.toBeInstanceOf(DataDirInUse);
    await expect(second).rejects.toThrow(`process id ${owner.process.pid}`);
    await expect(second).rejects.toThrow('SALLYPORT_DATA_DIR');
    expect(await query(owner.told.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    owner.process.stdin!.end();
    await gone(owner.told.pid);
  });

  it('does not hear the Ctrl-C of the terminal, and follows an owner that ends without closing it', async () => {
    const owner = await startOwner(dataDir);
    process.kill(-owner.process.pid!, 'SIGINT');
    expect(await query(owner.told.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    owner.process.stdin!.end();
    await gone(owner.told.pid);
  });

  it('refuses the cluster of another major version and says what to do', async () => {
    await (await start()).close();
    await writeFile(join(dataDir, 'postgres', 'cluster', 'PG_VERSION'), '17\n');
    const refused = start();
    await expect(refused).rejects.toBeInstanceOf(PostgresVersionMismatch);
    await expect(refused).rejects.toThrow(/made by Postgres 17.*pg_dump.*SALLYPORT_DATABASE_URL/);
  });

  it('asks for a database of the operator where there is no build for the platform', async () => {
    const { arch } = process;
    Object.defineProperty(process, 'arch', { value: 'pdp11' });
    try {
      const refused = start();
      await expect(refused).rejects.toBeInstanceOf(EmbeddedPostgresUnavailable);
      await expect(refused).rejects.toThrow('SALLYPORT_DATABASE_URL');
    } finally {
      Object.defineProperty(process, 'arch', { value: arch });
    }
    await start();
  });

  const asRoot = root ? it : it.skip;
  const why = root ? '' : ' (skipped: needs root)';
  const nobody = { uid: 65_534, gid: 65_534 };

  asRoot(`runs for an ordinary user${why}`, async () => {
    await chown(dataDir, nobody.uid, nobody.gid);
    const owner = await startOwner(dataDir, nobody);
    expect(owner.told.error).toBeUndefined();
    expect((await stat(join(dataDir, 'postgres', 'cluster'))).uid).toBe(nobody.uid);
    owner.process.stdin!.end();
    await gone(owner.told.pid);
  });

  asRoot(`steps down from root where another user may enter${why}`, async () => {
    const server = await start();
    const { uid } = await stat(join(dataDir, 'postgres', 'cluster'));
    // A checkout that only root may enter leaves the namespace as the way.
    if (uid !== 0) expect(uid).toBe(nobody.uid);
    expect(await query(server.url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  const namespaces = root && spawnSync('unshare', ['--user', '--map-user=65534', 'true']).status === 0;
  const asRootOfNamespace = namespaces ? it : it.skip;
  if (!namespaces) console.warn('skipped: Postgres in a user namespace, which needs root and a kernel that permits it');

  asRootOfNamespace(
    `runs for root in a folder only root may enter${namespaces ? '' : ' (skipped: no user namespaces)'}`,
    async () => {
      await chmod(dirname(dataDir), 0o700);
      const first = await start();
      await query(first.url, 'CREATE TABLE kept AS SELECT 1 AS id');
      expect((await stat(join(dataDir, 'postgres', 'cluster'))).uid).toBe(0);
      await first.close();
      await chmod(dirname(dataDir), 0o711);
      const second = await start();
      expect(await query(second.url, 'SELECT * FROM kept')).toEqual([{ id: 1 }]);
      await second.close();
      await chmod(dirname(dataDir), 0o700);
      const third = await start();
      expect(await query(third.url, 'SELECT * FROM kept')).toEqual([{ id: 1 }]);
    },
  );
});
