import type { EntityManager } from 'typeorm';
import { SCHEMA } from './catalog-tables';
import { rowColumns, type Author, type Page, type Row } from './row';

/** An object with a name and a document that says the rest. */
export interface NamedRow<Spec> extends Row {
  readonly name: string;
  readonly spec: Spec;
}

/** A table of objects that are a name and a document. Every statement runs in the transaction of its manager. */
export class NamedTable<Spec extends object> {
  constructor(private readonly table: string) {}

  async find(manager: EntityManager, tenant: string, name: string): Promise<NamedRow<Spec> | undefined> {
    const rows = await this.select(manager, `WHERE r.tenant = $1 AND r.name = $2`, [tenant, name]);
    return rows[0];
  }

  /** By name, in the order of code points. */
  page(manager: EntityManager, tenant: string, { after, limit }: Page): Promise<NamedRow<Spec>[]> {
    return this.select(manager, `WHERE r.tenant = $1 AND r.name > $2 ORDER BY r.name LIMIT $3`, [
      tenant,
      after ?? '',
      limit,
    ]);
  }

  all(manager: EntityManager): Promise<NamedRow<Spec>[]> {
    return this.select(manager, `ORDER BY r.tenant, r.name`, []);
  }

  async insert(
    manager: EntityManager,
    row: { id: string; tenant: string; rev: number; name: string; spec: Spec },
    { name, now }: Author,
  ): Promise<void> {
    await manager.query(
      `INSERT INTO ${SCHEMA}.${this.table} (id, tenant, rev, name, spec, created_at, created_by, updated_at, updated_by)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $6, $7)`,
      [row.id, row.tenant, row.rev, row.name, JSON.stringify(row.spec), new Date(now), name],
    );
  }

  async replace(manager: EntityManager, id: string, spec: Spec, { name, now }: Author): Promise<void> {
    await manager.query(
      `UPDATE ${SCHEMA}.${this.table} SET spec = $2, rev = rev + 1, updated_at = $3, updated_by = $4 WHERE id = $1`,
      [id, JSON.stringify(spec), new Date(now), name],
    );
  }

  async delete(manager: EntityManager, id: string): Promise<void> {
    await manager.query(`DELETE FROM ${SCHEMA}.${this.table} WHERE id = $1`, [id]);
  }

  private select(manager: EntityManager, tail: string, values: unknown[]): Promise<NamedRow<Spec>[]> {
    return manager.query(`SELECT ${rowColumns('r')}, r.name, r.spec FROM ${SCHEMA}.${this.table} r ${tail}`, values);
  }
}
