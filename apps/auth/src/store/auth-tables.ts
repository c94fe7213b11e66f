import { outboxTableSql } from '@sallyport/platform';
import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema that belongs to auth alone. */
export const SCHEMA = 'auth';

/** Index that keeps names of active keys unique; a violation is told apart by it. */
export const ACTIVE_NAME = 'api_key_active_name';

export class AuthTables1764000000000 implements MigrationInterface {
  readonly name = 'AuthTables1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    // No column can be presented as a key or turned into one: the secret is there as an HMAC only.
    await runner.query(`
      CREATE TABLE ${SCHEMA}.api_key (
        id uuid PRIMARY KEY,
        kid text COLLATE "C" NOT NULL UNIQUE,
        mac bytea NOT NULL CHECK (length(mac) = 32),
        pepper_version integer NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        name text COLLATE "C" NOT NULL,
        consumer text COLLATE "C" NOT NULL,
        scopes text[] NOT NULL,
        services text[] NOT NULL,
        models text[] NOT NULL,
        cidrs text[] NOT NULL,
        rate_limit integer NOT NULL CHECK (rate_limit > 0),
        rate_window_seconds integer NOT NULL CHECK (rate_window_seconds > 0),
        budget_usd_per_month numeric(18, 9) NOT NULL CHECK (budget_usd_per_month > 0),
        last_four text NOT NULL,
        status text NOT NULL CHECK (status IN ('active', 'expired', 'revoked')),
        created_at timestamptz(3) NOT NULL,
        created_by text NOT NULL,
        expires_at timestamptz(3) NOT NULL,
        revoked_at timestamptz(3),
        revoked_by text,
        CHECK ((status = 'revoked') = (revoked_at IS NOT NULL))
      )`);
    await runner.query(
      `CREATE UNIQUE INDEX ${ACTIVE_NAME} ON ${SCHEMA}.api_key (tenant, name) WHERE status = 'active'`,
    );
    await runner.query(`CREATE INDEX api_key_page ON ${SCHEMA}.api_key (tenant, id DESC)`);
    await runner.query(`CREATE INDEX api_key_expiry ON ${SCHEMA}.api_key (expires_at)`);
    await runner.query(`
      CREATE TABLE ${SCHEMA}.admin_token (
        only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
        sha256 bytea NOT NULL CHECK (length(sha256) = 32),
        set_at timestamptz(3) NOT NULL
      )`);
    await runner.query(outboxTableSql(SCHEMA));
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['outbox', 'admin_token', 'api_key']) {
      await runner.query(`DROP TABLE IF EXISTS ${SCHEMA}.${table}`);
    }
  }
}
