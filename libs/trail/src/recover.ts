import type { FileSystem } from './ports';
import {
  recordFlags,
  scanSegment,
  segmentFirstSeq,
  SEGMENT_HEADER_BYTES,
  type SegmentScan,
  type SpoolRecord,
} from './segment';

/** One segment file of a chain. */
export interface Segment {
  readonly path: string;
  readonly firstSeq: number;
  /** `firstSeq - 1` while it is empty. */
  lastSeq: number;
  bytes: number;
}

/** Records that cannot be read, with sound ones behind them. */
export interface Damage {
  /** The last sequence before the damage. */
  readonly lastSound: number;
  /** Files from the damaged one on, by name. */
  readonly names: readonly string[];
  /** The sound beginning of the damaged file; empty when nothing of it is sound. */
  readonly soundPart: Uint8Array;
  /** What was found behind the damage. */
  readonly salvaged: readonly SpoolRecord[];
}

export interface Recovery {
  /** Sound and complete, in order. */
  readonly segments: Segment[];
  /** Not behind a damage, and not without any segment file, be it empty: nothing else tells how far the chain has come. */
  readonly goesOn: boolean;
  readonly nextSeq: number;
  /** Control records by uid, with their sequence. */
  readonly controls: Map<string, number>;
  /** Bytes cut off the end of the last segment. */
  readonly tornBytes: number;
  readonly damage?: Damage;
}

/**
 * Opens a chain's folder after whatever ended its last writer. An unsound place with nothing sound behind it, in the
 * last segment only, is a torn tail and is cut off; any other is damage, which is reported and left as it is.
 */
export async function recover(files: FileSystem, directory: string): Promise<Recovery> {
  const names = (await files.list(directory)).filter((name) => segmentFirstSeq(name) !== undefined).sort();
  const goesOn = names.length > 0;
  const segments: Segment[] = [];
  const controls = new Map<string, number>();
  let nextSeq = goesOn ? segmentFirstSeq(names[0]!)! : 1;
  for (const [index, name] of names.entries()) {
    const path = `${directory}/${name}`;
    const firstSeq = segmentFirstSeq(name)!;
    const following = index + 1 < names.length ? segmentFirstSeq(names[index + 1]!)! : Infinity;
    const bytes = Buffer.from((await files.readAll(path)) ?? []);
    const scan = scanSegment(bytes, firstSeq);
    // After a failed sync the next segment repeats what this one may not hold: there its word counts.
    const records = scan.records.filter(({ seq }) => seq < following);
    const reached = firstSeq + records.length;
    const broken = firstSeq !== nextSeq || (following === Infinity ? scan.beyond.length > 0 : reached < following);
    if (broken) {
      const salvaged = await salvage(files, directory, names.slice(index), firstSeq === nextSeq ? scan : undefined);
      const soundPart = firstSeq === nextSeq ? bytes.subarray(0, scan.end) : new Uint8Array();
      if (firstSeq === nextSeq) noteControls(records, controls);
      const lastSound = firstSeq === nextSeq ? reached - 1 : nextSeq - 1;
      return {
        segments,
        goesOn: false,
        nextSeq,
        controls,
        tornBytes: 0,
        damage: { lastSound, names: names.slice(index), soundPart, salvaged },
      };
    }
    noteControls(records, controls);
    nextSeq = reached;
    if (following !== Infinity) {
      segments.push({ path, firstSeq, lastSeq: reached - 1, bytes: bytes.length });
      continue;
    }
    const tornBytes = bytes.length - scan.end;
    // An empty one stays until the next writer begins it again: its name is all that says where the chain goes on.
    if (records.length > 0) {
      await settle(files, path, scan.end);
      segments.push({ path, firstSeq, lastSeq: reached - 1, bytes: scan.end });
    }
    const torn = scan.end < SEGMENT_HEADER_BYTES ? bytes.length : tornBytes;
    return { segments, goesOn, nextSeq, controls, tornBytes: torn };
  }
  return { segments, goesOn, nextSeq, controls, tornBytes: 0 };
}

/** Cuts the tail off and makes what remains durable: the last writer may have died before its sync. */
async function settle(files: FileSystem, path: string, length: number): Promise<void> {
  const file = await files.open(path, 'edit');
  try {
    await file.truncate(length);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Every sound record from the damage on: the rest of the damaged segment, and the segments behind it. */
async function salvage(
  files: FileSystem,
  directory: string,
  names: readonly string[],
  first: SegmentScan | undefined,
): Promise<SpoolRecord[]> {
  const found: SpoolRecord[] = first ? [...first.beyond] : [];
  for (const name of first ? names.slice(1) : names) {
    const scan = scanSegment(Buffer.from((await files.readAll(`${directory}/${name}`)) ?? []), segmentFirstSeq(name)!);
    const last = found.at(-1)?.seq ?? 0;
    found.push(...[...scan.records, ...scan.beyond].filter(({ seq }) => seq > last));
  }
  return found;
}

function noteControls(records: readonly SpoolRecord[], controls: Map<string, number>): void {
  for (const { flags, body, seq } of records) {
    if ((flags & recordFlags.control) === 0) continue;
    const uid = uidOf(body);
    if (uid !== undefined) controls.set(uid, seq);
  }
}

/** The uid of an event's body, or undefined for a body of another kind. */
function uidOf(body: Uint8Array): string | undefined {
  try {
    const document = JSON.parse(Buffer.from(body).toString()) as { metadata?: { uid?: unknown } };
    const uid = document.metadata?.uid;
    return typeof uid === 'string' ? uid : undefined;
  } catch {
    return undefined;
  }
}
