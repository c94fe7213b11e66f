import type { EventRow } from './row';

/** A record with the place it is given. */
export interface PlacedRow {
  readonly chain: number;
  readonly seq: number;
  readonly position: number;
  readonly row: EventRow;
  readonly body: Uint8Array;
}

/** The columns of `audit_event`, in the order in which {@link copiedRows} writes them. */
export const COPIED = `retention, at, uid, position, chain, seq, tenant, kind, type_uid, actor_ref, app, resource, route,
  disposition, status, request_id, trace_id, body`;
const FIELDS = 18;

/** Signature, no flags, no extension. */
const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER_BYTES = 2;
/** All but texts and the body: the count of fields, a length before each, two integers of 2 bytes, two of 4, two of 8, a moment, a UUID. */
const ROW_BYTES = 2 + FIELDS * 4 + 2 * 2 + 2 * 4 + 2 * 8 + 8 + 16;
/** A unit of UTF-16 is at most three bytes of UTF-8. */
const BYTES_A_UNIT = 3;
const NULL = -1;
/** Postgres counts microseconds from the year 2000. */
const POSTGRES_EPOCH_MS = Date.UTC(2000);

/**
 * Rows in the binary format of COPY (PostgreSQL's manual, COPY, "Binary Format"): a body goes over as it is, where the text
 * format would have it written in hexadecimal here and looked through for its ends and read back there.
 * @param rows with texts that are well formed; each value in the range of its column
 * @param room where they are written to, of at least `bytesForRows`
 * @returns the part of `room` that they have taken.
 */
export function copiedRows(rows: readonly PlacedRow[], room: Buffer): Buffer {
  const writer = new RowWriter(room);
  for (const row of rows) writer.write(row);
  return writer.end();
}

/** How many bytes rows have as {@link copiedRows}, at most. */
export function bytesForRows(rows: readonly PlacedRow[]): number {
  return rows.reduce((sum, row) => sum + mostBytes(row), HEADER.length + TRAILER_BYTES);
}

function mostBytes({ row, body }: PlacedRow): number {
  const units = textsOf(row).reduce((sum, text) => sum + (text?.length ?? 0), 0);
  return ROW_BYTES + body.length + units * BYTES_A_UNIT;
}

function textsOf(row: EventRow): readonly (string | null)[] {
  const { retention, tenant, kind, actorRef, app, resource, route, requestId, traceId } = row;
  return [retention, tenant, kind, actorRef, app, resource, route, requestId, traceId];
}

class RowWriter {
  private at: number;

  constructor(private readonly bytes: Buffer) {
    this.at = HEADER.copy(bytes);
  }

  write({ chain, seq, position, row, body }: PlacedRow): void {
    this.at = this.bytes.writeInt16BE(FIELDS, this.at);
    this.text(row.retention);
    this.moment(row.at);
    this.uuid(row.uid);
    this.int8(position);
    this.int4(chain);
    this.int8(seq);
    this.text(row.tenant);
    this.text(row.kind);
    this.int4(row.typeUid);
    this.text(row.actorRef);
    this.text(row.app);
    this.text(row.resource);
    this.text(row.route);
    this.int2(row.disposition);
    this.int2(row.status);
    this.text(row.requestId);
    this.text(row.traceId);
    this.length(body.length);
    this.bytes.set(body, this.at);
    this.at += body.length;
  }

  end(): Buffer {
    this.at = this.bytes.writeInt16BE(-1, this.at);
    return this.bytes.subarray(0, this.at);
  }

  private length(bytes: number): void {
    this.at = this.bytes.writeInt32BE(bytes, this.at);
  }

  private text(value: string | null): void {
    if (value === null) return this.length(NULL);
    const written = this.bytes.write(value, this.at + 4, 'utf8');
    this.length(written);
    this.at += written;
  }

  private int2(value: number | null): void {
    if (value === null) return this.length(NULL);
    this.length(2);
    this.at = this.bytes.writeInt16BE(value, this.at);
  }

  private int4(value: number | null): void {
    if (value === null) return this.length(NULL);
    this.length(4);
    this.at = this.bytes.writeInt32BE(value, this.at);
  }

  private int8(value: number): void {
    this.length(8);
    this.at = this.bytes.writeBigInt64BE(BigInt(value), this.at);
  }

  /** @param ms since the Unix epoch */
  private moment(ms: number): void {
    this.int8((ms - POSTGRES_EPOCH_MS) * 1_000);
  }

  private uuid(value: string): void {
    this.length(16);
    this.at += this.bytes.write(value.replaceAll('-', ''), this.at, 'hex');
  }
}
