import type { SpoolFile } from './ports';
import type { Segment } from './recover';
import { scanSegment, type SpoolRecord } from './segment';

/**
 * Records behind `seq` of a segment that is held open, whatever has become of its name: those that another process may not
 * have found, because they were written after it had looked, and those that went with the folder.
 */
export async function readBack(file: SpoolFile, { bytes, firstSeq }: Segment, seq: number): Promise<SpoolRecord[]> {
  const content = Buffer.alloc(bytes);
  const length = await file.read(content, 0);
  const { records, beyond } = scanSegment(content.subarray(0, length), firstSeq);
  return [...records, ...beyond].filter((record) => record.seq > seq);
}
