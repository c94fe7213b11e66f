import { aiV1 } from '@sallyport/contracts';
import { compileModels, LocalRouter, type ModelRouter } from '@sallyport/ai';
import {
  type Closable,
  createAdminApp,
  createRpcServer,
  openDatabase,
  type Opened,
  opening,
  openSnapshotReader,
  type Runtime,
  readiness,
  startHealth,
  watchAdminToken,
} from '@sallyport/platform';
import type { DataSource } from 'typeorm';
import { AdminModule } from './admin/admin.module';
import { Cursors } from './admin/cursors';
import { attemptMetrics } from './attempt-metrics';
import type { AiRouterConfig } from './config';
import { Credentials } from './credentials/credentials';
import { Leases } from './credentials/leases';
import { DecideModule } from './decide/decide.module';
import { ROUTING_SERVICE } from './decide/routing.controller';
import { Ledger } from './ledger/ledger';
import { LedgerTables1764000000000, SCHEMA } from './ledger/ledger-tables';
import { keepPartitions } from './ledger/partitions';

export interface RunningAiRouter extends Closable {
  /** The engine, for an ingress in the same process. */
  readonly router: ModelRouter;
}

const POOL_SIZE = 4;
const STATEMENT_TIMEOUT_MS = 2_000;

/**
 * Starts the ai-router on the listeners its config opens. It plans from the last good configuration on disk before any
 * other service answers; the built-in models need none.
 * @throws ListenError, or an error of the database.
 */
export async function startAiRouter(
  config: AiRouterConfig,
  runtime: Runtime,
  database: { readonly url: string },
): Promise<RunningAiRouter> {
  return opening(async (opened) => {
    const dataSource = await openLedgerDatabase(database.url, runtime, opened);
    const { clock, logger, metrics, bus } = runtime;
    const credentials = new Credentials({ environment: config.environment, dataDir: config.dataDir, clock, logger });
    const router = new LocalRouter({ leases: credentials, onSettled: attemptMetrics(metrics) });
    const leases = new Leases(credentials, clock);
    opened.push(leases);
    const reader = await openSnapshotReader({
      bus,
      dataDir: config.dataDir,
      runtime,
      apply: async (snapshot) => {
        const table = compileModels(snapshot);
        await credentials.use(table.credentials);
        router.use(table);
        // Who was leased a credential of the configuration before has to hear what became of it.
        await leases.renew();
      },
    });
    opened.push(reader);
    opened.push(await new Ledger(dataSource, runtime).follow());
    await openAdmin(config, runtime, { dataSource, router, credentials }, opened);
    await openRpc(config, runtime, router, leases, opened);
    if (config.listen.health) {
      const started = () => reader.revision() !== undefined;
      const ready = () => readiness(runtime, { 'no configuration yet': !started(), draining: opened.ending });
      opened.push(await startHealth({ address: config.listen.health, metrics, ready, started }));
    }
    return { router };
  });
}

async function openLedgerDatabase(url: string, runtime: Runtime, opened: Opened): Promise<DataSource> {
  const dataSource = await openDatabase({
    url,
    schema: SCHEMA,
    entities: [],
    migrations: [LedgerTables1764000000000],
    poolSize: POOL_SIZE,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    logger: runtime.logger,
  });
  opened.push({ close: () => dataSource.destroy() });
  opened.push(await keepPartitions(dataSource, runtime));
  return dataSource;
}

async function openAdmin(
  config: AiRouterConfig,
  runtime: Runtime,
  parts: { dataSource: DataSource; router: LocalRouter; credentials: Credentials },
  opened: Opened,
): Promise<void> {
  const address = config.listen.admin;
  if (!address) return;
  const adminToken = await watchAdminToken(runtime.bus);
  opened.push(adminToken);
  const module = AdminModule.over({ ...parts, cursors: await Cursors.open(parts.dataSource.manager) });
  opened.push(await createAdminApp({ module, area: 'ai', address, runtime, adminToken, title: 'Sallyport models' }));
}

async function openRpc(
  config: AiRouterConfig,
  runtime: Runtime,
  router: LocalRouter,
  leases: Leases,
  opened: Opened,
): Promise<void> {
  const address = config.listen.grpc;
  if (!address) return;
  const services = { [ROUTING_SERVICE]: aiV1.RoutingServiceService };
  opened.push(await createRpcServer({ module: DecideModule.over(router, leases), services, address, runtime }));
}
