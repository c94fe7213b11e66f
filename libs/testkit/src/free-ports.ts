import { createServer } from 'node:net';

/**
 * Ports are taken from below the range that outgoing connections get theirs from (32768 and up on Linux): one of that
 * range can belong to somebody's connection between the moment it is found free and the moment its owner binds it.
 * Each worker of a test run looks in a part of its own, from a random place on, so that two runs seldom meet.
 */
const FIRST = 12_000;
const PART = 2_500;
const PARTS = 8;

const part = FIRST + (Number(process.env['JEST_WORKER_ID'] ?? 0) % PARTS) * PART;
let next = Math.floor(Math.random() * PART);

/** @returns ports on 127.0.0.1 that nobody listens on now, none of them handed out before by this process's last 2,500. */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  for (let tried = 0; found.length < count; tried++) {
    if (tried > PART) throw new Error(`no ${count} free ports from ${part} on`);
    const port = part + (next++ % PART);
    if (await isFree(port)) found.push(port);
  }
  return found;
}

/** One such port. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port!;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
