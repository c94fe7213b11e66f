import type { Server, Socket } from 'node:net';
import { addressGroup, readProxyHeader } from '@sallyport/proxy';
import type { Connection } from './connection';

type Serve = (socket: Socket) => void;

/** Counts the connections of each caller, so that one client is not the listener. */
export class SocketCount {
  private readonly open = new Map<string, number>();

  constructor(private readonly most: number) {}

  /** @returns false when the caller has as many as it may; otherwise the connection counts until it closes. */
  admit(socket: Socket, address: string): boolean {
    const group = addressGroup(address);
    const count = this.open.get(group) ?? 0;
    if (count >= this.most) return false;
    this.open.set(group, count + 1);
    socket.once('close', () => this.leave(group));
    return true;
  }

  private leave(group: string): void {
    const count = this.open.get(group)! - 1;
    if (count > 0) this.open.set(group, count);
    else this.open.delete(group);
  }
}

/**
 * Puts itself before everything else that happens to a new connection: closes those there is no room for, reads the header of a
 * balancer where the listener says that there is one, and closes what one caller has too much of.
 * @param admit counts a connection until it closes. @returns false when there is no room for it.
 */
export function guardConnections(
  server: Server,
  { limits, trustedProxies }: Connection,
  proxyProtocol: boolean,
  admit: (socket: Socket) => boolean,
): void {
  const serving = server.listeners('connection') as Serve[];
  const count = new SocketCount(limits.socketsPerAddress);
  const serve = (socket: Socket, address: string): void => {
    const ofProxy = trustedProxies?.has(address) === true;
    if (!ofProxy && !count.admit(socket, address)) return void socket.destroy();
    for (const listener of serving) listener.call(server, socket);
  };
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    if (!admit(socket)) return void socket.destroy();
    const peer = socket.remoteAddress;
    // Gone before it was looked at; or a socket of the file system, where everybody is the same machine.
    if (peer === undefined) return socket.destroyed ? undefined : serving.forEach((one) => one.call(server, socket));
    if (!proxyProtocol) return serve(socket, peer);
    if (trustedProxies && !trustedProxies.has(peer)) return void socket.destroy();
    readHeaderOf(socket, limits.headersMs, (address = peer) => {
      pretend(socket, address);
      serve(socket, address);
    });
  });
  if (!proxyProtocol) return;
  // TLS asks the connection below it for the address, and would be told the balancer's.
  server.prependListener('secureConnection', (socket: Socket & { readonly _parent?: Socket }) => {
    const address = socket._parent?.remoteAddress;
    if (address !== undefined) pretend(socket, address);
  });
}

function pretend(socket: Socket, address: string): void {
  Object.defineProperty(socket, 'remoteAddress', { value: address, configurable: true });
}

/** Takes the header off the front of a connection; one that does not come, or is none, ends it without a word. */
function readHeaderOf(socket: Socket, withinMs: number, done: (address?: string) => void): void {
  let seen = Buffer.alloc(0);
  const late = setTimeout(() => socket.destroy(), withinMs);
  const stop = (): void => {
    clearTimeout(late);
    socket.removeListener('readable', look);
    socket.removeListener('error', ignore);
    socket.removeListener('end', leave);
    socket.removeListener('close', stop);
  };
  const ignore = (): void => undefined;
  // A balancer that only looks whether somebody listens.
  const leave = (): void => void socket.destroy();
  const look = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    const header = readProxyHeader(seen);
    if (header.state === 'more') return;
    stop();
    if (header.state === 'fault') return void socket.destroy();
    if (seen.length > header.bytes) socket.unshift(seen.subarray(header.bytes));
    done(header.address);
  };
  socket.on('readable', look);
  socket.on('error', ignore);
  socket.on('end', leave);
  socket.on('close', stop);
}
