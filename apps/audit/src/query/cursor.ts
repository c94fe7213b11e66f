import { createHmac, hash, timingSafeEqual } from 'node:crypto';

/** Where a walk over records stands, and the range it was begun with. */
export interface Place {
  /** The last position that was shown; the walk goes down from here. */
  readonly position: number;
  /** Milliseconds since the epoch; a range may begin before it. */
  readonly from: number;
  readonly to: number;
}

const MAC_BYTES = 12;
const PLACE_BYTES = 24;

/** Writes cursors that callers can keep, and that only fit the filters they were made for. */
export class Cursors {
  /** @param key 32 bytes, the same in every replica */
  constructor(private readonly key: Uint8Array) {}

  write({ position, from, to }: Place, filters: string): string {
    const bytes = Buffer.alloc(PLACE_BYTES);
    bytes.writeBigInt64BE(BigInt(position), 0);
    bytes.writeBigInt64BE(BigInt(from), 8);
    bytes.writeBigInt64BE(BigInt(to), 16);
    return Buffer.concat([bytes, this.#mac(bytes, filters)]).toString('base64url');
  }

  /** @returns undefined for a cursor that is not ours, or was made for other filters. */
  read(cursor: string, filters: string): Place | undefined {
    const bytes = Buffer.from(cursor, 'base64url');
    if (bytes.length !== PLACE_BYTES + MAC_BYTES) return undefined;
    const place = bytes.subarray(0, PLACE_BYTES);
    if (!timingSafeEqual(bytes.subarray(PLACE_BYTES), this.#mac(place, filters))) return undefined;
    return {
      position: Number(place.readBigInt64BE(0)),
      from: Number(place.readBigInt64BE(8)),
      to: Number(place.readBigInt64BE(16)),
    };
  }

  #mac(place: Uint8Array, filters: string): Buffer {
    const mac = createHmac('sha256', this.key)
      .update(place)
      .update(hash('sha256', filters, 'buffer'));
    return mac.digest().subarray(0, MAC_BYTES);
  }
}
