import { createHash } from 'node:crypto';
import { buckets, type Clock, type RandomBytes } from '@sallyport/contracts';
import { ConfigError, writeOutbox, type Bus } from '@sallyport/platform';
import { changeCommitted } from '@sallyport/trail';
import type { DataSource } from 'typeorm';
import { drawAdminToken } from './admin-token';
import { adminTokens } from './store/admin-tokens';
import { SCHEMA } from './store/auth-tables';

export interface EstablishOptions {
  readonly dataSource: DataSource;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** From the configuration; it replaces the stored one. */
  readonly configured: string | undefined;
  /** Whether to draw one when there is none. */
  readonly draw: boolean;
}

/**
 * Sees to it that there is an admin token.
 * @returns its hash, and the token itself when it was drawn just now: the one moment at which it is known.
 * @throws ConfigError when there is none and none may be drawn.
 */
export async function establishAdminToken(options: EstablishOptions): Promise<{ sha256: Buffer; drawn?: string }> {
  const { dataSource, clock, random, configured, draw } = options;
  return dataSource.transaction(async (manager) => {
    const stored = await adminTokens.lock(manager);
    if (configured === undefined && stored) return { sha256: stored };
    if (configured === undefined && !draw) {
      throw new ConfigError(
        'SALLYPORT_ADMIN_TOKEN',
        'is not set, and none is stored: expected at least 24 random characters',
      );
    }
    const token = configured ?? drawAdminToken(random);
    const sha256 = createHash('sha256').update(token).digest();
    if (stored?.equals(sha256)) return { sha256 };
    const now = clock.now();
    await adminTokens.set(manager, sha256, new Date(now));
    const change = changeCommitted({
      tenant: 'system',
      actor: { name: 'system', via: 'file' },
      object: { type: 'admin-token', id: 'current', name: 'admin token' },
      action: stored ? 'update' : 'create',
      now,
      random,
    });
    await writeOutbox(manager, SCHEMA, change);
    return configured === undefined ? { sha256, drawn: token } : { sha256 };
  });
}

/** Lets every admin listener know the token by its hash; unchanged, it is not written again. */
export async function publishAdminToken(bus: Bus, sha256: Buffer): Promise<void> {
  const bucket = await bus.kv(buckets.adminToken);
  const value = Buffer.from(JSON.stringify({ sha256: sha256.toString('hex') }));
  const current = await bucket.get('current');
  if (!current || !value.equals(current.value)) await bucket.put('current', value);
}
