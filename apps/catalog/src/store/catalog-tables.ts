import { outboxTableSql } from '@sallyport/platform';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema that belongs to the catalog alone. */
export const SCHEMA = 'catalog';

/** What every table has: an id sorted by time, the owner, the number of the edit, and who made it when. */
const common = `
  id uuid PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  rev bigint NOT NULL DEFAULT 1,
  created_at timestamptz(3) NOT NULL,
  created_by text NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  updated_by text NOT NULL`;

/** Tables of objects that are a name and a document. Names sort by code point, as cursors and exports do. */
const named = ['upstream', 'policy', 'consumer', 'virtual_model', 'provider_account', 'trust_entry'];

export function namedTableSql(table: string): string {
  return `
    CREATE TABLE ${SCHEMA}.${table} (${common},
      name text COLLATE "C" NOT NULL,
      spec jsonb NOT NULL,
      UNIQUE (tenant, name)
    )`;
}

export class CatalogTables1764000000000 implements MigrationInterface {
  readonly name = 'CatalogTables1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE ${SCHEMA}.service (${common},
        name text COLLATE "C" NOT NULL,
        kind text NOT NULL,
        UNIQUE (tenant, name)
      )`);
    await runner.query(`
      CREATE TABLE ${SCHEMA}.service_version (${common},
        service_id uuid NOT NULL REFERENCES ${SCHEMA}.service,
        label text COLLATE "C" NOT NULL,
        state text NOT NULL CHECK (state IN ('draft', 'published', 'deprecated', 'sunset', 'decommissioned')),
        published_at timestamptz(3),
        deprecated_at timestamptz(3),
        sunset_at timestamptz(3),
        decommissioned_at timestamptz(3),
        successor text,
        reason text,
        spec jsonb NOT NULL,
        UNIQUE (service_id, label),
        CHECK (state <> 'deprecated' OR (deprecated_at IS NOT NULL AND sunset_at IS NOT NULL))
      )`);
    await runner.query(
      `CREATE INDEX service_version_sunset ON ${SCHEMA}.service_version (sunset_at) WHERE state = 'deprecated'`,
    );
    await runner.query(`
      CREATE TABLE ${SCHEMA}.route (${common},
        version_id uuid NOT NULL REFERENCES ${SCHEMA}.service_version ON DELETE CASCADE,
        position integer NOT NULL,
        name text COLLATE "C" NOT NULL,
        host text,
        path text NOT NULL,
        methods text[] NOT NULL,
        spec jsonb NOT NULL,
        UNIQUE (version_id, name)
      )`);
    await runner.query(`CREATE INDEX route_address ON ${SCHEMA}.route (path, host)`);
    for (const table of named) await runner.query(namedTableSql(table));
    await runner.query(`
      CREATE TABLE ${SCHEMA}.snapshot (${common},
        revision bigint NOT NULL UNIQUE,
        sha256 text NOT NULL,
        content_sha256 text NOT NULL,
        document text NOT NULL
      )`);
    await runner.query(`
      CREATE TABLE ${SCHEMA}.change (${common},
        object_type text NOT NULL,
        object_id uuid NOT NULL,
        object_name text NOT NULL,
        action text NOT NULL CHECK (action IN ('create', 'update', 'delete')),
        event text,
        from_rev bigint,
        to_rev bigint,
        before jsonb,
        after jsonb,
        reason text,
        via text NOT NULL,
        snapshot_revision bigint
      )`);
    await runner.query(`CREATE INDEX change_object ON ${SCHEMA}.change (object_id, id)`);
    await this.keepAppendOnly(runner, 'change');
    await runner.query(outboxTableSql(SCHEMA));
  }

  async down(runner: QueryRunner): Promise<void> {
    const tables = ['outbox', 'change', 'snapshot', ...named, 'route', 'service_version', 'service'];
    for (const table of tables) await runner.query(`DROP TABLE IF EXISTS ${SCHEMA}.${table}`);
    await runner.query(`DROP FUNCTION IF EXISTS ${SCHEMA}.refuse_rewriting()`);
  }

  /** History is never rewritten, not even by a defect of ours. */
  private async keepAppendOnly(runner: QueryRunner, table: string): Promise<void> {
    await runner.query(`
      CREATE FUNCTION ${SCHEMA}.refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'rows of %.% are never changed', TG_TABLE_SCHEMA, TG_TABLE_NAME;
      END $$`);
    await runner.query(`
      CREATE TRIGGER ${table}_append_only BEFORE UPDATE OR DELETE ON ${SCHEMA}.${table}
      FOR EACH ROW EXECUTE FUNCTION ${SCHEMA}.refuse_rewriting()`);
  }
}
