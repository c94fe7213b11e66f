import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Schema that belongs to the ai-router alone. */
export const SCHEMA = 'ai_router';

export class LedgerTables1764000000000 implements MigrationInterface {
  readonly name = 'LedgerTables1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    // One row is what one attempt used and cost, for good. `id` is the event of the settlement and `at` the moment in it,
    // both set by who made it, so that a settlement that comes twice meets itself. A missing cost means that nobody had
    // said what the model costs.
    await runner.query(`
      CREATE TABLE ${SCHEMA}.ai_receipt (
        at timestamptz NOT NULL,
        id uuid NOT NULL,
        tenant text COLLATE "C" NOT NULL,
        request_id text COLLATE "C" NOT NULL,
        n integer NOT NULL,
        consumer text COLLATE "C" NOT NULL,
        credential text COLLATE "C" NOT NULL,
        virtual_model text COLLATE "C" NOT NULL,
        provider text COLLATE "C" NOT NULL,
        model text COLLATE "C" NOT NULL,
        outcome text COLLATE "C" NOT NULL,
        status integer NOT NULL,
        source text COLLATE "C" NOT NULL,
        input bigint NOT NULL,
        cache_read bigint NOT NULL,
        cache_write_5m bigint NOT NULL,
        cache_write_1h bigint NOT NULL,
        input_audio bigint NOT NULL,
        input_image bigint NOT NULL,
        output bigint NOT NULL,
        reasoning bigint NOT NULL,
        output_audio bigint NOT NULL,
        output_image bigint NOT NULL,
        cost_pico_usd numeric(20, 0),
        unpriced boolean NOT NULL,
        price_version text COLLATE "C" NOT NULL,
        head_ms bigint NOT NULL,
        first_content_ms bigint NOT NULL,
        total_ms bigint NOT NULL,
        PRIMARY KEY (at, id),
        CHECK (unpriced = (cost_pico_usd IS NULL))
      ) PARTITION BY RANGE (at)`);
    await runner.query(`CREATE TABLE ${SCHEMA}.ai_receipt_rest PARTITION OF ${SCHEMA}.ai_receipt DEFAULT`);
    await runner.query(`CREATE INDEX ai_receipt_tenant ON ${SCHEMA}.ai_receipt (tenant, at DESC, id DESC)`);
    await runner.query(`CREATE INDEX ai_receipt_request ON ${SCHEMA}.ai_receipt (request_id)`);
    // How far each producer's chain is in the table, without a gap.
    await runner.query(`
      CREATE TABLE ${SCHEMA}.usage_chain (
        chain text COLLATE "C" PRIMARY KEY,
        committed_seq bigint NOT NULL,
        gap_since timestamptz
      )`);
    // Drawn once, and the same for every replica.
    await runner.query(`CREATE TABLE ${SCHEMA}.cursor_key (key text NOT NULL)`);
    await runner.query(`INSERT INTO ${SCHEMA}.cursor_key SELECT gen_random_uuid()::text || gen_random_uuid()::text`);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['cursor_key', 'usage_chain', 'ai_receipt'])
      await runner.query(`DROP TABLE ${SCHEMA}.${table}`);
  }
}
