import type { MigrationInterface, QueryRunner } from 'typeorm';
import { namedTableSql, SCHEMA } from './catalog-tables';

/** What holds for all of a tenant, by the name of the setting. */
export class DefaultTables1764300000000 implements MigrationInterface {
  readonly name = 'DefaultTables1764300000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(namedTableSql('tenant_default'));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE IF EXISTS ${SCHEMA}.tenant_default`);
  }
}
