import { createHmac, timingSafeEqual } from 'node:crypto';

const MAC_BYTES = 12;
const ID_BYTES = 16;

/** Makes cursors that callers can keep but neither read a position from nor make themselves. */
export class Cursors {
  readonly #key: Uint8Array;

  /** @param key that every replica derives alike and that opens nothing else. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  /** @param id UUID of the last row shown */
  write(id: string): string {
    const bytes = Buffer.from(id.replaceAll('-', ''), 'hex');
    return Buffer.concat([bytes, this.#mac(bytes)]).toString('base64url');
  }

  /** @returns the UUID, or undefined when the cursor is not one of ours. */
  read(cursor: string): string | undefined {
    const bytes = Buffer.from(cursor, 'base64url');
    if (bytes.length !== ID_BYTES + MAC_BYTES) return undefined;
    const id = bytes.subarray(0, ID_BYTES);
    if (!timingSafeEqual(bytes.subarray(ID_BYTES), this.#mac(id))) return undefined;
    return id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }

  #mac(id: Uint8Array): Buffer {
    return createHmac('sha256', this.#key).update(id).digest().subarray(0, MAC_BYTES);
  }
}
