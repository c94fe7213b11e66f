import type { Socket } from 'node:net';
import { limits } from '@sallyport/proxy';
import type { Incoming } from './connection';

/** What a chunk may take beside its bytes and its extension: size and line ends. */
const FRAMING_BYTES = 32;

/** What Node keeps at a socket; it is no part of its documented interface, so all of it may be missing. */
interface ParsedSocket extends Pick<Socket, 'bytesRead'> {
  readonly parser?: { readonly incoming?: unknown; getCurrentBuffer?(): Buffer | undefined } | null;
}

/**
 * Weighs what a chunked body brings along beside its bytes: extensions of chunks (RFC 9112 §7.1.1), which nobody reads
 * and Node's parser takes in by the kilobyte. To be made while the head of the message is handed over.
 */
export class ChunkOverhead {
  private readonly socket: ParsedSocket;
  /** Bytes of the body that came with the head; undefined: nobody can say. */
  private readonly early: number | undefined;
  private readonly readBefore: number;
  private chunks = 0;
  private bytes = 0;

  constructor(private readonly incoming: Incoming) {
    this.socket = incoming.socket as unknown as ParsedSocket;
    this.readBefore = this.socket.bytesRead;
    this.early = bytesBehindHead(incoming, this.socket);
  }

  count(chunk: Buffer): void {
    this.chunks += 1;
    this.bytes += chunk.length;
  }

  /** @returns whether the extensions were longer than any client needs. To be asked at the end of the body. */
  get excessive(): boolean {
    // Bytes of a next request that is already there cannot be told from those of this one.
    if (this.early === undefined || this.socket.parser?.incoming !== this.incoming) return false;
    const received = this.early + this.socket.bytesRead - this.readBefore;
    const overhead = received - this.bytes - trailerBytes(this.incoming);
    return overhead > this.chunks * (limits.body.chunkExtensionBytes + FRAMING_BYTES) + FRAMING_BYTES;
  }
}

function bytesBehindHead({ method, url }: Incoming, { parser }: ParsedSocket): number | undefined {
  const received = parser?.getCurrentBuffer?.();
  if (!received) return undefined;
  const line = Buffer.from(`${method} ${url} HTTP/1.1\r\n`, 'latin1');
  const begin = received.indexOf(line);
  // Two requests alike behind one another: which of them this is cannot be said.
  if (begin >= 0 && received.indexOf(line, begin + 1) >= 0) return undefined;
  const end = received.indexOf('\r\n\r\n', Math.max(begin, 0));
  return end < 0 ? undefined : received.length - end - 4;
}

function trailerBytes(incoming: Incoming): number {
  const { rawTrailers = [] } = incoming as { rawTrailers?: readonly string[] };
  return rawTrailers.reduce((sum, text) => sum + text.length + 2, 0);
}
