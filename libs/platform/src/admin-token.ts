import { createHash, timingSafeEqual } from 'node:crypto';
import { buckets } from '@sallyport/contracts';
import type { Closable } from './address';
import type { Bus } from './bus';

/** Keys of the hashes in their bucket: the token itself, and the stand-in of whoever may open the socket of the host. */
const ACCEPTED: ReadonlySet<string> = new Set(['current', 'host']);

/** Knows the admin token by its hash. */
export interface AdminToken {
  /** Compares in constant time; nothing is accepted before a hash is known. */
  accepts(presented: string): boolean;
  /** Whether auth has published a hash yet. */
  known(): boolean;
}

/** Follows the hash that auth publishes on the bus, through every change of it. */
export async function watchAdminToken(bus: Bus): Promise<AdminToken & Closable> {
  const hashes = new Map<string, Buffer>();
  const bucket = await bus.kv(buckets.adminToken);
  const subscription = await bucket.watch((entry) => {
    if (!ACCEPTED.has(entry.key)) return;
    const hash = entry.operation === 'put' ? hashOf(entry.value) : undefined;
    if (hash) hashes.set(entry.key, hash);
    else hashes.delete(entry.key);
  });
  return {
    accepts: (presented) => {
      const digest = sha256(presented);
      let accepted = false;
      for (const hash of hashes.values()) accepted = timingSafeEqual(digest, hash) || accepted;
      return accepted;
    },
    known: () => hashes.size > 0,
    close: () => subscription.stop(),
  };
}

/** The credential of `Authorization: Bearer …` (RFC 6750 §2.1); the scheme is case-insensitive. */
export function bearerOf(field: string | undefined): string | undefined {
  return field === undefined ? undefined : /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i.exec(field)?.[1];
}

/** Reads `{"sha256": "<64 hex digits>"}`; anything else accepts nobody. */
function hashOf(value: Uint8Array): Buffer | undefined {
  try {
    const { sha256: hex } = JSON.parse(Buffer.from(value).toString('utf8')) as { sha256?: unknown };
    return typeof hex === 'string' && /^[0-9a-f]{64}$/.test(hex) ? Buffer.from(hex, 'hex') : undefined;
  } catch {
    return undefined;
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
