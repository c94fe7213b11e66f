import { catalogV1, RefusalError } from '@sallyport/contracts';
import { policiesById } from '@sallyport/pipeline';
import {
  type Closable,
  createAdminApp,
  createRpcServer,
  describeAddress,
  openDatabase,
  opening,
  type Runtime,
  readiness,
  startHealth,
  startOutboxRelay,
  watchAdminToken,
} from '@sallyport/platform';
import { readMergePatches } from './admin/merge-patch';
import { Catalog, type Edited } from './catalog';
import { catalogModule } from './catalog.module';
import type { CatalogConfig } from './config';
import { ConfigurationStatus } from './configuration-status';
import { AdminDoor } from './door/door';
import type { Editor } from './editing';
import { defaultRules } from './lifecycle';
import { Publisher } from './publisher';
import { CatalogReading } from './reading';
import { SNAPSHOT_SERVICE, snapshotRpcModule } from './snapshot-rpc';
import { CatalogTables1764000000000, SCHEMA } from './store/catalog-tables';
import { ChangeNames1764600000000 } from './store/change-names';
import { DefaultTables1764300000000 } from './store/default-tables';
import { startTimetable } from './timetable';

/** A catalog that runs. */
export interface RunningCatalog extends Closable {
  /** Where the admin door listens: `http://host:port` or `unix:/path`. */
  readonly address: string;
  /** Makes a revision of what the database holds, if it is new, and brings the bus to it. */
  publishNow(): Promise<void>;
  /** Applies a declarative document, as `POST /api/v1/changesets` does. */
  apply(document: unknown, editor: Editor): Promise<Edited<void>>;
}

const POOL_SIZE = 4;
const STATEMENT_TIMEOUT_MS = 2_000;

/**
 * Starts the catalog: its schema brought up to date, the bus brought to the last revision, then its listeners.
 *
 * @param database `url` of Postgres
 * @throws when the database cannot be reached or migrated, or an address cannot be bound.
 */
export async function startCatalog(
  config: CatalogConfig,
  runtime: Runtime,
  database: { readonly url: string },
): Promise<RunningCatalog> {
  const { logger } = runtime;
  return opening(async (opened) => {
    const source = await openDatabase({
      url: database.url,
      schema: SCHEMA,
      entities: [],
      migrations: [CatalogTables1764000000000, DefaultTables1764300000000, ChangeNames1764600000000],
      poolSize: POOL_SIZE,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      logger,
    });
    opened.push({ close: () => source.destroy() });
    const relay = await startOutboxRelay({ dataSource: source, schema: SCHEMA, trail: runtime.trail, logger });
    opened.push(relay);
    const publisher = new Publisher(source, runtime, policiesById);
    const onCommitted = (): void => relay.nudge();
    const catalog = new Catalog({ database: source, runtime, publisher, rules: defaultRules, onCommitted });
    const status = new ConfigurationStatus(publisher, runtime.clock);
    await status.follow(runtime.bus);
    opened.push(status);
    await catalog.endDueVersions().catch((error: unknown) => {
      // Served on as it was, as below: the data plane judges sunsets by date itself.
      if (!(error instanceof RefusalError)) throw error;
      logger.warn({ err: error }, 'versions that have reached their sunset cannot be ended');
    });
    await catalog.publishNow();
    opened.push(
      startTimetable(
        [
          { name: 'sunsets', run: () => catalog.endDueVersions() },
          { name: 'delivery', run: () => publisher.deliver() },
        ],
        logger,
      ),
    );
    const { grpc, health, http } = config.listen;
    if (grpc) opened.push(await startRpc(publisher, runtime, grpc));
    opened.push(await startDoor(config, runtime, { catalog, reading: new CatalogReading(source), status }));
    const ready = () => readiness(runtime, { draining: opened.ending });
    if (health) opened.push(await startHealth({ address: health, metrics: runtime.metrics, ready }));
    logger.info({ address: describeAddress(http) }, 'the admin door is open');
    return {
      address: describeAddress(http),
      publishNow: () => catalog.publishNow(),
      apply: (document, editor) => catalog.apply(document, { editor }),
    };
  });
}

async function startRpc(
  publisher: Publisher,
  runtime: Runtime,
  address: NonNullable<CatalogConfig['listen']['grpc']>,
): Promise<Closable> {
  return createRpcServer({
    module: snapshotRpcModule(publisher),
    services: { [SNAPSHOT_SERVICE]: catalogV1.SnapshotServiceService },
    address,
    runtime,
  });
}

function startDoor(
  config: CatalogConfig,
  runtime: Runtime,
  parts: { catalog: Catalog; reading: CatalogReading; status: ConfigurationStatus },
): Promise<Closable> {
  return opening(async (opened) => {
    const adminToken = opened.push(await watchAdminToken(runtime.bus));
    let ownOpenApi: () => object = () => ({});
    const door = opened.push(
      new AdminDoor({
        areas: config.areas,
        hosts: config.adminHosts,
        logger: runtime.logger,
        publicUrl: config.publicUrl,
        openApi: () => ownOpenApi(),
      }),
    );
    const app = opened.push(
      await createAdminApp({
        module: catalogModule(parts),
        area: '',
        address: config.listen.http,
        runtime,
        adminToken,
        title: 'Sallyport administration',
        onFastify: (instance) => {
          readMergePatches(instance);
          door.addTo(instance);
        },
      }),
    );
    ownOpenApi = () => app.openApi();
    return {};
  });
}
