import { testDatabase, type TestDatabase } from '@sallyport/testkit';
import { createServer, type AddressInfo } from 'node:net';
import { Client } from 'pg';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import { eventually } from '../bus.suite';
import { describeDatabase, openDatabase, type DatabaseOptions } from './database';

class MakeThing1760000000000 implements MigrationInterface {
  name = 'MakeThing1760000000000';
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE TABLE thing (id int PRIMARY KEY)');
    await runner.query('SELECT pg_sleep(0.2)');
  }
  async down(): Promise<void> {}
}

class Break1760000000001 implements MigrationInterface {
  name = 'Break1760000000001';
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE TABLE half (id int)');
    await runner.query('SELECT * FROM nowhere');
  }
  async down(): Promise<void> {}
}

describe('a database', () => {
  const logger = { info: jest.fn(), warn: jest.fn(), error: jest.fn() };
  let database: TestDatabase;
  const opened: DataSource[] = [];

  beforeAll(async () => (database = await testDatabase()), 30_000);
  afterEach(async () => {
    for (const source of opened.splice(0)) await source.destroy();
    jest.clearAllMocks();
  });
  afterAll(() => database.close());

  const open = async (options: Partial<DatabaseOptions> = {}) => {
    const source = await openDatabase({
      url: database.url,
      schema: 'catalog',
      entities: [],
      migrations: [MakeThing1760000000000],
      poolSize: 3,
      statementTimeoutMs: 100,
      logger,
      ...options,
    });
    opened.push(source);
    return source;
  };

  it('is migrated once when replicas start together, though a migration outlasts the statement timeout', async () => {
    const sources = await Promise.all([open(), open(), open()]);
    await sources[0]!.query('INSERT INTO thing VALUES (1)');
    expect(await sources[1]!.query('SELECT * FROM catalog.thing')).toEqual([{ id: 1 }]);
    expect(logger.info).toHaveBeenCalledTimes(1);
    expect(await sources[2]!.query('SELECT name FROM catalog.migration')).toEqual([{ name: 'MakeThing1760000000000' }]);
  });

  it('keeps the schemas of two applications apart', async () => {
    await open();
    const audit = await open({ schema: 'audit' });
    expect(await audit.query('SELECT count(*)::int FROM thing')).toEqual([{ count: 0 }]);
    const tables = await audit.query("SELECT schemaname FROM pg_tables WHERE tablename = 'migration' ORDER BY 1");
    expect(tables).toEqual([{ schemaname: 'audit' }, { schemaname: 'catalog' }]);
  });

  it('cancels a statement that takes too long and says who asks', async () => {
    const source = await open();
    await expect(source.query('SELECT pg_sleep(1)')).rejects.toThrow('statement timeout');
    expect(await source.query('SHOW application_name')).toEqual([{ application_name: 'sallyport-catalog' }]);
  });

  it('goes on after its connections were cut, idle ones and one in a transaction', async () => {
    const source = await open();
    const cut = async () => {
      const admin = new Client({ connectionString: database.url });
      await admin.connect();
      await admin.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sallyport-catalog'",
      );
      await admin.end();
    };
    await cut();
    await eventually(() => expect(logger.warn).toHaveBeenCalled());
    expect(await source.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
    const lost = source.transaction(async (manager) => {
      await manager.query('SELECT 1');
      await cut();
      await eventually(() =>
        manager.query('SELECT 1').then(
          () => expect('alive').toBe('cut'),
          () => undefined,
        ),
      );
      await manager.query('SELECT 1');
    });
    await expect(lost).rejects.toThrow();
    await eventually(async () => expect(await source.query('SELECT 1 AS one')).toEqual([{ one: 1 }]));
  });

  it('leaves nothing of a migration that fails, and fails with its error at once', async () => {
    await expect(open({ schema: 'broken', migrations: [Break1760000000001] })).rejects.toThrow('nowhere');
    const source = await open();
    expect(await source.query("SELECT 1 FROM pg_tables WHERE schemaname = 'broken' AND tablename = 'half'")).toEqual(
      [],
    );
    await open({ schema: 'broken', migrations: [MakeThing1760000000000] });
  });

  it('says each time why there is no connection, without the password, and fails when the time is over', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const url = `postgresql://sallyport:hunter2@127.0.0.1:${port}/sallyport`;
    const opening = open({ url, connectLimitMs: 1_500 });
    await expect(opening).rejects.toThrow(`Postgres at 127.0.0.1:${port}/sallyport could not be reached within 1.5 s`);
    await expect(opening).rejects.toThrow('ECONNREFUSED');
    expect(logger.warn.mock.calls.length).toBeGreaterThanOrEqual(2);
    expect(JSON.stringify(logger.warn.mock.calls)).toContain('ECONNREFUSED');
    expect(JSON.stringify(logger.warn.mock.calls)).not.toContain('hunter2');
  });

  it('is described without its credentials', () => {
    expect(describeDatabase('postgres://me:secret@db:5432/sallyport')).toBe('Postgres at db:5432/sallyport');
    expect(describeDatabase('postgres://me:secret@localhost/x?host=%2Frun%2Fpg')).toBe('Postgres at /run/pg/x');
    expect(describeDatabase('no url with a secret')).toBe('Postgres');
  });
});
