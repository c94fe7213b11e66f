import type { EntityManager } from 'typeorm';
import { SCHEMA } from './auth-tables';

/** The one row that knows the admin token, by its SHA-256: it is 256 random bits, so a slow hash would add nothing. */
export const adminTokens = {
  /** The stored hash; two that start at once wait for each other here. */
  async lock(manager: EntityManager): Promise<Buffer | undefined> {
    await manager.query(`LOCK TABLE ${SCHEMA}.admin_token IN SHARE ROW EXCLUSIVE MODE`);
    return this.find(manager);
  },

  async find(manager: EntityManager): Promise<Buffer | undefined> {
    const rows: Array<{ sha256: Buffer }> = await manager.query(`SELECT sha256 FROM ${SCHEMA}.admin_token`);
    return rows[0]?.sha256;
  },

  async set(manager: EntityManager, sha256: Buffer, at: Date): Promise<void> {
    await manager.query(
      `INSERT INTO ${SCHEMA}.admin_token (sha256, set_at) VALUES ($1, $2)
       ON CONFLICT (only_row) DO UPDATE SET sha256 = excluded.sha256, set_at = excluded.set_at`,
      [sha256, at],
    );
  },
};
