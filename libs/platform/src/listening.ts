import { lstatSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { describeAddress, type Address, type Closable } from './address';

/** An address that cannot be bound, with the reason a person can act on. */
export class ListenError extends Error {
  constructor(
    readonly address: Address,
    readonly code: string,
  ) {
    super(`cannot listen on ${describeAddress(address)}: ${reasons[code] ?? code}`);
    this.name = 'ListenError';
  }
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there (EADDRINUSE)',
  EACCES: 'no permission (EACCES)',
  EADDRNOTAVAIL: 'this machine does not have that address (EADDRNOTAVAIL)',
  ENOENT: 'the folder of the socket does not exist (ENOENT)',
};

/**
 * Binds an HTTP server.
 * @returns what ends it: no new connection, requests under way finish, idle connections are cut.
 * @throws ListenError
 */
export async function listen(server: Server, address: Address): Promise<Closable> {
  await removeStaleSocket(address);
  await new Promise<void>((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => reject(new ListenError(address, error.code ?? error.message));
    server.once('error', failed);
    server.listen('path' in address ? { path: address.path } : { host: address.host, port: address.port }, () => {
      server.removeListener('error', failed);
      resolve();
    });
  });
  return { close: once(() => closeServer(server)) };
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}

/**
 * A crash leaves the file of a unix socket behind, and binding then fails. Removes the file when nobody answers on it.
 * @throws ListenError when somebody does.
 */
export async function removeStaleSocket(address: Address): Promise<void> {
  if (!('path' in address) || !lstatSync(address.path, { throwIfNoEntry: false })?.isSocket()) return;
  if (await answers(address.path)) throw new ListenError(address, 'EADDRINUSE');
  unlinkSync(address.path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** Runs `work` on the first call; later calls wait for the same end. */
export function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= work());
}
