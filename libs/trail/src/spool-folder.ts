import type { RandomBytes } from '@sallyport/contracts';
import { ChainFiles } from './chain-files';
import type { FileSystem } from './ports';
import { recover, type Damage, type Segment } from './recover';
import { SEGMENT_HEADER_BYTES } from './segment';

/*
 * A producer's folder: `chain` (its name), segments, `owner.<n>`, `gap.page`, `reserve`, a folder for each chain that
 * was ended, `*.damaged`, and `next`, under which a file is written before it takes its place.
 */

/** Space set aside on disk for control records and for what was accepted when the disk filled up. */
export const RESERVE_BYTES = 256 * 1024;

/** Whether an error says that there is no space, rather than that the disk is broken. */
export function isDiskFull(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/**
 * An epoch must never come twice, also when a folder is lost and made again, or made on two hosts at once: the ingest
 * would take the second for a repetition of the first. So it is the second it began in and 32 random bits.
 */
export function newChain(cluster: string, producer: string, now: number, random: RandomBytes): string {
  const seconds = Math.floor(now / 1000).toString(16);
  return `${cluster}/${producer}/${seconds}${Buffer.from(random(4)).toString('hex')}`;
}

/** The name of a folder's chain, or undefined for a folder without one. */
export async function readChain(files: FileSystem, directory: string): Promise<string | undefined> {
  const bytes = await files.readAll(`${directory}/chain`);
  return bytes?.length ? Buffer.from(bytes).toString() : undefined;
}

/** Makes a file that is there wholly or not at all. */
export async function writeWhole(files: FileSystem, directory: string, name: string, bytes: Uint8Array): Promise<void> {
  const file = await files.open(`${directory}/next`, 'create');
  try {
    await file.write([bytes], 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await files.rename(`${directory}/next`, `${directory}/${name}`);
  await files.syncFolder(directory);
}

/** Fills the reserve. @returns false when there is no space for it. @throws what else the disk says. */
export async function makeReserve(files: FileSystem, directory: string): Promise<boolean> {
  const path = `${directory}/reserve`;
  try {
    const file = await files.open(path, 'create');
    try {
      await file.write([Buffer.alloc(RESERVE_BYTES)], 0);
      await file.sync();
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    await files.remove(path).catch(() => undefined);
    if (isDiskFull(error)) return false;
    throw error;
  }
}

/**
 * Ends a chain before its damage: sound segments move to a folder of their own, from where they are shipped; the
 * damaged file and those behind it keep their bytes under the name `.damaged`.
 */
export async function endChain(
  files: FileSystem,
  directory: string,
  chain: string,
  damage: Damage,
  segments: readonly Segment[],
): Promise<void> {
  const epoch = chain.slice(chain.lastIndexOf('/') + 1);
  const folder = `${directory}/${epoch}`;
  await files.makeFolder(folder);
  await writeWhole(files, folder, 'chain', Buffer.from(chain));
  if (damage.soundPart.length > SEGMENT_HEADER_BYTES) {
    await writeWhole(files, folder, damage.names[0]!, damage.soundPart);
  }
  for (const { path } of segments) await files.rename(path, `${folder}${path.slice(path.lastIndexOf('/'))}`);
  for (const name of damage.names) await files.rename(`${directory}/${name}`, `${directory}/${epoch}-${name}.damaged`);
  await files.remove(`${directory}/chain`);
  await files.syncFolder(folder);
  await files.syncFolder(directory);
}

/** Chains that were ended and are not wholly shipped, oldest first. */
export async function endedChains(files: FileSystem, directory: string): Promise<ChainFiles[]> {
  const chains: ChainFiles[] = [];
  for (const name of (await files.list(directory)).filter((entry) => /^[0-9a-f]{16,}$/.test(entry)).sort()) {
    const folder = `${directory}/${name}`;
    const chain = await readChain(files, folder);
    const { segments, controls } = await recover(files, folder);
    if (chain && segments.length > 0) chains.push(new ChainFiles(files, folder, chain, segments, controls));
  }
  return chains;
}
