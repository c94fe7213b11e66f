import { spawn } from 'node:child_process';
import type { Server } from 'node:net';

/** To start a process, on a machine that does much else. */
const DUPLICATE_MS = 30_000;

/** A listening socket as Node hands it from process to process. */
export type Handle = NonNullable<unknown> & { close(): void };

/**
 * Sends back as often as it is asked to what it is sent. The kernel makes a new descriptor of a socket each time that it goes to
 * another process, and Node has no other way to have one made. (Not `once`: Node ends a process that listens to nothing more.)
 */
const MIRROR = `process.on('message', async (count, handle) => {
  for (let sent = 0; sent < count; sent++) await new Promise((done) => process.send(sent, handle, done));
  process.disconnect();
})`;

/**
 * Has further descriptors of a listening socket made. The process that does it is given the socket and a number, and neither a variable nor
 * a word of anybody's.
 * @param use called with each of them.
 * @throws Error when not all can be had.
 */
export function duplicate(server: Server, count: number, use: (handle: Handle) => void): Promise<void> {
  const mirror = spawn(process.execPath, ['-e', MIRROR], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'], env: {} });
  // Whoever ends meanwhile need not wait for it: without its channel it ends as well.
  mirror.unref();
  mirror.channel?.unref();
  return new Promise((resolve, reject) => {
    let left = count;
    const late = setTimeout(() => mirror.kill('SIGKILL'), DUPLICATE_MS).unref();
    mirror.on('message', (_, handle) => {
      if (!handle) return;
      left -= 1;
      use(handle as unknown as Handle);
    });
    mirror.once('error', reject);
    mirror.once('exit', () => {
      clearTimeout(late);
      if (left === 0) resolve();
      else reject(new Error(`${left} of ${count} descriptors are missing`));
    });
    // The bare handle: a server would begin to listen over there, and take connections that nobody serves.
    const { _handle: handle } = server as unknown as { readonly _handle: Server };
    mirror.send(count, handle, (error) => error && reject(error));
  });
}
