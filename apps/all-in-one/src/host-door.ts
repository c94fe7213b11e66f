import { createHash } from 'node:crypto';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buckets, type RandomBytes } from '@sallyport/contracts';
import type { Bus, Closable } from '@sallyport/platform';
import { HOST_SOCKET_FILE } from './places';

export interface HostDoorOptions {
  readonly socket: string;
  readonly dataDir: string;
  /** The admin door: `http://host:port`. */
  readonly admin: string;
  readonly bus: Bus;
  readonly random: RandomBytes;
}

/**
 * Opens the admin door to the command line of this host: whoever may open a socket of mode 0600 is this user, and needs no
 * token. Behind it stands a credential that is drawn at every start and never leaves the process.
 */
export async function openHostDoor({ socket, dataDir, admin, bus, random }: HostDoorOptions): Promise<Closable> {
  const token = Buffer.from(random(32)).toString('base64url');
  const bucket = await bus.kv(buckets.adminToken);
  const sha256 = createHash('sha256').update(token).digest('hex');
  await bucket.put('host', Buffer.from(JSON.stringify({ sha256 })));
  const server = createServer((incoming, response) => passOn(incoming, response, admin, token));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, () => resolve());
  });
  await chmod(socket, 0o600);
  const pathFile = join(dataDir, HOST_SOCKET_FILE);
  await writeFile(pathFile, `${socket}\n`, { mode: 0o600 });
  return {
    async close() {
      await rm(pathFile, { force: true });
      await bucket.delete('host');
      server.close();
      server.closeAllConnections();
    },
  };
}

function passOn(incoming: IncomingMessage, response: ServerResponse, admin: string, token: string): void {
  const { host: _, authorization: __, connection: ___, ...fields } = incoming.headers;
  const outgoing = httpRequest(
    `${admin}${incoming.url ?? '/'}`,
    { method: incoming.method, headers: { ...fields, authorization: `Bearer ${token}`, 'x-sallyport-via': 'cli' } },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    },
  );
  outgoing.on('error', () => (response.headersSent ? response.destroy() : response.writeHead(502).end()));
  response.on('close', () => outgoing.destroy());
  incoming.pipe(outgoing);
}
