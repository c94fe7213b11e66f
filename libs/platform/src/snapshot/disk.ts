import { access, link, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AppName } from '@sallyport/contracts';
import { MAX_SNAPSHOT_BYTES, type EncodedSnapshot } from './document';

const CURRENT = 'current';
const PREVIOUS = 'previous';
const LONGEST_HEADER = 256;
const HEADER = /^(c_\d{1,15}) ([0-9a-f]{64})$/;

/** The last two good documents, for a start without the bus. */
export interface SnapshotDisk {
  /** Newest first. What cannot be read, or has no header, is left out. */
  read(): Promise<EncodedSnapshot[]>;
  /** Makes a document the newest. After a crash at any moment there is a whole one to read. */
  keep(encoded: EncodedSnapshot): Promise<void>;
}

/** Where an application keeps its documents. */
export function snapshotFolder(dataDir: string, app: AppName): string {
  return join(dataDir, 'snapshot', app);
}

/** Whether an application has kept a document; what it is worth shows when it is read. */
export async function hasKeptSnapshot(dataDir: string, app: AppName): Promise<boolean> {
  return access(join(snapshotFolder(dataDir, app), CURRENT)).then(
    () => true,
    () => false,
  );
}

/**
 * One file per document: a line with its revision and SHA-256, then the document. Nothing in it is believed before the
 * hash has been compared.
 */
export async function openSnapshotDisk(directory: string): Promise<SnapshotDisk> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = (name: string) => join(directory, name);
  let drafts = 0;

  const readOne = async (name: string): Promise<EncodedSnapshot[]> => {
    try {
      return parseFile(await readBounded(path(name)));
    } catch {
      return [];
    }
  };

  return {
    read: async () => [...(await readOne(CURRENT)), ...(await readOne(PREVIOUS))],
    keep: async (encoded) => {
      const [current] = await readOne(CURRENT);
      if (current?.sha256 === encoded.sha256) return;
      const draft = path(`draft-${process.pid}-${++drafts}`);
      try {
        await writeDurably(draft, encoded);
        // Another worker over the same folder may have been faster; then there is nothing to put behind the newest.
        if ((await readOne(CURRENT))[0]?.sha256 === encoded.sha256) return;
        // A second name for the old one first, then the new one in its place: `current` is there at every moment.
        if (current) {
          await link(path(CURRENT), `${draft}-old`);
          await rename(`${draft}-old`, path(PREVIOUS));
        }
        await rename(draft, path(CURRENT));
        await syncDirectory(directory);
      } finally {
        await rm(draft, { force: true });
        await rm(`${draft}-old`, { force: true });
      }
    },
  };
}

async function readBounded(path: string): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size > MAX_SNAPSHOT_BYTES + LONGEST_HEADER) throw new RangeError(`${path} is larger than any snapshot`);
  } finally {
    await file.close();
  }
  return readFile(path);
}

function parseFile(content: Buffer): EncodedSnapshot[] {
  const end = content.subarray(0, LONGEST_HEADER).indexOf('\n');
  const header = end < 0 ? null : HEADER.exec(content.toString('latin1', 0, end));
  if (!header) return [];
  return [{ revision: header[1]!, sha256: header[2]!, document: content.subarray(end + 1) }];
}

async function writeDurably(path: string, { revision, sha256, document }: EncodedSnapshot): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    await file.write(`${revision} ${sha256}\n`);
    await file.writeFile(document);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** A rename is on the disk when the folder is. */
async function syncDirectory(directory: string): Promise<void> {
  const folder = await open(directory, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
