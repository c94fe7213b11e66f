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
  const tenants = new Map<string, Remembered>();
  let remembered = 0;

  function ofTenant(tenant: string): Remembered {
    let known = tenants.get(tenant);
    if (!known) {
      const key = Buffer.from(hkdfSync('sha256', pepper, new Uint8Array(), `audit:${tenant}`, 32));
      tenants.set(tenant, (known = { key, pseudonyms: new Map() }));
    }
    return known;
  }

  return (tenant, value) => {
    const { key, pseudonyms } = ofTenant(tenant);
    let pseudonym = pseudonyms.get(value);
    if (pseudonym === undefined) {
      // 128 bits are more than enough to tell subjects apart (RFC 2104 §5 on truncation).
      pseudonym = `hmac:${createHmac('sha256', key).update(value).digest('hex').slice(0, 32)}`;
      if (remembered++ >= REMEMBERED) {
        for (const each of tenants.values()) each.pseudonyms.clear();
        remembered = 1;
      }
      pseudonyms.set(value, pseudonym);
    }
    return pseudonym;
  };
}

/** What is known of one tenant: filed apart, so that no text is put together to find it. */
interface Remembered {
  readonly key: Buffer;
  readonly pseudonyms: Map<string, string>;
}
