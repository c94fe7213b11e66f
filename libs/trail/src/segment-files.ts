import type { FileSystem, SpoolFile } from './ports';
import type { Segment } from './recover';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, segmentName } from './segment';

/** Chains have no fingerprints yet; the field is there for them. */
const NO_FINGERPRINT = new Uint8Array(32);

/** A segment that is on the disk and open for what comes next. */
export interface OpenSegment {
  readonly file: SpoolFile;
  readonly segment: Segment;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/**
 * Makes a segment without records, in place of an empty one of the same name.
 * @throws what the disk says; nothing of the segment is left then, as far as the disk lets it.
 */
export async function createSegment(
  files: FileSystem,
  directory: string,
  firstSeq: number,
  createdAt: number,
): Promise<OpenSegment> {
  const path = `${directory}/${segmentName(firstSeq)}`;
  const file = await files.open(path, 'create');
  try {
    await file.write([headerOf(firstSeq, createdAt)], 0);
    await file.sync();
    await files.syncFolder(directory);
  } catch (error) {
    await file.close().catch(() => undefined);
    await files.remove(path).catch(() => undefined);
    throw error;
  }
  return { file, segment: { path, firstSeq, lastSeq: firstSeq - 1, bytes: SEGMENT_HEADER_BYTES }, createdAt };
}

/**
 * Makes a segment of records that takes its place, and that of one with the same name, only when it is whole and on the
 * disk.
 * @param records encoded, the first with `firstSeq`
 * @throws what the disk says
 */
export async function replaceSegment(
  files: FileSystem,
  directory: string,
  firstSeq: number,
  createdAt: number,
  records: readonly Uint8Array[],
): Promise<OpenSegment> {
  const path = `${directory}/${segmentName(firstSeq)}`;
  const file = await files.open(`${directory}/next`, 'create');
  try {
    await file.write([headerOf(firstSeq, createdAt), ...records], 0);
    await file.sync();
    await files.rename(`${directory}/next`, path);
    await files.syncFolder(directory);
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
  const bytes = records.reduce((sum, { byteLength }) => sum + byteLength, SEGMENT_HEADER_BYTES);
  return { file, segment: { path, firstSeq, lastSeq: firstSeq + records.length - 1, bytes }, createdAt };
}

function headerOf(firstSeq: number, createdAt: number): Buffer {
  return encodeSegmentHeader({ firstSeq, createdAt, previousFingerprint: NO_FINGERPRINT });
}
