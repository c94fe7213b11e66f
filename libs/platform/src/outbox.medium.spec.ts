import { uuidv7 } from '@sallyport/contracts';
import { testDatabase, type TestDatabase } from '@sallyport/testkit';
import { SpoolFull, type AuditEvent, type Receipt } from '@sallyport/trail';
import { randomBytes } from 'node:crypto';
import type { DataSource, MigrationInterface, QueryRunner } from 'typeorm';
import { eventually } from './bus.suite';
import { openDatabase } from './database/database';
import { outboxTableSql, startOutboxRelay, writeOutbox, type OutboxRelay } from './outbox';

const schema = 'catalog';

class MakeTables1760000000000 implements MigrationInterface {
  name = 'MakeTables1760000000000';
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(outboxTableSql(schema));
    await runner.query('CREATE TABLE thing (name text PRIMARY KEY)');
  }
  async down(): Promise<void> {}
}

/** Remembers what it was given; `full` makes it refuse, `slow` holds every sync back. */
class FakeTrail {
  readonly taken: AuditEvent[] = [];
  full = false;
  slow: Promise<void> = Promise.resolve();

  append(event: AuditEvent): Receipt {
    const refused = this.full;
    if (!refused) this.taken.push(event);
    const durable = refused ? Promise.reject(new SpoolFull(event.uid)) : this.slow;
    durable.catch(() => undefined);
    return { uid: event.uid, seq: refused ? 0 : this.taken.length, written: durable, durable };
  }

  has(uid: string): boolean {
    return this.taken.some((event) => event.uid === uid);
  }
}

const change = (name: string): AuditEvent => ({
  uid: uuidv7(Date.now(), randomBytes),
  kind: 'change.committed',
  tenant: 'default',
  body: { name, note: 'any text, even \u0000' },
});

describe('the outbox', () => {
  const logger = { info: jest.fn(), warn: jest.fn(), error: jest.fn() };
  const relays: OutboxRelay[] = [];
  let database: TestDatabase;
  let dataSource: DataSource;
  let trail: FakeTrail;

  beforeAll(async () => {
    database = await testDatabase();
    dataSource = await openDatabase({
      url: database.url,
      schema,
      entities: [],
      migrations: [MakeTables1760000000000],
      poolSize: 5,
      statementTimeoutMs: 2_000,
      logger,
    });
  }, 30_000);
  beforeEach(() => (trail = new FakeTrail()));
  afterEach(async () => {
    for (const relay of relays.splice(0)) await relay.close();
    await dataSource.query('TRUNCATE outbox, thing');
    jest.clearAllMocks();
  });
  afterAll(async () => {
    await dataSource.destroy();
    await database.close();
  });

  const start = async (into = trail) => {
    const relay = await startOutboxRelay({ dataSource, schema, trail: into, logger });
    relays.push(relay);
    return relay;
  };
  const write = (...events: AuditEvent[]) =>
    dataSource.transaction(async (manager) => {
      for (const event of events) await writeOutbox(manager, schema, event);
    });
  const waiting = async () => Number((await dataSource.query('SELECT count(*) FROM outbox'))[0].count);

  it('carries a record into the trail as it was written, and removes it', async () => {
    const relay = await start();
    const event = change('one');
    await write(event);
    relay.nudge();
    await eventually(() => expect(trail.taken).toEqual([event]));
    await eventually(async () => expect(await waiting()).toBe(0));
  });

  it('carries records that were there before it, in order, in batches', async () => {
    const events = Array.from({ length: 250 }, (_, index) => change(String(index)));
    await write(...events);
    await start();
    await eventually(async () => expect(await waiting()).toBe(0));
    expect(trail.taken.map(({ uid }) => uid)).toEqual(events.map(({ uid }) => uid));
  });

  it('has no record of a change that was rolled back', async () => {
    const relay = await start();
    const failing = dataSource.transaction(async (manager) => {
      await manager.query("INSERT INTO thing VALUES ('one')");
      await writeOutbox(manager, schema, change('one'));
      await manager.query("INSERT INTO thing VALUES ('one')");
    });
    await expect(failing).rejects.toThrow('duplicate key');
    const kept = change('kept');
    await write(kept);
    relay.nudge();
    await eventually(() => expect(trail.taken).toEqual([kept]));
  });

  it('is refused outside a transaction', async () => {
    await expect(writeOutbox(dataSource.manager, schema, change('one'))).rejects.toThrow('in the transaction');
  });

  it('keeps a record until the disk has it', async () => {
    let synced!: () => void;
    trail.slow = new Promise((resolve) => (synced = resolve));
    const relay = await start();
    await write(change('one'));
    relay.nudge();
    await eventually(() => expect(trail.taken).toHaveLength(1));
    expect(await waiting()).toBe(1);
    synced();
    await eventually(async () => expect(await waiting()).toBe(0));
  });

  it('does not record again what a run before had put into the spool and not removed', async () => {
    const event = change('one');
    trail.append(event);
    await write(event);
    await start();
    await eventually(async () => expect(await waiting()).toBe(0));
    expect(trail.taken).toEqual([event]);
  });

  it('does not record again what it could not remove, and removes it when the database is back', async () => {
    let synced!: () => void;
    trail.slow = new Promise((resolve) => (synced = resolve));
    const relay = await start();
    await write(change('one'));
    relay.nudge();
    await eventually(() => expect(trail.taken).toHaveLength(1));
    await dataSource.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()",
    );
    synced();
    await eventually(() => expect(logger.warn).toHaveBeenCalled());
    await eventually(async () => expect(await waiting()).toBe(0));
    expect(trail.taken).toHaveLength(1);
  });

  it('waits while the spool is full and loses nothing', async () => {
    trail.full = true;
    const relay = await start();
    await write(change('one'), change('two'));
    relay.nudge();
    await eventually(() => expect(logger.warn).toHaveBeenCalled());
    expect(JSON.stringify(logger.warn.mock.calls[0])).toContain('spool is full');
    expect(await waiting()).toBe(2);
    trail.full = false;
    await eventually(async () => expect(await waiting()).toBe(0));
    expect(trail.taken).toHaveLength(2);
  });

  it('shared by two replicas gives each record to one', async () => {
    const other = new FakeTrail();
    await start(trail);
    await start(other);
    for (let round = 0; round < 20; round++) {
      await write(...Array.from({ length: 10 }, (_, index) => change(`${round}-${index}`)));
      for (const relay of relays) relay.nudge();
    }
    await eventually(async () => expect(await waiting()).toBe(0));
    const uids = [...trail.taken, ...other.taken].map(({ uid }) => uid);
    expect(uids).toHaveLength(200);
    expect(new Set(uids).size).toBe(200);
  });

  it('closes at once, in the middle of a pause as well', async () => {
    const relay = await start();
    const begin = performance.now();
    await relay.close();
    expect(performance.now() - begin).toBeLessThan(500);
  });
});
