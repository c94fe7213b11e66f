import { crc32 } from 'node:zlib';
import type { RecordMemory } from './record-memory';

/**
 * The format of a segment file, all integers big endian:
 *
 *   header, 64 bytes: magic 8 · version u16 · flags u16 · CRC-32 of the other 60 bytes u32 · first seq u64 ·
 *                     created ms u64 · fingerprint of the record before the first 32
 *   record, 20 bytes and a body: length of the body u32 · CRC-32 over type…body u32 · type u8 · flags u8 ·
 *                     reserved u16 · seq u64
 *
 * The fingerprint is 32 zero bytes as long as chains carry none.
 */
export const SEGMENT_HEADER_BYTES = 64;
export const RECORD_HEADER_BYTES = 20;
const MAGIC = Buffer.from('SLYSPOOL', 'latin1');
const VERSION = 1;
/** The longest body of any record type: a sealed payload. */
export const MAX_BODY_BYTES = 256 * 1024;

export const recordTypes = { event: 1, payload: 2, end: 3 } as const;
export type RecordType = (typeof recordTypes)[keyof typeof recordTypes];

/** Flags of a record. A control record is a change, control or finding: one that is looked for by its uid. */
export const recordFlags = { control: 1 } as const;

export interface SegmentHeader {
  readonly firstSeq: number;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly previousFingerprint: Uint8Array;
}

export interface SpoolRecord {
  readonly type: RecordType;
  readonly flags: number;
  readonly seq: number;
  readonly body: Buffer;
}

export function segmentName(firstSeq: number): string {
  return `${firstSeq.toString(16).padStart(16, '0')}.spool`;
}

/** @returns the first sequence a segment's name states, or undefined for any other file. */
export function segmentFirstSeq(name: string): number | undefined {
  return /^[0-9a-f]{16}\.spool$/.test(name) ? Number.parseInt(name.slice(0, 16), 16) : undefined;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt16BE(VERSION, 8);
  bytes.writeBigUInt64BE(BigInt(header.firstSeq), 16);
  bytes.writeBigUInt64BE(BigInt(header.createdAt), 24);
  bytes.set(header.previousFingerprint, 32);
  bytes.writeUInt32BE(headerCrc(bytes), 12);
  return bytes;
}

/** @returns undefined when the bytes are no sound header of a version we know. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) return undefined;
  if (bytes.readUInt16BE(8) !== VERSION || bytes.readUInt32BE(12) !== headerCrc(bytes)) return undefined;
  return {
    firstSeq: Number(bytes.readBigUInt64BE(16)),
    createdAt: Number(bytes.readBigUInt64BE(24)),
    previousFingerprint: bytes.subarray(32, SEGMENT_HEADER_BYTES),
  };
}

function headerCrc(bytes: Buffer): number {
  return crc32(bytes.subarray(16, SEGMENT_HEADER_BYTES), crc32(bytes.subarray(0, 12)));
}

/** A record in memory of its own. */
export function encodeRecord(type: RecordType, flags: number, seq: number, body: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(RECORD_HEADER_BYTES + body.length);
  bytes.set(body, RECORD_HEADER_BYTES);
  return withHeader(bytes, type, flags, seq);
}

/** A record whose body is the UTF-8 of a text, in memory that is good until it is told that the record is free. */
export function encodeText(memory: RecordMemory, type: RecordType, flags: number, seq: number, body: string): Buffer {
  return withHeader(memory.write(seq, RECORD_HEADER_BYTES, body), type, flags, seq);
}

function withHeader(bytes: Buffer, type: RecordType, flags: number, seq: number): Buffer {
  bytes.writeUInt32BE(bytes.length - RECORD_HEADER_BYTES, 0);
  bytes[8] = type;
  bytes[9] = flags;
  bytes.writeUInt16BE(0, 10);
  // Two halves: writeBigUInt64BE would allocate a BigInt for every record.
  bytes.writeUInt32BE(Math.floor(seq / 0x1_0000_0000), 12);
  bytes.writeUInt32BE(seq % 0x1_0000_0000, 16);
  bytes.writeUInt32BE(crc32(bytes.subarray(8)), 4);
  return bytes;
}

/** The record that closes a segment: how many it holds, and the sequence of the last. */
export function encodeSegmentEnd(count: number, lastSeq: number): Buffer {
  const body = Buffer.allocUnsafe(12);
  body.writeUInt32BE(count, 0);
  body.writeBigUInt64BE(BigInt(lastSeq), 4);
  return encodeRecord(recordTypes.end, 0, lastSeq, body);
}

/** Bytes from `offset` that a complete record there takes, or undefined when its header is not wholly there. */
function recordLength(bytes: Buffer, offset: number): number | undefined {
  return offset + RECORD_HEADER_BYTES > bytes.length ? undefined : RECORD_HEADER_BYTES + bytes.readUInt32BE(offset);
}

/** @returns the sound record at `offset`, or undefined. The body is a view of `bytes`. */
export function decodeRecord(bytes: Buffer, offset: number): SpoolRecord | undefined {
  const length = recordLength(bytes, offset);
  if (length === undefined || length > RECORD_HEADER_BYTES + MAX_BODY_BYTES || offset + length > bytes.length) {
    return undefined;
  }
  const type = bytes[offset + 8]!;
  if (type < recordTypes.event || type > recordTypes.end || bytes.readUInt16BE(offset + 10) !== 0) return undefined;
  if (bytes.readUInt32BE(offset + 4) !== crc32(bytes.subarray(offset + 8, offset + length))) return undefined;
  return {
    type: type as RecordType,
    flags: bytes[offset + 9]!,
    seq: bytes.readUInt32BE(offset + 12) * 0x1_0000_0000 + bytes.readUInt32BE(offset + 16),
    body: bytes.subarray(offset + RECORD_HEADER_BYTES, offset + length),
  };
}

/** What reading one segment from end to end found. */
export interface SegmentScan {
  readonly records: readonly SpoolRecord[];
  /** Where the sound part ends. */
  readonly end: number;
  /** A segment-end record stands at the end. */
  readonly closed: boolean;
  /** Sound records behind an unsound place, in order: not empty exactly when the segment is damaged inside. */
  readonly beyond: readonly SpoolRecord[];
}

/**
 * Reads the records of a segment whose first has `firstSeq`. Stops at the first place that holds no sound record of
 * the expected sequence, and then searches for sound records behind it.
 */
export function scanSegment(bytes: Buffer, firstSeq: number): SegmentScan {
  const records: SpoolRecord[] = [];
  let end = Math.min(SEGMENT_HEADER_BYTES, bytes.length);
  let closed = false;
  const sound = decodeSegmentHeader(bytes)?.firstSeq === firstSeq;
  if (!sound) return { records, end: 0, closed, beyond: findRecords(bytes, 0, firstSeq) };
  while (!closed) {
    const record = decodeRecord(bytes, end);
    const expected = firstSeq + records.length;
    if (!record || record.seq !== (record.type === recordTypes.end ? expected - 1 : expected)) break;
    end += RECORD_HEADER_BYTES + record.body.length;
    if (record.type === recordTypes.end) closed = true;
    else records.push(record);
  }
  return { records, end, closed, beyond: findRecords(bytes, end, firstSeq + records.length) };
}

/** Sound records from `from` on with ascending sequences of at least `minSeq`, whatever lies between them. */
function findRecords(bytes: Buffer, from: number, minSeq: number): SpoolRecord[] {
  const found: SpoolRecord[] = [];
  let offset = from;
  let least = minSeq;
  while (offset + RECORD_HEADER_BYTES <= bytes.length) {
    const record = mayBeRecord(bytes, offset) ? decodeRecord(bytes, offset) : undefined;
    // A sequence far ahead is no record of this segment, but bytes that happen to check.
    if (record && record.type !== recordTypes.end && record.seq >= least && record.seq < minSeq + bytes.length) {
      found.push(record);
      least = record.seq + 1;
      offset += RECORD_HEADER_BYTES + record.body.length;
    } else {
      offset += 1;
    }
  }
  return found;
}

/** Spares the search most of its checksums: type and reserved bytes must fit before it is worth one. */
function mayBeRecord(bytes: Buffer, offset: number): boolean {
  const type = bytes[offset + 8]!;
  return (
    (type === recordTypes.event || type === recordTypes.payload) && bytes[offset + 10] === 0 && bytes[offset + 11] === 0
  );
}
