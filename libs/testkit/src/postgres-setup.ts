import { startTestPostgres, TEST_POSTGRES_URL } from './test-database';

type WithServer = typeof globalThis & { testPostgres?: { close(): Promise<void> } };

/** Jest's globalSetup: one server for the whole run, told to the workers by the environment. */
export default async function setUp(): Promise<void> {
  const server = await startTestPostgres();
  (globalThis as WithServer).testPostgres = server;
  process.env[TEST_POSTGRES_URL] = server.url;
}
