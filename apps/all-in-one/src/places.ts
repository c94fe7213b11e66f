import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Address, Closable } from '@sallyport/platform';

/** Services that have listeners of their own in a cluster, and none that others can see here. */
export type InnerService = 'auth' | 'rate-limit' | 'waf' | 'ai-router' | 'audit' | 'catalog';

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

/** Makes the folder. The temporary folder keeps paths short: a socket's path may have 103 bytes on some systems. */
export async function makePlaces(): Promise<Places> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-'));
  return {
    admin: (service) => ({ path: join(folder, `${service}.admin`) }),
    grpc: (service) => ({ path: join(folder, `${service}.grpc`) }),
    hostSocket: join(folder, 'host'),
    close: () => rm(folder, { recursive: true, force: true }),
  };
}
