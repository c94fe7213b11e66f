import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';

/** Where the server of a whole test run says how to reach it. */
export const TEST_POSTGRES_URL = 'TEST_POSTGRES_URL';

export interface TestDatabase {
  /** Of a fresh, empty database. */
  readonly url: string;
  /** Drops the database. */
  close(): Promise<void>;
}

interface TestServer {
  readonly url: string;
  close(): Promise<void>;
}

const quiet = { info: () => undefined, warn: () => undefined, error: console.error };

/** A real Postgres on a throw-away folder, fast rather than durable. */
export async function startTestPostgres(): Promise<TestServer> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sp-db-'));
  // As root the server runs as another user, who has to pass through.
  await chmod(dataDir, 0o711);
  // Only now: most users of the testkit need neither the platform nor the time it takes to load.
  const { startEmbeddedPostgres } = await import('@sallyport/platform');
  const server = await startEmbeddedPostgres({ dataDir, logger: quiet, testing: true });
  return {
    url: server.url,
    close: async () => {
      await server.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

let own: { readonly server: Promise<TestServer>; users: number } | undefined;
let made = 0;

/**
 * Gives a fresh database on the server of the test run; where the run has none, on one that lives as long as this
 * file has a database open. Take one per spec file, in `beforeAll`, and close it in `afterAll`.
 */
export async function testDatabase(): Promise<TestDatabase> {
  const shared = process.env[TEST_POSTGRES_URL];
  if (shared) return makeDatabase(shared, async () => undefined);
  own ??= { server: startTestPostgres(), users: 0 };
  const server = own;
  server.users++;
  const leave = async () => {
    if (--server.users > 0) return;
    if (own === server) own = undefined;
    await (await server.server).close();
  };
  return makeDatabase((await server.server).url, leave);
}

async function makeDatabase(serverUrl: string, leave: () => Promise<void>): Promise<TestDatabase> {
  const name = `t_${process.pid}_${Date.now().toString(36)}_${++made}`;
  await runOn(serverUrl, `CREATE DATABASE ${name}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  let closed: Promise<void> | undefined;
  const drop = async () => {
    await runOn(serverUrl, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    await leave();
  };
  return { url: url.toString(), close: () => (closed ??= drop()) };
}

async function runOn(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
