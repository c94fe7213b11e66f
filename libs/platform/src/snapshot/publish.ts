import { buckets, snapshotHead, subjects, type Snapshot, type SnapshotHead } from '@sallyport/contracts';
import { KvConflict, type Bus, type Kv, type KvEntry } from '../bus';
import { encodeSnapshot, type EncodedSnapshot } from './document';

export const HEAD = 'head';
export const MAX_CHUNK_BYTES = 512 * 1024;
/** A slow reader may still be fetching an older revision. */
const KEPT_REVISIONS = 20;
/** Writers that meet at the head give way to each other this often. */
const MAX_ATTEMPTS = 10;

export const CHUNK_KEY = /^chunk\.c_(\d+)\.[0-9a-f]{16}\.\d+$/;

/** The bus holds a later revision than the one to be published. */
export class SnapshotSuperseded extends Error {
  constructor(
    readonly revision: string,
    readonly current: string,
  ) {
    super(`the configuration ${revision} is not published: the bus holds the later ${current}`);
    this.name = 'SnapshotSuperseded';
  }
}

/**
 * Publishes a configuration: first its chunks, then, by compare-and-set, the head that names them, so that no reader
 * meets half a revision. Publishing what is there already changes nothing, and puts back what a bus has lost.
 *
 * @throws SnapshotRejected, SnapshotSuperseded, or an error of the bus.
 */
export async function publishSnapshot(bus: Bus, snapshot: Snapshot): Promise<void> {
  await publishDocument(bus, encodeSnapshot(snapshot));
}

/** The same for a document that was written before, as it is. */
export async function publishDocument(bus: Bus, encoded: EncodedSnapshot): Promise<void> {
  const kv = await bus.kv(buckets.snapshots);
  const head = await writeChunks(kv, encoded);
  if (await moveHead(kv, head)) {
    const news = { revision: head.revision, sha256: head.sha256 };
    await bus.publish(subjects.snapshotPublished, new TextEncoder().encode(JSON.stringify(news)));
  }
  await collectChunks(kv, head.revision);
}

/** Names of chunks hold the hash of the whole: two documents never share one, whatever revision they claim. */
async function writeChunks(kv: Kv, { revision, document, sha256 }: EncodedSnapshot): Promise<SnapshotHead> {
  const present = new Set(await kv.keys());
  const chunks: string[] = [];
  for (let begin = 0; begin < document.length; begin += MAX_CHUNK_BYTES) {
    const key = `chunk.${revision}.${sha256.slice(0, 16)}.${chunks.length}`;
    chunks.push(key);
    if (!present.has(key)) await kv.put(key, document.subarray(begin, begin + MAX_CHUNK_BYTES));
  }
  return { revision, sha256, bytes: document.length, chunks };
}

/** @returns false when the head stood there already. */
async function moveHead(kv: Kv, head: SnapshotHead): Promise<boolean> {
  const value = new TextEncoder().encode(JSON.stringify(head));
  for (let attempt = 1; ; attempt++) {
    const entry = await kv.get(HEAD);
    const current = entry && readHead(entry);
    if (current?.sha256 === head.sha256 && current.revision === head.revision) return false;
    if (current && numberOf(current.revision) > numberOf(head.revision)) {
      throw new SnapshotSuperseded(head.revision, current.revision);
    }
    try {
      await (entry ? kv.update(HEAD, value, entry.revision) : kv.create(HEAD, value));
      return true;
    } catch (error) {
      if (!(error instanceof KvConflict) || attempt >= MAX_ATTEMPTS) throw error;
    }
  }
}

/** @returns undefined for a head that no reader takes either. */
function readHead(entry: KvEntry): SnapshotHead | undefined {
  try {
    return snapshotHead.parse(JSON.parse(new TextDecoder().decode(entry.value)));
  } catch {
    return undefined;
  }
}

function numberOf(revision: string): number {
  return Number(revision.slice('c_'.length));
}

async function collectChunks(kv: Kv, current: string): Promise<void> {
  const revisionOf = new Map<string, number>();
  for (const key of await kv.keys()) {
    const match = CHUNK_KEY.exec(key);
    if (match) revisionOf.set(key, Number(match[1]));
  }
  // What is later than ours belongs to a writer who is about to move the head.
  const upToOurs = [...new Set(revisionOf.values())].filter((revision) => revision <= numberOf(current));
  const kept = new Set(upToOurs.sort((one, other) => other - one).slice(0, KEPT_REVISIONS));
  for (const [key, revision] of revisionOf) {
    if (revision <= numberOf(current) && !kept.has(revision)) await kv.purge(key);
  }
}
