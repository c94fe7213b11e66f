/** Jest's globalTeardown, in the same process as the set-up. */
export default async function tearDown(): Promise<void> {
  await (globalThis as typeof globalThis & { testPostgres?: { close(): Promise<void> } }).testPostgres?.close();
}
