import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import { yieldProcess } from './yielding';

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

  it('is a process that yields, and may be gone when it is told to', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)']);
    yieldProcess(child.pid!);
    expect(getPriority(child.pid!)).toBe(5);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(() => yieldProcess(child.pid!)).not.toThrow();
  });
});
