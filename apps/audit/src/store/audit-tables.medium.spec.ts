import { uuidv7Time, type Clock } from '@sallyport/contracts';
import { createLogger, openDatabase } from '@sallyport/platform';
import { testDatabase, type TestDatabase } from '@sallyport/testkit';
import type { DataSource } from 'typeorm';
import { Cursors } from '../query/cursor';
import { Search } from '../query/search';
import { AuditTables1764000000000, LeanIndexes1764547200000, SCHEMA } from './audit-tables';
import { keepPartitions } from './partitions';

const uid = '019acc0c-6d2b-7c41-9f0e-3a5d2b8e7711';
const moment = uuidv7Time(uid);
const clock: Clock = { now: () => moment, monotonic: () => 0 };

describe('the tables of the version before', () => {
  const logger = createLogger({ app: 'audit', node: 'test', level: 'fatal' });
  let database: TestDatabase;
  let source: DataSource | undefined;

  beforeAll(async () => (database = await testDatabase()), 30_000);
  afterEach(() => source?.destroy());
  afterAll(() => database.close());

  const open = async (migrations: (typeof AuditTables1764000000000 | typeof LeanIndexes1764547200000)[]) => {
    const { url } = database;
    return openDatabase({
      url,
      schema: SCHEMA,
      entities: [],
      migrations,
      poolSize: 2,
      statementTimeoutMs: 5_000,
      logger,
    });
  };

  it('lose two indexes and keep their records, in partitions of months as well', async () => {
    const before = await open([AuditTables1764000000000]);
    await (await keepPartitions(before, clock, logger)).close();
    await before.query(
      `INSERT INTO audit_event (retention, at, uid, position, chain, seq, tenant, kind, trace_id, body)
       VALUES ('traffic', $1, $2, 0, 1, 1, 'default', 'request.completed', 'a trace', '{}')`,
      [new Date(moment), uid],
    );
    await before.destroy();

    source = await open([AuditTables1764000000000, LeanIndexes1764547200000]);
    expect(await new Search(source, new Cursors(new Uint8Array(32)), clock).get(uid)).toMatchObject({
      uid,
      at: moment,
      position: 0,
    });
    const [row] = await source.query<{ tableoid: string }[]>(
      'SELECT tableoid::regclass::text AS tableoid FROM audit_event',
    );
    expect(row!.tableoid).toMatch(/traffic_\d{4}_\d{2}$/);
    const indexes = await source.query<{ indexdef: string }[]>(
      `SELECT indexdef FROM pg_indexes WHERE schemaname = $1 AND tablename = $2`,
      [SCHEMA, row!.tableoid.replace(`${SCHEMA}.`, '')],
    );
    const columns = indexes.map(({ indexdef }) => indexdef.slice(indexdef.indexOf('(')));
    expect(columns).toContain('(trace_id) WHERE (trace_id IS NOT NULL)');
    expect(columns).toContain('(retention, at, uid)');
    expect(columns).not.toContain('(trace_id)');
    expect(columns).not.toContain('(uid)');
  });
});
