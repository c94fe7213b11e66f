import type { EntityManager } from 'typeorm';
import { plainDecimal, type ApiKey } from '../keys/api-key';
import { SCHEMA } from './auth-tables';

/** Which keys a list shows, newest first. */
export interface KeyPage {
  /** Id of the last key of the page before. */
  readonly after?: string;
  readonly limit: number;
  readonly consumer?: string;
  readonly status?: ApiKey['status'];
}

const TABLE = `${SCHEMA}.api_key`;

/** The table of API keys. Every statement runs in the transaction of its manager. */
export const apiKeys = {
  async insert(manager: EntityManager, key: ApiKey): Promise<void> {
    await manager.query(
      `INSERT INTO ${TABLE}
         (id, kid, mac, pepper_version, tenant, name, consumer, scopes, services, models, cidrs, rate_limit,
          rate_window_seconds, budget_usd_per_month, last_four, status, created_at, created_by, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
      [
        key.id,
        key.kid,
        key.mac,
        key.pepperVersion,
        key.tenant,
        key.name,
        key.consumer,
        key.scopes,
        key.services,
        key.models,
        key.cidrs,
        key.rate.limit,
        key.rate.windowSeconds,
        key.budgetUsdPerMonth,
        key.lastFour,
        key.status,
        key.createdAt,
        key.createdBy,
        key.expiresAt,
      ],
    );
  },

  async find(manager: EntityManager, tenant: string, kid: string): Promise<ApiKey | undefined> {
    const rows: Row[] = await manager.query(`SELECT * FROM ${TABLE} WHERE tenant = $1 AND kid = $2`, [tenant, kid]);
    return rows[0] && keyOf(rows[0]);
  },

  /** As `find`, and nobody else changes it until the transaction ends. */
  async lock(manager: EntityManager, tenant: string, kid: string): Promise<ApiKey | undefined> {
    const rows: Row[] = await manager.query(`SELECT * FROM ${TABLE} WHERE tenant = $1 AND kid = $2 FOR UPDATE`, [
      tenant,
      kid,
    ]);
    return rows[0] && keyOf(rows[0]);
  },

  /** @param now decides what has expired, also where no sweep has said so yet. */
  async page(manager: EntityManager, tenant: string, now: Date, page: KeyPage): Promise<ApiKey[]> {
    const rows: Row[] = await manager.query(
      `SELECT * FROM ${TABLE}
       WHERE tenant = $1
         AND ($2::uuid IS NULL OR id < $2)
         AND ($3::text IS NULL OR consumer = $3)
         AND ($4::text IS NULL OR $4 = CASE WHEN status = 'active' AND expires_at <= $5 THEN 'expired' ELSE status END)
       ORDER BY id DESC LIMIT $6`,
      [tenant, page.after ?? null, page.consumer ?? null, page.status ?? null, now, page.limit],
    );
    return rows.map(keyOf);
  },

  /** Every key that somebody may still present: of all tenants, those that ended before `endedBefore` left out. */
  async presentable(manager: EntityManager, endedBefore: Date): Promise<ApiKey[]> {
    const rows: Row[] = await manager.query(`SELECT * FROM ${TABLE} WHERE expires_at > $1 ORDER BY id`, [endedBefore]);
    return rows.map(keyOf);
  },

  async revoke(manager: EntityManager, id: string, at: Date, by: string): Promise<void> {
    await manager.query(`UPDATE ${TABLE} SET status = 'revoked', revoked_at = $2, revoked_by = $3 WHERE id = $1`, [
      id,
      at,
      by,
    ]);
  },

  /** Writes down which keys have ended, so that their names are free again. */
  async expire(manager: EntityManager, now: Date): Promise<void> {
    await manager.query(`UPDATE ${TABLE} SET status = 'expired' WHERE status = 'active' AND expires_at <= $1`, [now]);
  },
};

interface Row {
  readonly id: string;
  readonly kid: string;
  readonly mac: Buffer;
  readonly pepper_version: number;
  readonly tenant: string;
  readonly name: string;
  readonly consumer: string;
  readonly scopes: string[];
  readonly services: string[];
  readonly models: string[];
  readonly cidrs: string[];
  readonly rate_limit: number;
  readonly rate_window_seconds: number;
  readonly budget_usd_per_month: string;
  readonly last_four: string;
  readonly status: ApiKey['status'];
  readonly created_at: Date;
  readonly created_by: string;
  readonly expires_at: Date;
  readonly revoked_at: Date | null;
  readonly revoked_by: string | null;
}

function keyOf(row: Row): ApiKey {
  return {
    id: row.id,
    kid: row.kid,
    mac: row.mac,
    pepperVersion: row.pepper_version,
    tenant: row.tenant,
    name: row.name,
    consumer: row.consumer,
    scopes: row.scopes,
    services: row.services,
    models: row.models,
    cidrs: row.cidrs,
    rate: { limit: row.rate_limit, windowSeconds: row.rate_window_seconds },
    budgetUsdPerMonth: plainDecimal(row.budget_usd_per_month),
    lastFour: row.last_four,
    status: row.status,
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    revokedBy: row.revoked_by,
  };
}
