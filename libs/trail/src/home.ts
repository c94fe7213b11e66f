import type { Clock, RandomBytes } from '@sallyport/contracts';
import { ChainFiles } from './chain-files';
import type { Claim } from './claim';
import { isDiskFull } from './disk-errors';
import { GapPage, gapsIn, type Gap } from './gap';
import { findHomes, makeHome } from './home-folders';
import type { FileSystem, Processes, Scheduler, SpoolFile } from './ports';
import { claimProducer } from './producer-folders';
import { recover, type Recovery, type Segment } from './recover';
import type { SpoolRecord } from './segment';
import { createSegment, type OpenSegment } from './segment-files';
import {
  clearHome,
  endDamagedChain,
  endedChains,
  endLeftChain,
  makeReserve,
  newChain,
  readChain,
  writeWhole,
  type EndedChain,
} from './spool-folder';
import type { SpoolNote } from './spool-notes';

export interface HomeOptions {
  /** Folder of the lane; each producer has a folder in it. */
  readonly root: string;
  readonly app: string;
  /** First part of the chain's name. */
  readonly cluster: string;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly files: FileSystem;
  readonly scheduler: Scheduler;
  readonly processes: Processes;
}

/** Where one claim's records are written: a chain that goes on, or a new one, with an open segment. */
export interface Home {
  readonly claim: Claim;
  readonly directory: string;
  /** Without the open segment. */
  readonly live: ChainFiles;
  /** Chains that ended and still hold records to be shipped. */
  readonly ended: ChainFiles[];
  readonly page: GapPage;
  readonly nextSeq: number;
  readonly opened: OpenSegment;
  /** Space is set aside. */
  readonly hasReserve: boolean;
  /** The disk is full already. */
  readonly isStarved: boolean;
  readonly notes: readonly SpoolNote[];
  readonly salvaged: readonly SpoolRecord[];
}

/** The folder was taken while it was being opened. */
class ClaimLost extends Error {
  constructor(directory: string) {
    super(`${directory} was taken by another process while it was being opened`);
    this.name = 'ClaimLost';
  }
}

/** Claims a producer's folder, repairs what its last owner left, and begins a new segment. */
export async function findHome(options: HomeOptions): Promise<Home> {
  for (;;) {
    try {
      return await openHome(options, await claimProducer(options.root, options.app, options));
    } catch (error) {
      if (!(error instanceof ClaimLost)) throw error;
    }
  }
}

/** Opens a folder that is claimed already. */
export async function openHome(options: HomeOptions, claim: Claim): Promise<Home> {
  try {
    const home = await repair(options, claim);
    // Nothing is written before it is sure that this one is no longer taken for dead.
    if (await claim.stands()) return home;
    await home.opened.file.close();
    await home.page.close();
    throw new ClaimLost(claim.directory);
  } catch (error) {
    const isLost = claim.isLost;
    await claim.release();
    throw isLost && !(error instanceof ClaimLost) ? new ClaimLost(claim.directory) : error;
  }
}

async function repair(options: HomeOptions, claim: Claim): Promise<Home> {
  const { files, clock } = options;
  if (claim.isDoubtful) await makeHome(files, claim.directory, claim.homeNumber);
  const { present: directory, left } = await findHomes(files, claim.directory);
  const { page, leftChains } = await inherit(files, claim, directory, left);
  const found = await recover(files, directory);
  const chain = await chainOf(options, claim, directory, found);
  const { segments, nextSeq, controls }: Continued = found.damage ? FRESH : found;
  const live = new ChainFiles(files, directory, chain.name, [...segments], new Map(controls));
  const ends = [...leftChains, ...(chain.ended ? [chain.ended] : [])];
  const begun = await beginSegment(files, directory, nextSeq, clock.now());
  await claim.settle();
  return {
    claim,
    directory,
    live,
    ended: await endedChains(files, claim.directory),
    page,
    nextSeq,
    ...begun,
    notes: notesOf(chain.isNew ? chain.name : undefined, ends, found.tornBytes),
    salvaged: [...leftChains.flatMap(({ damage }) => damage?.salvaged ?? []), ...(found.damage?.salvaged ?? [])],
  };
}

type Continued = Readonly<Pick<Recovery, 'controls' | 'nextSeq'>> & { readonly segments: readonly Segment[] };
const FRESH: Continued = { segments: [], controls: new Map(), nextSeq: 1 };

/** Ends the chains of homes that were left, and takes over what they counted as lost. */
async function inherit(
  files: FileSystem,
  claim: Claim,
  directory: string,
  left: readonly string[],
): Promise<{ page: GapPage; leftChains: EndedChain[] }> {
  const leftChains: EndedChain[] = [];
  const gaps: Gap[] = [];
  for (const home of left) {
    const ended = await endLeftChain(files, home, claim.directory);
    if (ended) leftChains.push(ended);
    gaps.push(...(await gapsIn(files, `${home}/gap.page`)));
  }
  const page = await GapPage.open(files, `${directory}/gap.page`);
  page.inherit(gaps);
  if (gaps.length > 0) await page.keep();
  for (const home of left) await clearHome(files, home, claim.directory);
  return { page, leftChains };
}

/** The chain that goes on in a home, or a new one. */
async function chainOf(
  { files, cluster, clock, random }: HomeOptions,
  claim: Claim,
  directory: string,
  found: Recovery,
): Promise<{ name: string; isNew: boolean; ended?: EndedChain }> {
  const { damage } = found;
  const previous = await readChain(files, directory);
  const begin = () => newChain(cluster, claim.producer, clock.now(), random);
  if (damage) await endDamagedChain(files, directory, claim.directory, previous ?? begin(), found);
  // A name without a segment has lost its place: numbered from one again, its records would pass for repetitions.
  if (found.goesOn && previous !== undefined) return { name: previous, isNew: false };
  const name = begin();
  await writeWhole(files, directory, 'chain', Buffer.from(name));
  const ended = damage && previous !== undefined ? { chain: previous, lastSound: damage.lastSound, damage } : undefined;
  return { name, isNew: true, ...(ended && { ended }) };
}

/** A disk that is full already still has the reserve of the last owner. */
async function beginSegment(
  files: FileSystem,
  directory: string,
  nextSeq: number,
  now: number,
): Promise<Pick<Home, 'opened' | 'hasReserve' | 'isStarved'>> {
  const hasReserve = await makeReserve(files, directory);
  const begin = () => createSegment(files, directory, nextSeq, now);
  try {
    return { opened: await begin(), hasReserve, isStarved: false };
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    await files.remove(`${directory}/reserve`);
    return { opened: await begin(), hasReserve: false, isStarved: true };
  }
}

function notesOf(begun: string | undefined, ends: readonly EndedChain[], tornBytes: number): SpoolNote[] {
  const notes: SpoolNote[] = [];
  const after = ends.map(({ chain, lastSound }) => ({ chain, lastSound })).at(-1);
  if (begun !== undefined) notes.push({ what: 'chain-begun', chain: begun, ...(after && { after }) });
  if (tornBytes > 0) notes.push({ what: 'torn-tail', bytes: tornBytes });
  for (const { chain, lastSound, damage } of ends) {
    if (damage) notes.push({ what: 'damage', chain, lastSound, salvaged: damage.salvaged.length });
  }
  return notes;
}

/** Lets go of a home that was lost, with the segment that was open in it. */
export async function quitHome({ claim, page }: Home, file: SpoolFile): Promise<void> {
  await Promise.allSettled([file.close(), page.close(), claim.release()]);
}

/**
 * Removes a home whose chains are all committed. The folder it is in stays, with an empty home for the next owner: a process
 * that was frozen before it was taken may still wake and do something to the files of this one.
 */
export async function leaveHome(files: FileSystem, { claim, directory }: Home): Promise<void> {
  await makeHome(files, claim.directory, claim.homeNumber + 1);
  await files.remove(`${directory}/chain`);
  await clearHome(files, directory, claim.directory);
}
