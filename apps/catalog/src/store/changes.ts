import type { Change, Editor } from '../editing';
import type { EntityManager } from 'typeorm';
import { SCHEMA } from './catalog-tables';

/**
 * The last revision that an object of this name had; 0: there was none. One that is made again counts on from there, or an
 * entity tag of its predecessor would fit it (RFC 9110 §8.8.1).
 */
export async function lastRevision(
  manager: EntityManager,
  tenant: string,
  type: string,
  name: string,
): Promise<number> {
  const [row] = await manager.query<{ rev: number | null }[]>(
    `SELECT max(coalesce(to_rev, from_rev))::float8 AS rev FROM ${SCHEMA}.change
     WHERE tenant = $1 AND object_type = $2 AND object_name = $3`,
    [tenant, type, name],
  );
  return row?.rev ?? 0;
}

/** Appends to the history of all objects; nothing in it is ever changed. */
export async function appendChange(
  manager: EntityManager,
  entry: { id: string; tenant: string; change: Change; editor: Editor; now: number; revision: number },
): Promise<void> {
  const { object, action, event, fromRev, toRev, before, after, reason } = entry.change;
  await manager.query(
    `INSERT INTO ${SCHEMA}.change
       (id, tenant, created_at, created_by, updated_at, updated_by, object_type, object_id, object_name, action, event,
        from_rev, to_rev, before, after, reason, via, snapshot_revision)
     VALUES ($1, $2, $3, $4, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
    [
      entry.id,
      entry.tenant,
      new Date(entry.now),
      entry.editor.name,
      object.type,
      object.id,
      object.name,
      action,
      event ?? null,
      fromRev ?? null,
      toRev ?? null,
      before ? JSON.stringify(before) : null,
      after ? JSON.stringify(after) : null,
      reason ?? null,
      entry.editor.via,
      entry.revision,
    ],
  );
}
