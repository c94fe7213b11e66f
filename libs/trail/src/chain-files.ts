import type { FileSystem, SpoolFile } from './ports';
import type { Segment } from './recover';
import { decodeRecord, MAX_BODY_BYTES, RECORD_HEADER_BYTES, recordTypes, SEGMENT_HEADER_BYTES } from './segment';

/** Records of one chain in sequence, as they are published. */
export interface Run {
  readonly firstSeq: number;
  readonly bodies: readonly Buffer[];
}

export interface RunLimits {
  readonly records: number;
  readonly bytes: number;
}

/** A place in a segment file: `seq` is the record that begins at `offset`. */
interface Cursor {
  readonly segment: Segment;
  readonly file: SpoolFile;
  offset: number;
  seq: number;
}

const WINDOW_BYTES = MAX_BODY_BYTES + RECORD_HEADER_BYTES;

/** The segment files of one chain: read in sequence, trimmed from the front. */
export class ChainFiles {
  #cursor: Cursor | undefined;
  /** Where a run is read to; used again for the next one. */
  #window: Buffer | undefined;
  #bytes: number;
  #isAbandoned = false;
  /** Reading and trimming take turns: a segment is not deleted under a reader. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly files: FileSystem,
    readonly directory: string,
    /** `<cluster>/<producer>/<epoch>` */
    readonly chain: string,
    readonly segments: Segment[],
    /** Sequences of the control records that are still here, by uid. */
    readonly controls: Map<string, number>,
  ) {
    this.#bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** All of it is committed, and nothing more comes. */
  get isSpent(): boolean {
    return !this.#isAbandoned && this.segments.length === 0;
  }

  /** A segment becomes the last one. */
  add(segment: Segment): void {
    this.segments.push(segment);
    this.#bytes += segment.bytes;
  }

  /** The last segment has grown. */
  grow(bytes: number): void {
    this.segments.at(-1)!.bytes += bytes;
    this.#bytes += bytes;
  }

  /** The last segment counts only up to `lastSeq`, or not at all when it begins behind that. */
  endAt(lastSeq: number): void {
    const last = this.segments.at(-1)!;
    if (last.firstSeq <= lastSeq) last.lastSeq = lastSeq;
    else this.#bytes -= this.segments.pop()!.bytes;
  }

  /** The oldest sequence still here, or undefined. */
  get firstSeq(): number | undefined {
    return this.segments[0]?.firstSeq;
  }

  /**
   * Reads records from `from` to at most `through`, never over the end of a segment.
   * @returns undefined when there is none. Bodies are good until the next read.
   */
  read(from: number, through: number, limits: RunLimits): Promise<Run | undefined> {
    return this.#inTurn(() => this.#read(from, through, limits));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #read(from: number, through: number, limits: RunLimits): Promise<Run | undefined> {
    const first = Math.max(from, this.firstSeq ?? Infinity);
    if (first > through) return undefined;
    const bodies: Buffer[] = [];
    let bytes = 0;
    const cursor = await this.#seek(first);
    if (!cursor) return undefined;
    const last = Math.min(through, cursor.segment.lastSeq);
    while (cursor.seq <= last && bodies.length < limits.records) {
      const before = bodies.length;
      const window = await this.#readWindow(cursor, bodies.length === 0);
      let offset = 0;
      while (cursor.seq <= last && bodies.length < limits.records) {
        const record = decodeRecord(window, offset);
        if (!record || record.type === recordTypes.end || record.seq !== cursor.seq) break;
        if (bodies.length > 0 && bytes + record.body.length > limits.bytes) return { firstSeq: first, bodies };
        bodies.push(record.body);
        bytes += record.body.length;
        offset += RECORD_HEADER_BYTES + record.body.length;
        cursor.offset += RECORD_HEADER_BYTES + record.body.length;
        cursor.seq += 1;
      }
      if (bodies.length === before) break;
    }
    return bodies.length > 0 ? { firstSeq: first, bodies } : undefined;
  }

  /** @param first the one window of most runs, which has memory of its own. */
  async #readWindow({ segment, file, offset }: Cursor, first: boolean): Promise<Buffer> {
    const bytes = Math.min(WINDOW_BYTES, Math.max(segment.bytes - offset, 0));
    const window = first ? this.#firstWindow().subarray(0, bytes) : Buffer.allocUnsafe(bytes);
    return window.subarray(0, await file.read(window, offset));
  }

  /** Of its largest size from the first on, and for as long as the chain is read, as `BatchMemory` says of its pieces. */
  #firstWindow(): Buffer {
    this.#window ??= Buffer.allocUnsafeSlow(WINDOW_BYTES);
    return this.#window;
  }

  /** Moves the cursor to a record, opening its segment and skipping what lies before it. */
  async #seek(seq: number): Promise<Cursor | undefined> {
    if (this.#cursor?.seq === seq && seq <= this.#cursor.segment.lastSeq) return this.#cursor;
    await this.#letGo();
    const segment = this.segments.find(({ firstSeq, lastSeq }) => firstSeq <= seq && seq <= lastSeq);
    if (!segment) return undefined;
    const file = await this.files.open(segment.path, 'read');
    const cursor: Cursor = { segment, file, offset: SEGMENT_HEADER_BYTES, seq: segment.firstSeq };
    this.#cursor = cursor;
    const header = Buffer.alloc(RECORD_HEADER_BYTES);
    while (cursor.seq < seq) {
      await file.read(header, cursor.offset);
      cursor.offset += RECORD_HEADER_BYTES + header.readUInt32BE(0);
      cursor.seq += 1;
    }
    return cursor;
  }

  /** Forgets the open file; the next read opens it again. */
  release(): Promise<void> {
    return this.#inTurn(() => this.#letGo());
  }

  /** Another process has it from now on: nothing is read or deleted here any more. */
  abandon(): Promise<void> {
    return this.#inTurn(async () => {
      this.#isAbandoned = true;
      this.segments.length = 0;
      this.#bytes = 0;
      await this.#letGo();
    });
  }

  async #letGo(): Promise<void> {
    const cursor = this.#cursor;
    this.#cursor = undefined;
    await cursor?.file.close();
  }

  /**
   * Deletes segments that end at or before `seq`, but never `active`. @throws what the disk says; the segment it does not
   * let go is still the first: one left behind would later look like the beginning of a chain with a hole.
   */
  trim(seq: number, active?: Segment): Promise<void> {
    return this.#inTurn(() => this.#trim(seq, active));
  }

  async #trim(seq: number, active?: Segment): Promise<void> {
    const before = this.segments.length;
    while (this.segments[0] && this.segments[0] !== active && this.segments[0].lastSeq <= seq) {
      const segment = this.segments[0];
      if (this.#cursor?.segment === segment) await this.#letGo();
      await this.files.remove(segment.path);
      this.segments.shift();
      this.#bytes -= segment.bytes;
    }
    if (this.segments.length === before) return;
    const first = this.firstSeq ?? Infinity;
    for (const [uid, at] of this.controls) if (at < first) this.controls.delete(uid);
  }
}
