import type { DeclaredRoute, VersionSpec, VersionState } from '@sallyport/contracts';
import type { EntityManager } from 'typeorm';
import { routesOf, type VersionEntry } from '../configuration';
import type { Life } from '../lifecycle';
import { SCHEMA } from './catalog-tables';
import { rowColumns, type Author, type Page, type Row } from './row';

export interface ServiceRow extends Row {
  readonly name: string;
  readonly kind: string;
}

/** A version with its routes put together again. */
export interface VersionRow extends Row, VersionEntry {
  readonly kind: string;
}

interface StoredVersion extends Row {
  readonly service: string;
  readonly kind: string;
  readonly version: string;
  readonly state: VersionState;
  readonly publishedAt: Date | null;
  readonly deprecatedAt: Date | null;
  readonly sunsetAt: Date | null;
  readonly decommissionedAt: Date | null;
  readonly successor: string | null;
  readonly reason: string | null;
  readonly spec: Omit<VersionSpec, 'routes'>;
  readonly routes: DeclaredRoute[] | null;
}

/** Services, their versions and the routes of these. Every statement runs in the transaction of its manager. */
export const services = {
  async find(manager: EntityManager, tenant: string, name: string): Promise<ServiceRow | undefined> {
    const rows = await selectServices(manager, `WHERE s.tenant = $1 AND s.name = $2`, [tenant, name]);
    return rows[0];
  },

  page(manager: EntityManager, tenant: string, { after, limit }: Page): Promise<ServiceRow[]> {
    return selectServices(manager, `WHERE s.tenant = $1 AND s.name > $2 ORDER BY s.name LIMIT $3`, [
      tenant,
      after ?? '',
      limit,
    ]);
  },

  async insert(
    manager: EntityManager,
    row: { id: string; tenant: string; rev: number; name: string; kind: string },
    { name, now }: Author,
  ): Promise<void> {
    await manager.query(
      `INSERT INTO ${SCHEMA}.service (id, tenant, rev, name, kind, created_at, created_by, updated_at, updated_by)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $6, $7)`,
      [row.id, row.tenant, row.rev, row.name, row.kind, new Date(now), name],
    );
  },

  async delete(manager: EntityManager, id: string): Promise<void> {
    await manager.query(`DELETE FROM ${SCHEMA}.service WHERE id = $1`, [id]);
  },
};

export const versions = {
  async find(
    manager: EntityManager,
    tenant: string,
    service: string,
    version: string,
  ): Promise<VersionRow | undefined> {
    const rows = await selectVersions(manager, `WHERE v.tenant = $1 AND s.name = $2 AND v.label = $3`, [
      tenant,
      service,
      version,
    ]);
    return rows[0];
  },

  page(manager: EntityManager, tenant: string, service: string, { after, limit }: Page): Promise<VersionRow[]> {
    return selectVersions(manager, `WHERE v.tenant = $1 AND s.name = $2 AND v.label > $3 ORDER BY v.label LIMIT $4`, [
      tenant,
      service,
      after ?? '',
      limit,
    ]);
  },

  all(manager: EntityManager): Promise<VersionRow[]> {
    return selectVersions(manager, `ORDER BY v.tenant, s.name, v.label`, []);
  },

  /** Deprecated versions whose sunset has come, earliest first. */
  due(manager: EntityManager, now: number): Promise<VersionRow[]> {
    return selectVersions(
      manager,
      `WHERE v.state = 'deprecated' AND v.sunset_at <= $1 ORDER BY v.sunset_at, v.id LIMIT 100`,
      [new Date(now)],
    );
  },

  async insert(
    manager: EntityManager,
    row: { id: string; rev: number; serviceId: string } & VersionEntry,
    routeIds: () => string,
    author: Author,
  ): Promise<void> {
    const { routes: _, ...spec } = row.spec;
    await manager.query(
      `INSERT INTO ${SCHEMA}.service_version
         (id, tenant, rev, service_id, label, state, spec, created_at, created_by, updated_at, updated_by)
       VALUES ($1, $2, $3, $4, $5, 'draft', $6, $7, $8, $7, $8)`,
      [
        row.id,
        row.tenant,
        row.rev,
        row.serviceId,
        row.version,
        JSON.stringify(spec),
        new Date(author.now),
        author.name,
      ],
    );
    await insertRoutes(manager, row.id, row, routeIds, author);
  },

  async replaceSpec(
    manager: EntityManager,
    id: string,
    entry: VersionEntry,
    routeIds: () => string,
    author: Author,
  ): Promise<void> {
    const { routes: _, ...spec } = entry.spec;
    await manager.query(
      `UPDATE ${SCHEMA}.service_version SET spec = $2, rev = rev + 1, updated_at = $3, updated_by = $4 WHERE id = $1`,
      [id, JSON.stringify(spec), new Date(author.now), author.name],
    );
    await manager.query(`DELETE FROM ${SCHEMA}.route WHERE version_id = $1`, [id]);
    await insertRoutes(manager, id, entry, routeIds, author);
  },

  async replaceLife(manager: EntityManager, id: string, life: Life, { name, now }: Author): Promise<void> {
    await manager.query(
      `UPDATE ${SCHEMA}.service_version
       SET state = $2, published_at = $3, deprecated_at = $4, sunset_at = $5, decommissioned_at = $6, successor = $7,
           reason = $8, rev = rev + 1, updated_at = $9, updated_by = $10
       WHERE id = $1`,
      [
        id,
        life.state,
        dateOf(life.publishedAt),
        dateOf(life.deprecatedAt),
        dateOf(life.sunsetAt),
        dateOf(life.decommissionedAt),
        life.successor,
        life.reason,
        new Date(now),
        name,
      ],
    );
  },

  async delete(manager: EntityManager, id: string): Promise<void> {
    await manager.query(`DELETE FROM ${SCHEMA}.service_version WHERE id = $1`, [id]);
  },
};

function selectServices(manager: EntityManager, tail: string, values: unknown[]): Promise<ServiceRow[]> {
  return manager.query(`SELECT ${rowColumns('s')}, s.name, s.kind FROM ${SCHEMA}.service s ${tail}`, values);
}

async function selectVersions(manager: EntityManager, tail: string, values: unknown[]): Promise<VersionRow[]> {
  const rows = await manager.query<StoredVersion[]>(
    `SELECT ${rowColumns('v')}, s.name AS service, s.kind, v.label AS version, v.state,
       v.published_at AS "publishedAt", v.deprecated_at AS "deprecatedAt", v.sunset_at AS "sunsetAt",
       v.decommissioned_at AS "decommissionedAt", v.successor, v.reason, v.spec,
       (SELECT json_agg(r.spec ORDER BY r.position) FROM ${SCHEMA}.route r WHERE r.version_id = v.id) AS routes
     FROM ${SCHEMA}.service_version v JOIN ${SCHEMA}.service s ON s.id = v.service_id ${tail}`,
    values,
  );
  return rows.map(versionOf);
}

function versionOf(stored: StoredVersion): VersionRow {
  const { state, publishedAt, deprecatedAt, sunsetAt, decommissionedAt, successor, reason, routes, spec, ...row } =
    stored;
  return {
    ...row,
    spec: { ...spec, routes: routes ?? [] },
    life: {
      state,
      publishedAt: momentOf(publishedAt),
      deprecatedAt: momentOf(deprecatedAt),
      sunsetAt: momentOf(sunsetAt),
      decommissionedAt: momentOf(decommissionedAt),
      successor,
      reason,
    },
  };
}

/** Rows for what the version declares; one that declares no routes has none, and its path is asked of the version. */
async function insertRoutes(
  manager: EntityManager,
  versionId: string,
  entry: VersionEntry,
  routeIds: () => string,
  { name, now }: Author,
): Promise<void> {
  if (entry.spec.routes.length === 0) return;
  const effective = routesOf(entry);
  const rows = entry.spec.routes.map((declared, position) => ({
    id: routeIds(),
    position,
    name: declared.name,
    host: declared.host ?? null,
    path: effective[position]!.path,
    methods: declared.methods,
    spec: declared,
  }));
  await manager.query(
    `INSERT INTO ${SCHEMA}.route
       (id, tenant, version_id, position, name, host, path, methods, spec, created_at, created_by, updated_at, updated_by)
     SELECT r.id, $1, $2, r.position, r.name, r.host, r.path, r.methods, r.spec, $3, $4, $3, $4
     FROM jsonb_to_recordset($5::jsonb) AS r
       (id uuid, position integer, name text, host text, path text, methods text[], spec jsonb)`,
    [entry.tenant, versionId, new Date(now), name, JSON.stringify(rows)],
  );
}

function dateOf(moment: number | null): Date | null {
  return moment === null ? null : new Date(moment);
}

function momentOf(date: Date | null): number | null {
  return date === null ? null : date.getTime();
}
