import { createHmac, hkdfSync } from 'node:crypto';
import type { Pseudonym } from './facts';

/** Values remembered: HMACs cost microseconds each, and callers come again. */
const REMEMBERED = 20_000;

/**
 * Makes the pseudonyms of an installation. A tenant's key is HKDF-SHA-256(pepper, `audit:` + tenant), so that nobody
 * without the pepper can test a guess, and one tenant's references say nothing to another.
 *
 * @param pepper at least 32 bytes
 */
export function createPseudonym(pepper: Uint8Array): Pseudonym {
  const keys = new Map<string, Buffer>();
  let remembered = new Map<string, string>();

  function keyOf(tenant: string): Buffer {
    let key = keys.get(tenant);
    if (!key) {
      key = Buffer.from(hkdfSync('sha256', pepper, new Uint8Array(), `audit:${tenant}`, 32));
      keys.set(tenant, key);
    }
    return key;
  }

  return (tenant, value) => {
    const place = `${tenant}\n${value}`;
    let pseudonym = remembered.get(place);
    if (pseudonym === undefined) {
      // 128 bits are more than enough to tell subjects apart (RFC 2104 §5 on truncation).
      pseudonym = `hmac:${createHmac('sha256', keyOf(tenant)).update(value).digest('hex').slice(0, 32)}`;
      if (remembered.size >= REMEMBERED) remembered = new Map();
      remembered.set(place, pseudonym);
    }
    return pseudonym;
  };
}
