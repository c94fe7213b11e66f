import { buckets } from '@sallyport/contracts';
import { LocalVerifier } from '@sallyport/identity';
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
  startOutboxRelay,
  watchAdminToken,
  watchKeyDirectory,
} from '@sallyport/platform';
import { fetchDocument } from '@sallyport/proxy';
import type { DataSource } from 'typeorm';
import { AuthAdminModule } from './admin/keys.controller';
import type { AuthConfig } from './config';
import { VerificationModule, verificationServices } from './decide/verification.controller';
import { establishAdminToken, publishAdminToken } from './establish-admin-token';
import { Cursors } from './keys/cursor';
import { KeyPublisher } from './keys/key-publisher';
import { Keys, type MintedApiKey } from './keys/keys';
import type { MintRequest } from './keys/mint-request';
import { apiKeys } from './store/api-keys';
import { AuthTables1764000000000, SCHEMA } from './store/auth-tables';

const POOL_SIZE = 4;
const STATEMENT_TIMEOUT_MS = 2_000;
/** How long an ended key is still told of, so that readers with a slow clock refuse it too. */
const TELL_AFTER_END_MS = 24 * 3_600_000;

export interface RunningAuth extends Closable {
  /** The engine, for an ingress in the same process. */
  readonly verifier: LocalVerifier;
  /** The admin token, when this start has drawn it; it is known at no later moment. */
  readonly firstAdminToken: string | undefined;
  /** Mints a key on behalf of the installation itself, with its record in the audit trail. */
  mintKey(request: MintRequest): Promise<MintedApiKey>;
}

export interface StartAuthOptions {
  /** Draw an admin token when none is configured and none stored: for an installation that sets itself up. */
  readonly drawAdminToken?: boolean;
}

/**
 * Starts the auth service on the listeners its config opens.
 *
 * @param database `url` of Postgres; the tables lie in a schema of their own.
 * @throws ConfigError without an admin token, ListenError, or Unreachable when Postgres does not answer.
 */
export async function startAuth(
  config: AuthConfig,
  runtime: Runtime,
  database: { readonly url: string },
  options: StartAuthOptions = {},
): Promise<RunningAuth> {
  return opening(async (opened) => {
    const dataSource = await openStore(database.url, runtime, opened);
    const token = await establishAdminToken({
      dataSource,
      clock: runtime.clock,
      random: runtime.random,
      configured: config.adminToken,
      draw: options.drawAdminToken ?? false,
    });
    const relay = await startOutboxRelay({ dataSource, schema: SCHEMA, trail: runtime.trail, logger: runtime.logger });
    opened.push(relay);

    const verifier = await openVerifier(config, runtime, opened);
    const publisher = await openPublisher(dataSource, verifier, token.sha256, runtime);
    opened.push(publisher);
    const keys = new Keys({
      dataSource,
      pepper: config.pepper,
      cursors: new Cursors(config.pepper.derive('cursor:auth-keys')),
      clock: runtime.clock,
      random: runtime.random,
      committed: async (key) => {
        relay.nudge();
        await publisher.publish(key);
      },
    });
    await openListeners(config, runtime, keys, verifier, () => !opened.ending, opened);
    return {
      verifier,
      firstAdminToken: token.drawn,
      mintKey: (request) => keys.mint(request, { name: 'system', via: 'api' }),
    };
  });
}

async function openStore(url: string, { logger }: Runtime, opened: Opened): Promise<DataSource> {
  const dataSource = await openDatabase({
    url,
    schema: SCHEMA,
    entities: [],
    migrations: [AuthTables1764000000000],
    poolSize: POOL_SIZE,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    logger,
  });
  opened.push({ close: () => dataSource.destroy() });
  return dataSource;
}

/** The engine, fed with trust entries by the snapshot and with keys by the bus. */
async function openVerifier(config: AuthConfig, runtime: Runtime, opened: Opened): Promise<LocalVerifier> {
  const { bus, clock, clockFault, logger } = runtime;
  const verifier = new LocalVerifier({
    clock,
    clockFault,
    peppers: [config.pepper],
    fetchJwks: (request) => fetchDocument(request),
    fetchFailed: (url, error) => logger.warn({ url, err: error }, 'the keys of an issuer cannot be fetched'),
  });
  opened.push(await watchKeyDirectory({ bus, clock, logger, apply: verifier.keys }));
  opened.push(
    await openSnapshotReader({
      bus,
      dataDir: config.dataDir,
      runtime,
      apply: ({ trust }) => verifier.setTrust(trust),
    }),
  );
  return verifier;
}

async function openPublisher(
  dataSource: DataSource,
  verifier: LocalVerifier,
  adminTokenHash: Buffer,
  { bus, clock, logger }: Runtime,
): Promise<KeyPublisher> {
  const publisher = new KeyPublisher({
    bucket: await bus.kv(buckets.apiKeys),
    directory: verifier.keys,
    presentable: async () => {
      const now = clock.now();
      await apiKeys.expire(dataSource.manager, new Date(now));
      return apiKeys.presentable(dataSource.manager, new Date(now - TELL_AFTER_END_MS));
    },
    beforeReconcile: () => publishAdminToken(bus, adminTokenHash),
    clock,
    logger,
  });
  await publisher.start();
  return publisher;
}

async function openListeners(
  { listen }: AuthConfig,
  runtime: Runtime,
  keys: Keys,
  verifier: LocalVerifier,
  isServing: () => boolean,
  opened: Opened,
): Promise<void> {
  if (listen.admin) {
    const adminToken = await watchAdminToken(runtime.bus);
    opened.push(adminToken);
    const module = AuthAdminModule.over(keys);
    opened.push(
      await createAdminApp({
        module,
        area: 'auth',
        address: listen.admin,
        runtime,
        adminToken,
        title: 'Sallyport auth',
      }),
    );
  }
  if (listen.grpc) {
    const module = VerificationModule.over(verifier, runtime.clockFault);
    opened.push(await createRpcServer({ module, services: verificationServices, address: listen.grpc, runtime }));
  }
  if (listen.health) {
    const ready = () => readiness(runtime, { draining: !isServing() });
    opened.push(await startHealth({ address: listen.health, metrics: runtime.metrics, ready }));
  }
}
