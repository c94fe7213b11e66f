import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openThreadTime } from './thread-time';

describe('the time of a thread', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'sp-thread-time-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  const opened = (text: string) => {
    const path = join(folder, 'schedstat');
    writeFileSync(path, text);
    return { read: openThreadTime(path), path };
  };

  it('is what it ran and what it waited for a processor, in milliseconds', () => {
    const { read, path } = opened('7030512345 1969487655 61234\n');
    expect(read!()).toBe(9_000);
    writeFileSync(path, '7031512345 1969487655 61235\n');
    expect(read!()).toBe(9_001);
  });

  it('is not known where the kernel does not tell or does not count', () => {
    expect(openThreadTime(join(folder, 'absent'))).toBeUndefined();
    expect(opened('0 0 0\n').read).toBeUndefined();
  });

  const here = openThreadTime();
  (here ? it : it.skip)('goes on while the thread works and stands while it sleeps', () => {
    // It is late by up to a tick, 10 ms where a kernel has a hundred a second.
    expect(asleep(() => busyFor(60))).toBeLessThan(20);
    expect(asleep(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60))).toBeGreaterThan(45);
  });

  function asleep(work: () => void): number {
    const counted = here!();
    const begun = performance.now();
    work();
    return performance.now() - begun - (here!() - counted);
  }

  function busyFor(ms: number): void {
    for (const until = performance.now() + ms; performance.now() < until;);
  }
});
