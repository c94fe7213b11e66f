import type { Client } from 'pg';
import type { DataSource, DataSourceOptions, Logger as TypeOrmLogger } from 'typeorm';
import type { BusLogger } from '../bus';
import { keepTrying } from '../keep-trying';

const CONNECT_TIMEOUT_MS = 5_000;
/** How long a replica waits for another one's migrations. */
const LOCK_TIMEOUT_MS = 120_000;
/** A transaction that its owner forgot must not hold its locks, and hold back vacuum, for ever. */
const IDLE_TRANSACTION_MS = 60_000;
const SCHEMA = /^[a-z][a-z0-9_]{0,62}$/;

export interface DatabaseOptions {
  /** `postgresql://…`; a secret. */
  readonly url: string;
  /** The application's own schema; it is made when it is missing. Also told to Postgres as the name of the client. */
  readonly schema: string;
  readonly entities: NonNullable<DataSourceOptions['entities']>;
  readonly migrations: NonNullable<DataSourceOptions['migrations']>;
  /** Connections at most. */
  readonly poolSize: number;
  /** Postgres cancels a statement after this; migrations are exempt. */
  readonly statementTimeoutMs: number;
  readonly logger: BusLogger;
  /** How long to try at the start; default 30 s. */
  readonly connectLimitMs?: number;
}

/** Names a database in a log: host and name, without user and password. */
export function describeDatabase(url: string): string {
  try {
    const { host, pathname, searchParams } = new URL(url);
    return `Postgres at ${searchParams.get('host') ?? host}${pathname}`;
  } catch {
    return 'Postgres';
  }
}

/**
 * Opens an application's database with its schema brought up to date.
 *
 * Unqualified names in SQL are looked up in the schema. Replicas that start together run the migrations once, one
 * after the other. After this, a lost connection fails the query that used it and nothing else: the pool connects anew.
 *
 * @throws Unreachable when there is no connection within 30 s; a migration's own error at once.
 */
export async function openDatabase(options: DatabaseOptions): Promise<DataSource> {
  const { schema, poolSize, statementTimeoutMs } = options;
  if (!SCHEMA.test(schema)) throw new TypeError(`${JSON.stringify(schema)} is not a schema name`);
  await migrate(options);
  return openPool(options, poolSize, statementTimeoutMs);
}

async function migrate(options: DatabaseOptions): Promise<void> {
  const { schema, logger } = options;
  const lock = await connect(options);
  try {
    await lock.query(`SET lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await lock.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [`sallyport migrations of ${schema}`]);
    await lock.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
    // One connection, and no limit on a statement: an index on a large table takes its time.
    const migrating = await openPool(options, 1, 0);
    try {
      const done = await migrating.runMigrations({ transaction: 'each' });
      for (const { name } of done) logger.info({ schema, migration: name }, 'migrated the database');
    } finally {
      await migrating.destroy();
    }
  } finally {
    // The lock goes with its session.
    await lock.end();
  }
}

/** A connection that lasts as long as the migrations, made as soon as the server takes one. */
function connect({ url, schema, logger, connectLimitMs }: DatabaseOptions): Promise<Client> {
  return keepTrying({
    target: describeDatabase(url),
    logger,
    limitMs: connectLimitMs,
    reason: (error) => reasonOf(error),
    attempt: async () => {
      const { Client } = await import('pg');
      const client = new Client({
        connectionString: url,
        connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
        application_name: `sallyport-${schema}`,
      });
      // A client whose connection breaks while nobody asks it anything tells by event, and an unheard one ends the process.
      client.on('error', (error) =>
        logger.error({ schema, reason: error.message }, 'lost the connection that migrates'),
      );
      await client.connect();
      return client;
    },
  });
}

/** A refused connection to several addresses is an AggregateError without a message of its own. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reasonOf).join('; ');
  return error instanceof Error ? error.message || error.name : String(error);
}

const nothing = () => undefined;
const silent: TypeOrmLogger = {
  logQuery: nothing,
  logQueryError: nothing,
  logQuerySlow: nothing,
  logSchemaBuild: nothing,
  logMigration: nothing,
  log: nothing,
};

async function openPool(options: DatabaseOptions, poolSize: number, statementTimeoutMs: number): Promise<DataSource> {
  // TypeORM takes 30 MB: only applications with a database load it.
  const { DataSource } = await import('typeorm');
  const { url, schema, entities, migrations, logger } = options;
  const source = new DataSource({
    type: 'postgres',
    url,
    schema,
    entities,
    migrations,
    migrationsTableName: 'migration',
    synchronize: false,
    // TypeORM's own log holds statements with their values, and goes to the console.
    logging: false,
    logger: silent,
    installExtensions: false,
    poolSize,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    applicationName: `sallyport-${schema}`,
    poolErrorHandler: (error: Error) =>
      logger.warn({ schema, reason: error.message }, 'lost an idle database connection'),
    extra: {
      options: `-c search_path=${schema},public`,
      statement_timeout: statementTimeoutMs,
      idle_in_transaction_session_timeout: IDLE_TRANSACTION_MS,
    },
  });
  return source.initialize();
}
