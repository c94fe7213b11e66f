import { Client } from 'pg';
import { testDatabase } from './test-database';

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

describe('a test database', () => {
  it('is empty, and apart from another one', async () => {
    const one = await testDatabase();
    const two = await testDatabase();
    await query(one.url, 'CREATE TABLE mine (id int)');
    const tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
    expect(await query(one.url, tables)).toEqual([{ tablename: 'mine' }]);
    expect(await query(two.url, tables)).toEqual([]);
    await one.close();
    await expect(query(one.url, 'SELECT 1')).rejects.toThrow();
    await two.close();
  });
});
