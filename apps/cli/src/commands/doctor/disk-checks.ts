import { constants, existsSync } from 'node:fs';
import { access, open, rm, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { World } from '../../world';
import { attention, failed, ok, type Finding } from './finding';

const SYNCS = 5;
/** Above it, a `regulated` request waits noticeably for its record. */
const SLOW_SYNC_MS = 20;
const LEAST_FREE_BYTES = 1024 ** 3;

/** Types of file systems that forget, as statfs(2) numbers them. */
const forgetful: Readonly<Record<number, string>> = { 0x01021994: 'tmpfs', 0x858458f6: 'ramfs', 0x794c7630: 'overlay' };

/** Whether audit records can be kept where they wait to be shipped, and how long that takes. */
export async function spool(dataDirectories: readonly string[], world: World): Promise<Finding> {
  const id = 'spool';
  const named = world.environment['SALLYPORT_AUDIT_SPOOL_DIR'];
  const folders = named
    ? [resolve(world.directory, named)]
    : dataDirectories.map((directory) => join(directory, 'spool'));
  const folder = folders.find((candidate) => existsSync(candidate));
  if (folder === undefined) {
    const fix = 'SALLYPORT_AUDIT_SPOOL_DIR or SALLYPORT_DATA_DIR names it; without a start on this host there is none';
    return attention(id, `no audit spool in ${folders.join(' or ')}`, fix);
  }
  try {
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    const milliseconds = await syncTime(folder, world);
    const measured = `audit spool ${folder}: fsync ${milliseconds.toFixed(1)} ms`;
    const kind = forgetful[(await statfs(folder)).type];
    if (kind !== undefined) {
      const fix = `put it on a volume: ${kind} does not outlive the ${kind === 'overlay' ? 'container' : 'host'}`;
      return attention(id, `${measured}, but it lies on ${kind}`, fix);
    }
    if (milliseconds > SLOW_SYNC_MS) return attention(id, `${measured}, which is slow`, 'put it on a faster disk');
    return ok(id, measured);
  } catch (error) {
    const fix = 'make it writable for the user that runs Sallyport, or run doctor as that user';
    return failed(id, `audit spool ${folder} is not writable: ${(error as Error).message}`, fix);
  }
}

/** Median of a few small writes, each made durable. */
async function syncTime(folder: string, { clock }: World): Promise<number> {
  const file = join(folder, `.doctor-${process.pid}`);
  const handle = await open(file, 'wx', 0o600);
  try {
    const times: number[] = [];
    for (let turn = 0; turn < SYNCS; turn++) {
      const before = clock.monotonic();
      await handle.write(Buffer.alloc(512));
      await handle.datasync();
      times.push(clock.monotonic() - before);
    }
    return times.sort((left, right) => left - right)[SYNCS >> 1]!;
  } finally {
    await handle.close();
    await rm(file, { force: true });
  }
}

export async function freeDisk(directory: string): Promise<Finding> {
  const id = 'disk';
  const folder = nearestFolder(directory);
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  const summary = `${(free / 1024 ** 3).toFixed(1)} GiB free at ${folder}`;
  return free >= LEAST_FREE_BYTES ? ok(id, summary) : failed(id, summary, 'make room: a full spool refuses requests');
}

/** A data folder that is not there yet will lie on the disk of its parent. */
function nearestFolder(directory: string): string {
  return existsSync(directory) ? directory : nearestFolder(dirname(directory));
}
