import zlib from 'node:zlib';
import { refuse, type Refusal } from '@sallyport/contracts';

/** What unpacking one body may cost. */
export interface DecoderLimits {
  readonly decompressedBytes: number;
  readonly decompressedRatio: number;
  readonly decompressedLayers: number;
}

/** Who gets the unpacked bytes. After onRefused nothing more is called. */
export interface DecoderListener {
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** BODY_TOO_LARGE for a bomb, REQUEST_MALFORMED for what is not packed as it says. */
  onRefused(refusal: Refusal): void;
}

type Stage = zlib.Gunzip | zlib.Inflate | zlib.BrotliDecompress;

/** Below this nothing is a bomb: short texts shrink to almost nothing. */
const RATIO_COUNTS_FROM = 64 * 1024;
const PIECE_BYTES = 16 * 1024;

const gunzip = () => zlib.createGunzip({ chunkSize: PIECE_BYTES });

/** RFC 9110 §8.4.1; `deflate` is the zlib format, and not the bare stream that some senders mean by it. */
const stages: ReadonlyMap<string, () => Stage> = new Map<string, () => Stage>([
  ['gzip', gunzip],
  ['x-gzip', gunzip],
  ['deflate', () => zlib.createInflate({ chunkSize: PIECE_BYTES })],
  ['br', () => zlib.createBrotliDecompress({ chunkSize: PIECE_BYTES })],
  ...zstdStage(),
]);

/** Node has it from 22.15 on. */
function zstdStage(): [string, () => Stage][] {
  const { createZstdDecompress } = zlib as { createZstdDecompress?: (options: zlib.ZlibOptions) => Stage };
  return createZstdDecompress ? [['zstd', () => createZstdDecompress({ chunkSize: PIECE_BYTES })]] : [];
}

/** The codings that can be unpacked here, as an answer would list them. */
export const knownCodings = [...stages.keys()].filter((name) => name !== 'x-gzip').join(', ');

/**
 * Reads a Content-Encoding.
 * @returns the codings in the order they were applied, empty when there is none; or MEDIA_TYPE_UNSUPPORTED for one that
 *   is not known here, or more layers than allowed.
 */
export function codingsOf(contentEncoding: string | undefined, maxLayers: number): readonly string[] | Refusal {
  if (contentEncoding === undefined) return NO_CODINGS;
  const codings = contentEncoding
    .split(',')
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== 'identity' && coding !== '');
  const known = codings.every((coding) => stages.has(coding));
  if (known && codings.length <= maxLayers) return codings;
  const accepted = maxLayers === 0 ? 'a body without Content-Encoding' : `at most ${maxLayers} of ${knownCodings}`;
  return refuse('MEDIA_TYPE_UNSUPPORTED', { accepted });
}

const NO_CODINGS: readonly string[] = Object.freeze([]);

/**
 * Unpacks a body as it comes, in pieces of some KiB, and stops as soon as there is more of it than a body may weigh, or
 * more than so many packed bytes can honestly stand for. What is handed in is only referred to, not copied.
 */
export class BoundedDecoder {
  private readonly chain: readonly Stage[];
  private packed = 0;
  private over = false;

  /** @param codings as `codingsOf` gives them, at least one */
  constructor(
    codings: readonly string[],
    private readonly limits: DecoderLimits,
    private readonly listener: DecoderListener,
  ) {
    this.chain = [...codings].reverse().map((coding) => stages.get(coding)!());
    this.chain.forEach((stage, at) => this.connect(stage, this.chain[at + 1]));
  }

  write(chunk: Buffer): void {
    if (this.over) return;
    this.packed += chunk.length;
    this.chain[0]!.write(chunk);
  }

  end(): void {
    if (!this.over) this.chain[0]!.end();
  }

  /** Gives up; the listener hears nothing more. */
  destroy(): void {
    this.over = true;
    for (const stage of this.chain) stage.destroy();
  }

  private connect(stage: Stage, next: Stage | undefined): void {
    let made = 0;
    stage.on('error', () => this.refuse(refuse('REQUEST_MALFORMED', { reason: 'the body is not packed as it says' })));
    stage.on('data', (piece: Buffer) => {
      if (this.over) return;
      made += piece.length;
      // Every layer is judged: a second one can unpack to nothing what the first has made a gigabyte of.
      if (this.isBomb(made)) return this.tooLarge();
      if (next) next.write(piece);
      else this.listener.onData(piece);
    });
    stage.on('end', () => this.endStage(stage, next));
  }

  private isBomb(made: number): boolean {
    if (made > this.limits.decompressedBytes) return true;
    return made > RATIO_COUNTS_FROM && made > this.packed * this.limits.decompressedRatio;
  }

  private endStage(stage: Stage, next: Stage | undefined): void {
    if (this.over) return;
    // What follows the end of a packed stream is seen by some readers and not by others.
    if (stage === this.chain[0] && stage.bytesWritten !== this.packed) {
      return this.refuse(refuse('REQUEST_MALFORMED', { reason: 'something follows the packed body' }));
    }
    if (next) return void next.end();
    this.over = true;
    this.listener.onEnd();
  }

  private tooLarge(): void {
    this.refuse(refuse('BODY_TOO_LARGE', { maxBytes: this.limits.decompressedBytes }));
  }

  private refuse(refusal: Refusal): void {
    if (this.over) return;
    this.destroy();
    this.listener.onRefused(refusal);
  }
}
