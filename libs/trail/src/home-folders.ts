import type { FileSystem } from './ports';

/*
 * A producer's folder is the home of its owners' files as long as each knows that the one before is gone. An owner that only
 * has not heard from the one before makes a home of its own in it, `home.<n>`, and so do later ones in such a case: the highest
 * is the present one. Whatever a frozen process still does when it wakes, it does it to the files of a home that is left.
 */

/** Numbers of the homes that were made in a producer's folder. */
export async function homesIn(files: FileSystem, directory: string): Promise<number[]> {
  return (await files.list(directory)).flatMap((name) => {
    const match = /^home\.(\d{1,9})$/.exec(name);
    return match ? [Number(match[1])] : [];
  });
}

/** A home and those that are left for it, oldest first. */
export interface Homes {
  readonly present: string;
  readonly left: readonly string[];
}

export async function findHomes(files: FileSystem, directory: string): Promise<Homes> {
  const numbers = (await homesIn(files, directory)).sort((one, other) => one - other);
  const all = [directory, ...numbers.map((number) => `${directory}/home.${number}`)];
  return { present: all.at(-1)!, left: all.slice(0, -1) };
}

/** From now on this is the present home, also for whoever comes after a death in between. */
export async function makeHome(files: FileSystem, directory: string, number: number): Promise<void> {
  await files.makeFolder(`${directory}/home.${number}`);
  await files.syncFolder(directory);
}

/** Folders of chains that were ended, in a producer's folder, oldest first. */
export async function endedFolders(files: FileSystem, directory: string): Promise<string[]> {
  const names = (await files.list(directory)).filter((entry) => /^[0-9a-f]{16,}$/.test(entry)).sort();
  return names.map((name) => `${directory}/${name}`);
}

/** Every folder that may hold a chain. */
export async function partsOf(files: FileSystem, directory: string): Promise<string[]> {
  const { present, left } = await findHomes(files, directory);
  return [...left, present, ...(await endedFolders(files, directory))];
}
