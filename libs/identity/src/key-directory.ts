import type { ApiKeyRecord, RouteClass } from '@sallyport/contracts';
import { parseAddressRange, type AddressRange } from './address-range';

/** A key as the verifier reads it: everything that can be parsed is parsed before a request comes. */
export interface KnownKey {
  readonly record: ApiKeyRecord;
  readonly mac: Buffer;
  readonly expiresAt: number;
  readonly ranges: readonly AddressRange[];
}

/** How long ago the list of keys may have been confirmed, in milliseconds, before a key's status counts as unknown. */
export const stalenessBound: Readonly<Record<RouteClass, number>> = {
  regulated: 60_000,
  public: 15 * 60_000,
  internal: 15 * 60_000,
};

/**
 * The keys this process knows, and how fresh that knowledge is. Each change puts a new object in the place of the old
 * one: whoever cached a decision compares the object, and so notices a revocation at the next call.
 */
export class KeyDirectory {
  readonly #keys = new Map<string, KnownKey>();
  #confirmedAt: number | undefined;

  get(kid: string): KnownKey | undefined {
    return this.#keys.get(kid);
  }

  get size(): number {
    return this.#keys.size;
  }

  /** The moment, in milliseconds since the epoch, at which auth last vouched for the list; undefined: never. */
  get confirmedAt(): number | undefined {
    return this.#confirmedAt;
  }

  /**
   * Takes the record of a key. A revoked key stays revoked: an id is never given out twice, so an active record that
   * arrives later is only late.
   *
   * @throws RangeError when an address range cannot be read.
   */
  put(record: ApiKeyRecord): void {
    const known = this.#keys.get(record.kid);
    if (known && (known.record.status === 'revoked' || JSON.stringify(known.record) === JSON.stringify(record))) return;
    this.#keys.set(record.kid, {
      record: Object.freeze(record),
      mac: Buffer.from(record.mac, 'base64url'),
      expiresAt: Date.parse(record.expiresAt),
      ranges: record.cidrs.map(parseAddressRange),
    });
  }

  remove(kid: string): void {
    this.#keys.delete(kid);
  }

  records(): ApiKeyRecord[] {
    return [...this.#keys.values()].map(({ record }) => record);
  }

  /** Auth vouched, at this moment, that everything it had decided until then has been handed in here. */
  confirm(at: number): void {
    if (this.#confirmedAt === undefined || at > this.#confirmedAt) this.#confirmedAt = at;
  }

  /** Whether the list is too old, or was never received, to say of a key on a route of this class that it holds. */
  isStale(routeClass: RouteClass, now: number): boolean {
    if (this.#confirmedAt === undefined) return true;
    const bound = stalenessBound[routeClass];
    // A confirmation from far in the future is a clock known wrong.
    return Math.abs(now - this.#confirmedAt) > bound;
  }
}
