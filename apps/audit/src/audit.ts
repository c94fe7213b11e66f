import {
  type Closable,
  createAdminApp,
  createRpcServer,
  openDatabase,
  type Opened,
  opening,
  type Runtime,
  readiness,
  startHealth,
  watchAdminToken,
} from '@sallyport/platform';
import type { DataSource } from 'typeorm';
import { AuditAdminModule } from './admin/events.controller';
import type { AuditConfig } from './config';
import { Ingester } from './consume/ingester';
import { AuditRpcModule, auditServices } from './query/audit.rpc';
import { Cursors } from './query/cursor';
import { LiveRecords } from './query/live';
import { Reader } from './query/reader';
import { Search } from './query/search';
import { trailHealth } from './query/trail-health';
import { AuditTables1764000000000, LeanIndexes1764547200000, SCHEMA } from './store/audit-tables';
import { keepPartitions } from './store/partitions';

const POOL_SIZE = 3;
const STATEMENT_TIMEOUT_MS = 2_000;

export interface RunningAudit extends Closable {
  /** The engine of the query API. */
  readonly search: Search;
  /** Whether this process stores records, or stands by for the one that does. */
  ingesting(): boolean;
}

/**
 * Starts the audit service on the listeners its config opens.
 * @param database `url` of Postgres; the tables lie in a schema of their own.
 * @throws ListenError, or Unreachable when Postgres does not answer.
 */
export async function startAudit(
  config: AuditConfig,
  runtime: Runtime,
  database: { readonly url: string },
): Promise<RunningAudit> {
  return opening(async (opened) => {
    const { bus, clock, random, logger, metrics, tracer, trail } = runtime;
    const dataSource = await openStore(database.url, runtime, opened);
    opened.push(await keepPartitions(dataSource, clock, logger));
    const ingester = new Ingester({ databaseUrl: database.url, bus, clock, logger, metrics, tracer });
    opened.push(ingester);
    await ingester.start();

    const search = new Search(dataSource, new Cursors(await cursorKey(dataSource, runtime)), clock);
    const reader = new Reader({ search, trail, clock, random });
    await openAdmin(config, runtime, reader, () => trailHealth(dataSource, ingester), opened);
    if (config.listen.grpc) {
      const module = AuditRpcModule.over(reader, search);
      opened.push(await createRpcServer({ module, services: auditServices, address: config.listen.grpc, runtime }));
    }
    if (config.listen.health) {
      const ready = () => readiness(runtime, { draining: opened.ending });
      opened.push(await startHealth({ address: config.listen.health, metrics, ready }));
    }
    return { search, ingesting: () => ingester.active };
  });
}

async function openStore(url: string, { logger }: Runtime, opened: Opened): Promise<DataSource> {
  const dataSource = await openDatabase({
    url,
    schema: SCHEMA,
    entities: [],
    migrations: [AuditTables1764000000000, LeanIndexes1764547200000],
    poolSize: POOL_SIZE,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    logger,
  });
  opened.push({ close: () => dataSource.destroy() });
  return dataSource;
}

/** Drawn by the first process that starts; every replica reads the cursors of every other. */
async function cursorKey(dataSource: DataSource, { random }: Runtime): Promise<Uint8Array> {
  await dataSource.query('INSERT INTO cursor_key (key) VALUES ($1) ON CONFLICT DO NOTHING', [Buffer.from(random(32))]);
  const [row] = await dataSource.query<{ key: Buffer }[]>('SELECT key FROM cursor_key');
  return row!.key;
}

async function openAdmin(
  config: AuditConfig,
  runtime: Runtime,
  reader: Reader,
  health: () => ReturnType<typeof trailHealth>,
  opened: Opened,
): Promise<void> {
  const address = config.listen.admin;
  if (!address) return;
  const adminToken = await watchAdminToken(runtime.bus);
  opened.push(adminToken);
  const live = new LiveRecords(runtime.bus);
  const module = AuditAdminModule.over(reader, live, health);
  const app = await createAdminApp({ module, area: 'audit', address, runtime, adminToken, title: 'Sallyport audit' });
  opened.push(app);
  // Closed first: an open watcher would keep the listener from ending.
  opened.push(live);
}
