import type { RandomBytes } from '@sallyport/contracts';
import { ChainFiles } from './chain-files';
import { isDiskFull, isMissing } from './disk-errors';
import type { FileSystem } from './ports';
import { endedFolders } from './home-folders';
import { recover, type Damage, type Recovery, type Segment } from './recover';
import { SEGMENT_HEADER_BYTES, segmentFirstSeq } from './segment';

/*
 * A home: `chain` (its name), segments, `gap.page`, `reserve`, and `next`, under which a file is written before it takes its
 * place. A producer's folder, which is the first home itself: `owner.<n>`, `home.<n>`, a folder for each chain that was ended,
 * and `*.damaged`.
 */

/** What a home holds beside its segments. */
const OWN_FILES: ReadonlySet<string> = new Set(['chain', 'gap.page', 'reserve', 'next']);

/** Space set aside on disk for control records and for what was accepted when the disk filled up. */
export const RESERVE_BYTES = 256 * 1024;

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

/** What is known of a chain when it is ended: the end of a home that was left, or what came before a damage. */
export interface EndedChain {
  readonly chain: string;
  readonly lastSound: number;
  readonly damage?: Damage;
}

/**
 * Ends the chain of a home before its damage: sound segments move to a folder of their own, from where they are shipped; the
 * damaged file and those behind it keep their bytes under the name `.damaged`.
 */
export async function endDamagedChain(
  files: FileSystem,
  home: string,
  directory: string,
  chain: string,
  { segments, damage }: Recovery,
): Promise<void> {
  const { names, soundPart } = damage!;
  await moveChain(files, home, directory, chain, segments, { name: names[0]!, bytes: soundPart });
  for (const name of names) {
    await move(files, `${home}/${name}`, `${directory}/${epochOf(chain)}-${name}.damaged`);
  }
  await files.syncFolder(directory);
  await forgetChain(files, home);
}

/**
 * Ends the chain of a home that another process may still write to. The segment that process holds open is copied rather than
 * moved: what it still does to it changes nothing any more. Can be done again after a death in between.
 */
export async function endLeftChain(
  files: FileSystem,
  home: string,
  directory: string,
): Promise<EndedChain | undefined> {
  const chain = await readChain(files, home);
  if (chain === undefined) return undefined;
  // The copy may need it.
  await files.remove(`${home}/reserve`);
  const found = await recover(files, home);
  const { damage, segments, nextSeq } = found;
  if (damage) {
    await endDamagedChain(files, home, directory, chain, found);
    return { chain, lastSound: damage.lastSound, damage };
  }
  const open = segments.at(-1);
  if (open) {
    const bytes = Buffer.from((await files.readAll(open.path)) ?? []).subarray(0, open.bytes);
    const last = { name: nameOf(open.path), bytes };
    await moveChain(files, home, directory, chain, segments.slice(0, -1), last).catch(async (error: unknown) => {
      if (!isDiskFull(error)) throw error;
      // Better one that may yet grow, or be cut to what its owner has made sure of, than none.
      await files.remove(`${directory}/${epochOf(chain)}/next`);
      await moveChain(files, home, directory, chain, segments);
    });
    await files.remove(open.path);
  }
  await forgetChain(files, home);
  return { chain, lastSound: nextSeq - 1 };
}

async function moveChain(
  files: FileSystem,
  home: string,
  directory: string,
  chain: string,
  segments: readonly Segment[],
  last?: { readonly name: string; readonly bytes: Uint8Array },
): Promise<void> {
  const folder = `${directory}/${epochOf(chain)}`;
  await files.makeFolder(folder);
  await writeWhole(files, folder, 'chain', Buffer.from(chain));
  if (last && last.bytes.length > SEGMENT_HEADER_BYTES) await writeWhole(files, folder, last.name, last.bytes);
  for (const { path } of segments) await move(files, path, `${folder}/${nameOf(path)}`);
  await files.syncFolder(folder);
  await files.syncFolder(home);
}

/** From now on the segments that are still in the home, or come to it, belong to no chain. */
async function forgetChain(files: FileSystem, home: string): Promise<void> {
  await files.remove(`${home}/chain`);
  await files.syncFolder(home);
}

/** Also where it has been done before. */
async function move(files: FileSystem, from: string, to: string): Promise<void> {
  await files.rename(from, to).catch((error: unknown) => {
    if (!isMissing(error)) throw error;
  });
}

function epochOf(chain: string): string {
  return nameOf(chain);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Removes what its owner left in a home without a chain, but what was set aside as damaged. */
export async function clearHome(files: FileSystem, home: string, directory: string): Promise<void> {
  for (const name of await files.list(home)) {
    const isOurs = segmentFirstSeq(name) !== undefined || OWN_FILES.has(name);
    if (isOurs) await files.remove(`${home}/${name}`);
  }
  // One into which somebody has just written again goes another time.
  if (home !== directory) await files.removeFolder(home).catch(() => undefined);
}

/** Chains that were ended and are not wholly shipped, oldest first. */
export async function endedChains(files: FileSystem, directory: string): Promise<ChainFiles[]> {
  const chains: ChainFiles[] = [];
  for (const folder of await endedFolders(files, directory)) {
    const chain = await readChain(files, folder);
    const { segments, controls } = await recover(files, folder);
    if (chain && segments.length > 0) chains.push(new ChainFiles(files, folder, chain, segments, controls));
  }
  return chains;
}
