import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';

/** A live process holds the folder. */
export class DataDirInUse extends Error {
  constructor(
    readonly directory: string,
    readonly pid: number,
  ) {
    super(
      `${directory} is in use by the running Sallyport with process id ${pid}. ` +
        'Stop that one, or give this one a folder of its own with SALLYPORT_DATA_DIR.',
    );
    this.name = 'DataDirInUse';
  }
}

interface Holder {
  readonly pid: number;
  /** Tells the holder from a later process that was given the same id. */
  readonly born: string;
  readonly token: string;
}

/** When a process began, in the kernel's own ticks; empty where that cannot be known. */
function birthOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // proc(5): field 22, counted after the command's name, which may hold spaces and parentheses itself.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

async function readHolder(path: string): Promise<Holder | undefined> {
  try {
    const { pid, born, token } = JSON.parse(await readFile(path, 'utf8')) as Partial<Holder>;
    return { pid: Number(pid), born: String(born), token: String(token) };
  } catch {
    // Missing, or torn by a crash while it was written: nobody holds by it.
    return undefined;
  }
}

function isHeld(holder: Holder): boolean {
  return Number.isInteger(holder.pid) && isAlive(holder.pid) && birthOf(holder.pid) === holder.born;
}

/**
 * Claims a folder for this process by a file in it. What a killed process left is taken over.
 *
 * @param directory named in the error.
 * @param path the lock file.
 * @returns releases the claim.
 * @throws DataDirInUse
 */
export async function lockDirectory(directory: string, path: string): Promise<() => Promise<void>> {
  const token = randomBytes(8).toString('hex');
  const mine: Holder = { pid: process.pid, born: birthOf(process.pid), token };
  const draft = `${path}.${token}`;
  await writeFile(draft, JSON.stringify(mine), { mode: 0o600 });
  try {
    await claim(directory, path, draft, token);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return async () => {
    if ((await readHolder(path))?.token === token) await rm(path, { force: true });
  };
}

async function claim(directory: string, path: string, draft: string, token: string): Promise<void> {
  try {
    // A link is made whole or not at all, and only where nothing is: the file never exists half written.
    await link(draft, path);
    await rm(draft);
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const holder = await readHolder(path);
  if (holder && isHeld(holder)) throw new DataDirInUse(directory, holder.pid);
  await rename(draft, path);
  // Two may take over one dead claim at once: the file tells, a moment later, which of them was last.
  await pause(50);
  const winner = await readHolder(path);
  if (winner?.token !== token) throw new DataDirInUse(directory, winner?.pid ?? 0);
}
