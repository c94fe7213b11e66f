import type { Clock } from '@sallyport/contracts';
import type { FileSystem, Processes, Scheduler } from './ports';

const HEARTBEAT_MS = 5_000;
/** How long a sign of life of a process that we cannot look up is believed. */
const BELIEVED_MS = 20_000;

/** A producer's folder that belongs to this process until it is released. */
export interface Claim {
  /** `<app>-<n>` */
  readonly producer: string;
  readonly directory: string;
  /** Lets the next process have the folder at once. */
  release(): Promise<void>;
}

export interface ClaimPorts {
  readonly files: FileSystem;
  readonly processes: Processes;
  readonly scheduler: Scheduler;
  readonly clock: Clock;
}

/**
 * Claims the first folder of `<app>-1`, `<app>-2`, … that no living process holds. A folder left by a process that
 * died is taken over with all that it still holds, so that its records go out under their own chain.
 */
export async function claimProducer(root: string, app: string, ports: ClaimPorts): Promise<Claim> {
  await ports.files.makeFolder(root);
  for (let number = 1; ; number++) {
    const producer = `${app}-${number}`;
    const claim = await claimFolder(`${root}/${producer}`, producer, ports);
    if (claim) return claim;
  }
}

/** Claims every folder of an app that holds a chain and that no living process holds. */
export async function claimOrphans(root: string, app: string, ports: ClaimPorts): Promise<Claim[]> {
  const claims: Claim[] = [];
  for (const producer of (await ports.files.list(root)).filter((name) => isProducerOf(app, name)).sort()) {
    const directory = `${root}/${producer}`;
    if (!(await ports.files.list(directory)).includes('chain')) continue;
    const claim = await claimFolder(directory, producer, ports);
    if (claim) claims.push(claim);
  }
  return claims;
}

function isProducerOf(app: string, name: string): boolean {
  return name.startsWith(`${app}-`) && /^[1-9]\d*$/.test(name.slice(app.length + 1));
}

interface Owner {
  readonly pid: number;
  readonly started: string;
  readonly space: string;
}

/**
 * Owners are numbered files, `owner.1`, `owner.2`, …: the highest counts, and the next one is made with O_EXCL. Of
 * several processes that find the same dead owner exactly one makes the successor. A single file could not do that:
 * between reading it and replacing it another process may already have replaced it.
 */
async function claimFolder(directory: string, producer: string, ports: ClaimPorts): Promise<Claim | undefined> {
  const { files, processes, scheduler } = ports;
  await files.makeFolder(directory);
  const last = Math.max(0, ...(await ownersIn(files, directory)));
  if (last > 0 && (await isHeld(`${directory}/owner.${last}`, ports))) return undefined;
  const mine = `${directory}/owner.${last + 1}`;
  if (!(await writeOwner(files, mine, processes))) return undefined;
  const others = await ownersIn(files, directory);
  if (Math.max(...others) > last + 1) {
    await files.remove(mine);
    return undefined;
  }
  for (const number of others) if (number <= last) await files.remove(`${directory}/owner.${number}`);
  let stop: (() => void) | undefined;
  const beat = () => {
    stop = scheduler.after(HEARTBEAT_MS, () => {
      // A missed beat is made good by the next one; it takes four to be taken for dead.
      void files
        .touch(mine)
        .catch(() => undefined)
        .then(() => stop && beat());
    });
  };
  beat();
  return {
    producer,
    directory,
    async release() {
      stop?.();
      stop = undefined;
      await files.remove(mine);
    },
  };
}

async function ownersIn(files: FileSystem, directory: string): Promise<number[]> {
  return (await files.list(directory)).flatMap((name) => {
    const match = /^owner\.(\d{1,9})$/.exec(name);
    return match ? [Number(match[1])] : [];
  });
}

async function writeOwner(files: FileSystem, path: string, { pid, started, space }: Processes): Promise<boolean> {
  const file = await files.open(path, 'exclusive').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  });
  if (!file) return false;
  await file.write([Buffer.from(JSON.stringify({ pid, started, space } satisfies Owner))], 0);
  await file.close();
  return true;
}

/** Our own kind can be looked up; of another host or container only the heartbeat tells. */
async function isHeld(path: string, { files, processes, clock }: ClaimPorts): Promise<boolean> {
  const owner = readOwner(await files.readAll(path));
  if (owner && owner.space === processes.space) return processes.isAlive(owner.pid, owner.started);
  const seen = await files.modifiedAt(path);
  return seen !== undefined && clock.now() - seen < BELIEVED_MS;
}

function readOwner(bytes: Uint8Array | undefined): Owner | undefined {
  try {
    return JSON.parse(Buffer.from(bytes ?? []).toString()) as Owner;
  } catch {
    return undefined;
  }
}
