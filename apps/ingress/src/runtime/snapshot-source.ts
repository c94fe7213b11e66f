import { credentials } from '@grpc/grpc-js';
import { catalogV1 } from '@sallyport/contracts';
import type { Closable } from '@sallyport/platform';

/** A snapshot as the catalog hands it out when the bus has none. */
export interface PulledSnapshot {
  readonly revision: string;
  /** Of the whole document, hex. */
  readonly sha256: string;
  readonly document: Uint8Array;
}

export interface SnapshotSource extends Closable {
  /**
   * @param known the revision at hand; empty: none.
   * @returns undefined when the catalog has nothing newer.
   */
  readonly pull?: (known: string) => Promise<PulledSnapshot | undefined>;
}

const PULL_MS = 10_000;
/** A document of this size is refused whatever it says. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Opens the way to the catalog that does without the bus.
 * @param url undefined where the catalog runs in this process and shares its bus.
 */
export function snapshotSource(url: string | undefined): SnapshotSource {
  if (url === undefined) return { close: async () => undefined };
  const client = new catalogV1.SnapshotServiceClient(url, credentials.createInsecure());
  return {
    pull: (known) => read(client, known),
    close: async () => client.close(),
  };
}

function read(client: catalogV1.SnapshotServiceClient, knownRevision: string): Promise<PulledSnapshot | undefined> {
  return new Promise((resolve, reject) => {
    const call = client.read({ knownRevision }, { deadline: new Date(Date.now() + PULL_MS) });
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    let head: catalogV1.ReadReply | undefined;
    call.on('data', (reply: catalogV1.ReadReply) => {
      head ??= reply;
      chunks.push(reply.chunk);
      bytes += reply.chunk.length;
      if (bytes > MAX_BYTES) call.destroy(new Error(`a snapshot of more than ${MAX_BYTES} bytes`));
    });
    call.on('error', reject);
    call.on('end', () => {
      if (!head || head.unchanged || head.revision === '') return resolve(undefined);
      resolve({ revision: head.revision, sha256: head.sha256, document: Buffer.concat(chunks) });
    });
  });
}
