import type { ApiKeyRecord, Json } from '@sallyport/contracts';

/** An API key as auth stores it. */
export interface ApiKey {
  /** UUID version 7: sorts by the moment of minting. */
  readonly id: string;
  readonly kid: string;
  readonly mac: Buffer;
  readonly pepperVersion: number;
  readonly tenant: string;
  readonly name: string;
  readonly consumer: string;
  readonly scopes: readonly string[];
  readonly services: readonly string[];
  readonly models: readonly string[];
  readonly cidrs: readonly string[];
  readonly rate: { readonly limit: number; readonly windowSeconds: number };
  /** Decimal text. */
  readonly budgetUsdPerMonth: string;
  readonly lastFour: string;
  readonly status: 'active' | 'expired' | 'revoked';
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly expiresAt: Date;
  readonly revokedAt: Date | null;
  readonly revokedBy: string | null;
}

/** What the processes that verify need to know of a key. */
export function recordOf(key: ApiKey): ApiKeyRecord {
  return {
    kid: key.kid,
    mac: key.mac.toString('base64url'),
    pepperVersion: key.pepperVersion,
    tenant: key.tenant,
    name: key.name,
    consumer: key.consumer,
    scopes: [...key.scopes],
    services: [...key.services],
    models: [...key.models],
    cidrs: [...key.cidrs],
    rate: { ...key.rate },
    budgetUsdPerMonth: key.budgetUsdPerMonth,
    expiresAt: key.expiresAt.toISOString(),
    // Expiry is each reader's own arithmetic; only what cannot be computed is told.
    status: key.status === 'revoked' ? 'revoked' : 'active',
  };
}

export type ApiKeyView = ReturnType<typeof viewOf>;

/** What people see of a key, here and in the audit trail: nothing that could be presented or compared. */
export function viewOf(key: ApiKey, now: number) {
  return {
    kid: key.kid,
    name: key.name,
    tenant: key.tenant,
    consumer: key.consumer,
    scopes: [...key.scopes],
    services: [...key.services],
    models: [...key.models],
    cidrs: [...key.cidrs],
    rate: { limit: key.rate.limit, window: `${key.rate.windowSeconds}s` },
    budgetUsdPerMonth: key.budgetUsdPerMonth,
    lastFour: key.lastFour,
    status: key.status === 'active' && key.expiresAt.getTime() <= now ? 'expired' : key.status,
    createdAt: key.createdAt.toISOString(),
    createdBy: key.createdBy,
    expiresAt: key.expiresAt.toISOString(),
    revokedAt: key.revokedAt?.toISOString() ?? null,
    revokedBy: key.revokedBy,
  } satisfies Json;
}

/** One spelling for one amount, as text: `012.50` and `12.5` are both `12.5`. */
export function plainDecimal(text: string): string {
  return text
    .replace(/^0+(?=\d)/, '')
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '');
}
