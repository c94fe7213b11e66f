import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pause } from '../e2e/waiting';
import type { Environment } from '../e2e/product';
import type { Node } from './stage';

/** Stands still, connections open: slower than any budget. Everybody goes on when the body is done. */
export async function standingStill(nodes: readonly Node[], body: () => Promise<void>): Promise<void> {
  for (const { program } of nodes) program.send('SIGSTOP');
  try {
    await body();
  } finally {
    for (const { program } of nodes) program.send('SIGCONT');
  }
}

/** A file system of its own of so many bytes; undefined where one cannot be mounted. */
export interface SmallDisk {
  readonly folder: string;
  /** Takes all the room there is, and what others let go of meanwhile, until that has been nothing for a while. */
  fill(): Promise<void>;
  /** Makes room again. */
  empty(): void;
  unmount(): void;
}

/** Between two looks for room; shorter than anybody who waits for room takes to use it. */
const FILL_TURN_MS = 10;
const QUIET_TURNS = 100;
const PAGE = Buffer.alloc(4096);

/** Appends to a file as far as the disk lets it. @returns the bytes that there was room for. */
function takeRoom(path: string): number {
  const file = openSync(path, 'a');
  let taken = 0;
  try {
    for (;;) taken += writeSync(file, PAGE);
  } catch {
    return taken;
  } finally {
    closeSync(file);
  }
}

/** @param folder is made; it must not be in use. */
export function mountSmallDisk(folder: string, bytes: number): SmallDisk | undefined {
  const filler = join(folder, 'filler');
  mkdirSync(folder, { recursive: true });
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]).status !== 0) return undefined;
  return {
    folder,
    fill: async () => {
      for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
        if (takeRoom(filler) > 0) quiet = 0;
        await pause(FILL_TURN_MS);
      }
    },
    empty: () => rmSync(filler, { force: true }),
    unmount: () => void spawnSync('umount', ['-l', folder]),
  };
}

const FAKETIME = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib', '/usr/local/lib']
  .map((folder) => join(folder, 'faketime', 'libfaketimeMT.so.1'))
  .find((path) => existsSync(path));

/** Variables of a process whose wall clock is wrong by this, such as `+10m`; undefined where libfaketime is absent. */
export function wrongClock(offset: string): Environment | undefined {
  return FAKETIME === undefined
    ? undefined
    : { LD_PRELOAD: FAKETIME, FAKETIME: offset, FAKETIME_DONT_FAKE_MONOTONIC: '1' };
}

/** Waits, in steps, for as long as the condition has not come true. @returns whether it has. */
export async function patiently(milliseconds: number, condition: () => boolean): Promise<boolean> {
  for (const end = performance.now() + milliseconds; performance.now() < end;) {
    if (condition()) return true;
    await pause(20);
  }
  return condition();
}
