import type { MigrationInterface, QueryRunner } from 'typeorm';
import { SCHEMA } from './catalog-tables';

/** Finds what happened to a name, whatever object had it. */
export class ChangeNames1764600000000 implements MigrationInterface {
  readonly name = 'ChangeNames1764600000000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE INDEX change_name ON ${SCHEMA}.change (tenant, object_type, object_name)`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP INDEX IF EXISTS ${SCHEMA}.change_name`);
  }
}
