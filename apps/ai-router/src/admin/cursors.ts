import { createHmac, timingSafeEqual } from 'node:crypto';
import { uuidv7Time } from '@sallyport/contracts';
import type { EntityManager } from 'typeorm';
import { SCHEMA } from '../ledger/ledger-tables';

const ID_BYTES = 16;
const MAC_BYTES = 12;

/** Where a list goes on: behind this receipt. */
export interface Position {
  readonly at: Date;
  readonly id: string;
}

/** Cursors over receipts: an id, which says its moment itself, and a signature, so that none is made up. */
export class Cursors {
  constructor(private readonly key: string) {}

  /** Reads the key that all replicas share. */
  static async open(manager: EntityManager): Promise<Cursors> {
    const [row] = await manager.query<[{ key: string }]>(`SELECT key FROM ${SCHEMA}.cursor_key`);
    return new Cursors(row.key);
  }

  write(id: string): string {
    const bytes = Buffer.from(id.replaceAll('-', ''), 'hex');
    return Buffer.concat([bytes, this.sign(bytes)]).toString('base64url');
  }

  /** @returns undefined when it is none of ours. */
  read(cursor: string): Position | undefined {
    const bytes = Buffer.from(cursor, 'base64url');
    if (bytes.length !== ID_BYTES + MAC_BYTES) return undefined;
    const id = bytes.subarray(0, ID_BYTES);
    if (!timingSafeEqual(bytes.subarray(ID_BYTES), this.sign(id))) return undefined;
    const uuid = id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
    return { at: new Date(uuidv7Time(uuid)), id: uuid };
  }

  private sign(bytes: Uint8Array): Buffer {
    return createHmac('sha256', this.key).update(bytes).digest().subarray(0, MAC_BYTES);
  }
}
