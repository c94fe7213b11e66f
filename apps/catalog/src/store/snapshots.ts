import type { EntityManager } from 'typeorm';
import { SCHEMA } from './catalog-tables';

/** Revisions that stay readable; older ones leave the table. */
const KEPT = 50;

export interface SnapshotRow {
  readonly revision: number;
  readonly sha256: string;
  readonly contentSha256: string;
  /** Of the document. */
  readonly bytes: number;
  readonly createdAt: Date;
}

/** Compiled revisions. Every statement runs in the transaction of its manager. */
export const snapshots = {
  async latest(manager: EntityManager): Promise<SnapshotRow | undefined> {
    const rows = await manager.query<SnapshotRow[]>(
      `SELECT revision::float8 AS revision, sha256, content_sha256 AS "contentSha256",
         octet_length(document) AS bytes, created_at AS "createdAt"
       FROM ${SCHEMA}.snapshot ORDER BY revision DESC LIMIT 1`,
    );
    return rows[0];
  },

  /** @returns the canonical JSON that was stored. */
  async document(manager: EntityManager, revision: number): Promise<string | undefined> {
    const rows = await manager.query<{ document: string }[]>(
      `SELECT document FROM ${SCHEMA}.snapshot WHERE revision = $1`,
      [revision],
    );
    return rows[0]?.document;
  },

  async insert(
    manager: EntityManager,
    row: { id: string; tenant: string; revision: number; sha256: string; contentSha256: string; document: string },
    author: { name: string; now: number },
  ): Promise<void> {
    await manager.query(
      `INSERT INTO ${SCHEMA}.snapshot
         (id, tenant, revision, sha256, content_sha256, document, created_at, created_by, updated_at, updated_by)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7, $8)`,
      [
        row.id,
        row.tenant,
        row.revision,
        row.sha256,
        row.contentSha256,
        row.document,
        new Date(author.now),
        author.name,
      ],
    );
    await manager.query(`DELETE FROM ${SCHEMA}.snapshot WHERE revision <= $1`, [row.revision - KEPT]);
  },
};
