import type { MigrationInterface, QueryRunner } from 'typeorm';
import { retentions } from './retention';

/** Schema that belongs to the audit service alone. */
export const SCHEMA = 'audit';

/** Role of the ingester: it may add records and read them, and nothing else. */
export const INGEST_ROLE = 'sallyport_audit_ingest';

/** Statements that make a partition append-only; a TRUNCATE trigger is not inherited. */
export function refuseTruncate(table: string): string {
  return `CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ${SCHEMA}.${table}
    FOR EACH STATEMENT EXECUTE FUNCTION ${SCHEMA}.refuse_change()`;
}

export class AuditTables1764000000000 implements MigrationInterface {
  readonly name = 'AuditTables1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    await this.#makeEvents(runner);
    await this.#makeBookkeeping(runner);
    await this.#makeAppendOnly(runner);
    await this.#makeRole(runner);
  }

  async #makeEvents(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE ${SCHEMA}.audit_event (
        retention text COLLATE "C" NOT NULL,
        at timestamptz(3) NOT NULL,
        uid uuid NOT NULL,
        position bigint NOT NULL,
        chain integer NOT NULL,
        seq bigint NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL,
        type_uid integer,
        actor_ref text COLLATE "C",
        app text COLLATE "C",
        resource text COLLATE "C",
        route text COLLATE "C",
        disposition smallint,
        status smallint,
        request_id text COLLATE "C",
        trace_id text COLLATE "C",
        fingerprint bytea,
        body bytea NOT NULL,
        PRIMARY KEY (retention, at, uid)
      ) PARTITION BY LIST (retention)`);
    for (const retention of retentions) {
      const table = `audit_event_${retention}`;
      await runner.query(`
        CREATE TABLE ${SCHEMA}.${table} PARTITION OF ${SCHEMA}.audit_event
        FOR VALUES IN ('${retention}') PARTITION BY RANGE (at)`);
      await runner.query(`CREATE TABLE ${SCHEMA}.${table}_default PARTITION OF ${SCHEMA}.${table} DEFAULT`);
    }
    await runner.query(`CREATE TABLE ${SCHEMA}.audit_event_default PARTITION OF ${SCHEMA}.audit_event DEFAULT`);
    await runner.query(`CREATE INDEX audit_event_at ON ${SCHEMA}.audit_event USING brin (at)`);
    for (const columns of [
      'tenant, actor_ref, at',
      'tenant, resource, at',
      'tenant, at',
      'request_id',
      'trace_id',
      'position',
      'uid',
    ]) {
      await runner.query(`CREATE INDEX ON ${SCHEMA}.audit_event (${columns})`);
    }
  }

  async #makeBookkeeping(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE ${SCHEMA}.audit_chain (
        id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        chain text COLLATE "C" NOT NULL UNIQUE,
        next_seq bigint NOT NULL DEFAULT 1,
        head bytea,
        committed_at timestamptz(3)
      )`);
    await runner.query(`
      CREATE TABLE ${SCHEMA}.audit_position (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        next bigint NOT NULL
      )`);
    await runner.query(`INSERT INTO ${SCHEMA}.audit_position (next) VALUES (0)`);
    await runner.query(`
      CREATE TABLE ${SCHEMA}.audit_gap (
        chain integer NOT NULL REFERENCES ${SCHEMA}.audit_chain,
        first_seq bigint NOT NULL,
        last_seq bigint NOT NULL,
        declared_at timestamptz(3) NOT NULL,
        PRIMARY KEY (chain, first_seq)
      )`);
    await runner.query(`
      CREATE TABLE ${SCHEMA}.audit_quarantine (
        chain integer NOT NULL REFERENCES ${SCHEMA}.audit_chain,
        seq bigint NOT NULL,
        reason text NOT NULL,
        body bytea NOT NULL,
        quarantined_at timestamptz(3) NOT NULL,
        PRIMARY KEY (chain, seq)
      )`);
    // Signs cursors, the same for every replica. It opens nothing but cursors.
    await runner.query(`
      CREATE TABLE ${SCHEMA}.cursor_key (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        key bytea NOT NULL CHECK (length(key) = 32)
      )`);
  }

  async #makeAppendOnly(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE FUNCTION ${SCHEMA}.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        RAISE EXCEPTION 'audit records are never changed or removed' USING ERRCODE = 'insufficient_privilege';
      END $$`);
    // Row triggers are inherited by every partition, also by those that are made later.
    await runner.query(`
      CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ${SCHEMA}.audit_event
      FOR EACH ROW EXECUTE FUNCTION ${SCHEMA}.refuse_change()`);
    const tables = ['audit_event', 'audit_event_default'];
    for (const retention of retentions) tables.push(`audit_event_${retention}`, `audit_event_${retention}_default`);
    for (const table of tables) await runner.query(refuseTruncate(table));
  }

  /** A server that lets us make no role still has the triggers. */
  async #makeRole(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DO $$
      BEGIN
        BEGIN
          CREATE ROLE ${INGEST_ROLE} NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END;
        GRANT ${INGEST_ROLE} TO CURRENT_USER;
        GRANT USAGE ON SCHEMA ${SCHEMA} TO ${INGEST_ROLE};
        GRANT SELECT, INSERT ON ${SCHEMA}.audit_event, ${SCHEMA}.audit_gap, ${SCHEMA}.audit_quarantine TO ${INGEST_ROLE};
        GRANT SELECT, INSERT, UPDATE ON ${SCHEMA}.audit_chain TO ${INGEST_ROLE};
        GRANT SELECT, UPDATE ON ${SCHEMA}.audit_position TO ${INGEST_ROLE};
      EXCEPTION WHEN insufficient_privilege THEN
        RAISE NOTICE 'no role for the audit ingester: the server does not let us make one';
      END $$`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of [
      'audit_event',
      'audit_quarantine',
      'audit_gap',
      'audit_chain',
      'audit_position',
      'cursor_key',
    ]) {
      await runner.query(`DROP TABLE IF EXISTS ${SCHEMA}.${table} CASCADE`);
    }
    await runner.query(`DROP FUNCTION IF EXISTS ${SCHEMA}.refuse_change`);
  }
}

/**
 * Each index is written for each record, and Postgres then takes the processor from whoever answers requests. That of `uid` said
 * what the primary key says, since a uid holds its moment; and of a hundred requests one is traced.
 */
export class LeanIndexes1764547200000 implements MigrationInterface {
  readonly name = 'LeanIndexes1764547200000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX ${SCHEMA}.audit_event_uid_idx`);
    await runner.query(`DROP INDEX ${SCHEMA}.audit_event_trace_id_idx`);
    await runner.query(
      `CREATE INDEX audit_event_traced ON ${SCHEMA}.audit_event (trace_id) WHERE trace_id IS NOT NULL`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX ${SCHEMA}.audit_event_traced`);
    await runner.query(`CREATE INDEX ON ${SCHEMA}.audit_event (trace_id)`);
    await runner.query(`CREATE INDEX ON ${SCHEMA}.audit_event (uid)`);
  }
}
