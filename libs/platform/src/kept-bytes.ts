import { MAX_MESSAGE_BYTES } from './bus';

/** One piece holds the largest message there is. */
const PIECE_BYTES = MAX_MESSAGE_BYTES;
/** Pieces that wait for what comes next; what a long outage filled beyond them is given back. */
const MOST_FREE = 4;

/** Memory that messages share which came one after the other. */
interface Piece {
  readonly bytes: Uint8Array;
  used: number;
  /** Messages that are still kept in it. */
  kept: number;
}

/** Where the bytes of one message lie. */
export interface Place {
  readonly piece: Piece;
  readonly from: number;
  readonly length: number;
}

/**
 * Memory for bytes that are kept for seconds and let go in about the order they came in. Each in an array of its own would
 * outlive two young collections, and then lie in memory, dead, until the next full one: minutes, in a process that is doing
 * well, and at two thousand bytes a request a hundred megabytes. So pieces of memory are used over and over.
 */
export class KeptBytes {
  private piece: Piece | undefined;
  private readonly free: Piece[] = [];

  /** @param data at most `MAX_MESSAGE_BYTES`; copied */
  keep(data: Uint8Array): Place {
    const piece = this.pieceFor(data.length);
    const from = piece.used;
    piece.bytes.set(data, from);
    piece.used += data.length;
    piece.kept++;
    return { piece, from, length: data.length };
  }

  /** @returns a copy, which nobody else has. */
  copyOf({ piece, from, length }: Place): Uint8Array {
    return piece.bytes.slice(from, from + length);
  }

  /** Once for each place that was kept; what lies there is overwritten sooner or later. */
  letGo({ piece }: Place): void {
    if (--piece.kept > 0) return;
    piece.used = 0;
    if (piece !== this.piece && this.free.length < MOST_FREE) this.free.push(piece);
  }

  private pieceFor(length: number): Piece {
    if (this.piece && this.piece.used + length <= PIECE_BYTES) return this.piece;
    this.piece = this.free.pop() ?? { bytes: new Uint8Array(PIECE_BYTES), used: 0, kept: 0 };
    return this.piece;
  }
}
