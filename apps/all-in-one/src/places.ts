import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Address, Closable } from '@sallyport/platform';

const PREFIX = 'sallyport-';

/** Services with listeners that others see in a cluster, and nobody does here. */
export type InnerService = 'auth' | 'rate-limit' | 'waf' | 'ai-router' | 'audit' | 'catalog' | 'ingress';

/** Where the services find each other inside one process: sockets in a folder that only this user can enter. */
export interface Places extends Closable {
  admin(service: InnerService): { readonly path: string };
  grpc(service: InnerService): { readonly path: string };
  /** Where the command line of this host talks to the admin door without a token. */
  readonly hostSocket: string;
}

/** `unix:/path`, as targets of gRPC and of the admin door are written. */
export function targetOf(address: Extract<Address, { path: string }>): string {
  return `unix:${address.path}`;
}

/** Names the host's socket to whoever shares the data folder. */
export const HOST_SOCKET_FILE = 'admin.sock.path';

/**
 * Makes the folder, and removes that of an earlier start which had no time to do so.
 * The temporary folder keeps paths short: a socket's path may have 103 bytes on some systems.
 */
export async function makePlaces(dataDir: string): Promise<Places> {
  const before = await readFile(join(dataDir, HOST_SOCKET_FILE), 'utf8').catch(() => '');
  if (dirname(before).startsWith(join(tmpdir(), PREFIX))) await rm(dirname(before), { recursive: true, force: true });
  const folder = await mkdtemp(join(tmpdir(), PREFIX));
  return {
    admin: (service) => ({ path: join(folder, `${service}.admin`) }),
    grpc: (service) => ({ path: join(folder, `${service}.grpc`) }),
    hostSocket: join(folder, 'host'),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
