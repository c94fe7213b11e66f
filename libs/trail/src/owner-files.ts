import type { Clock } from '@sallyport/contracts';
import type { FileSystem, Processes } from './ports';

/** How long a sign of life of a process that we cannot look up is believed. */
const BELIEVED_MS = 20_000;

interface Owner {
  readonly pid: number;
  readonly started: string;
  readonly space: string;
  /** Tells two claims of one process apart. Milliseconds since the epoch. */
  readonly claimed: number;
}

export interface OwnerPorts {
  readonly files: FileSystem;
  readonly processes: Processes;
  readonly clock: Clock;
}

export function ownerPath(directory: string, number: number): string {
  return `${directory}/owner.${number}`;
}

/** Numbers of the owner files in a folder, in no order. */
export async function ownersIn(files: FileSystem, directory: string): Promise<number[]> {
  return (await files.list(directory)).flatMap((name) => {
    const match = /^owner\.(\d{1,9})$/.exec(name);
    return match ? [Number(match[1])] : [];
  });
}

/** What this process writes into its owner files from now on. */
export function ownerContent({ processes, clock }: OwnerPorts): Buffer {
  const { pid, started, space } = processes;
  return Buffer.from(JSON.stringify({ pid, started, space, claimed: clock.now() } satisfies Owner));
}

/** Makes an owner file. @returns false when somebody else has made it. */
export async function writeOwner(files: FileSystem, path: string, content: Uint8Array): Promise<boolean> {
  const file = await files.open(path, 'exclusive').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  });
  if (!file) return false;
  try {
    await file.write([content], 0);
  } catch (error) {
    await files.remove(path).catch(() => undefined);
    throw error;
  } finally {
    await file.close();
  }
  return true;
}

/** Our own kind can be looked up; of another host or container only the heartbeat tells. */
export async function isHeld(path: string, { files, processes, clock }: OwnerPorts): Promise<boolean> {
  const owner = readOwner(await files.readAll(path));
  if (owner && owner.space === processes.space) return processes.isAlive(owner.pid, owner.started);
  const seen = await files.modifiedAt(path);
  return seen !== undefined && clock.now() - seen < BELIEVED_MS;
}

/** Whether the process is known to be gone: one that only gives no sign of life may be frozen, and write on when it wakes. */
export async function isKnownDead(path: string, { files, processes }: OwnerPorts): Promise<boolean> {
  const owner = readOwner(await files.readAll(path));
  return owner?.space === processes.space && !processes.isAlive(owner.pid, owner.started);
}

function readOwner(bytes: Uint8Array | undefined): Owner | undefined {
  try {
    return JSON.parse(Buffer.from(bytes ?? []).toString()) as Owner;
  } catch {
    return undefined;
  }
}
