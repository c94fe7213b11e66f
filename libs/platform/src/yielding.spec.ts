import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { yieldFamily } from './yielding';

describe('what nobody waits for', () => {
  const onLinux = process.platform === 'linux' ? it : it.skip;

  onLinux('is a thread that yields alone: those beside it keep their priority', async () => {
    const before = getPriority();
    const thread = new Worker(
      `const { getPriority, setPriority } = require('node:os');
       setPriority(0, 5);
       require('node:worker_threads').parentPort.postMessage(getPriority(0));`,
      { eval: true },
    );
    const [ofThread] = (await once(thread, 'message')) as [number];
    expect({ ofThread, ofOthers: getPriority() }).toEqual({ ofThread: 5, ofOthers: before });
    await thread.terminate();
  });

  onLinux('leaves a thread alone that yields more already', async () => {
    const child = spawn(process.execPath, [
      '-r',
      join(__dirname, '../../../tools/typescript.cjs'),
      '-e',
      `const { getPriority, setPriority } = require('node:os');
       setPriority(0, 10);
       require(${JSON.stringify(join(__dirname, 'yielding.ts'))}).yieldThread();
       console.log(getPriority(0));`,
    ]);
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    expect(line.toString()).toBe('10\n');
    await once(child, 'exit');
  });

  it('is a process that yields, and may be gone when it is told to', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)']);
    yieldFamily(child.pid!);
    // Or what it yields already, where whoever runs the tests does.
    expect(getPriority(child.pid!)).toBe(Math.max(5, getPriority()));
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(() => yieldFamily(child.pid!)).not.toThrow();
  });

  const withSessions = existsSync('/proc/self/autogroup') ? it : it.skip;
  const sessionOf = (pid: number) => readFileSync(`/proc/${pid}/autogroup`, 'latin1').trim();
  const WAIT = 'setInterval(() => undefined, 1000)';

  withSessions('is a process whose session yields, and every child that leads a session of its own', async () => {
    const parent = spawn(
      process.execPath,
      [
        '-e',
        `const { spawn } = require('node:child_process');
         const child = spawn(process.execPath, ['-e', '${WAIT}'], { detached: true });
         child.once('spawn', () => console.log(child.pid));
         ${WAIT}`,
      ],
      { detached: true, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const child = Number(line.toString());
    const family = [parent.pid!, child];
    const ours = sessionOf(process.pid);
    // Without privileges the kernel takes ten changes a second.
    const due = Date.now() + 5_000;
    do {
      yieldFamily(parent.pid!);
      await new Promise((resolve) => setTimeout(resolve, 120));
    } while (Date.now() < due && !family.every((pid) => sessionOf(pid).endsWith('nice 5')));
    for (const pid of family) expect(sessionOf(pid)).toMatch(/ nice 5$/);
    expect(sessionOf(process.pid)).toBe(ours);
    process.kill(child, 'SIGKILL');
    parent.kill('SIGKILL');
    await once(parent, 'exit');
  });

  withSessions('leaves the session alone that it shares with others', async () => {
    const ours = sessionOf(process.pid);
    const child = spawn(process.execPath, ['-e', WAIT]);
    await once(child, 'spawn');
    yieldFamily(child.pid!);
    expect(sessionOf(process.pid)).toBe(ours);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
});
