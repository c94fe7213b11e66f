import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { ListenError, type Address, type Closable } from '@sallyport/platform';
import { Acceptors, BACKLOG } from './accepting';
import { guardConnections } from './admission';
import type { Connection } from './connection';
import { Http1Sessions, type Http1Handler } from './http1-session';
import type { Http2Sessions } from './http2-session';
import type { TlsDoor } from './tls-door';

export interface HttpListener extends Closable {
  /** Goes on accepting, and tells every client with its next answer that this connection is its last. */
  announceEnd(): void;
  /** Accepts nothing more and tells every client that this connection is its last. */
  stopAccepting(): void;
  /** Closes connections on which nothing is asked. */
  closeIdle(): void;
  /**
   * Takes load off the process for as long as it is asked to.
   * @param lean every answer is the last one on its connection
   * @param closed new connections are closed as they come
   */
  relieve(lean: boolean, closed: boolean): void;
  /** Sockets that are open. */
  readonly sockets: number;
  /** How many may be. */
  readonly capacity: number;
  /** Milliseconds that connections wait before they are taken, at most; 0 while all are taken as they come. */
  readonly crowdedMs: number;
  /** Behind TLS: puts certificates in force that were read anew. */
  renew(): void;
}

export interface HttpListenerOptions extends Http1Handler {
  readonly address: Address;
  /** What every request of this listener has in common; behind TLS the door knows what each connection has of its own. */
  readonly connection: Connection;
  readonly tls?: TlsDoor | undefined;
  /** Whether each connection begins with the header of a balancer. */
  readonly proxyProtocol?: boolean;
  /** Where connections go that speak HTTP/2; absent: it is not served. */
  readonly http2?: Http2Sessions | undefined;
  /** Told when the process accepts one connection a turn and no more. Absent: no more is wanted. */
  readonly onFewAccepts?: (error: Error) => void;
}

/**
 * Opens an HTTP listener of the data door.
 *
 * @throws ListenError
 */
export async function listenHttp(options: HttpListenerOptions): Promise<HttpListener> {
  const { connection, tls, http2 } = options;
  const { limits } = connection;
  const sockets = new Set<Socket>();
  let draining = false;
  let lean = false;
  let closed = false;
  const http1 = new Http1Sessions(
    {
      handle: options.handle,
      broken: options.broken,
      brokenBody: options.brokenBody,
      now: () => performance.now(),
      get closing() {
        return draining || lean;
      },
    },
    limits.checkMs,
  );
  const serve = (socket: Socket): void => http1.accept(socket, tls ? tls.connectionOf(socket) : connection);

  // Half of a plain connection may end before the other: its session says what that means.
  const server = tls
    ? createTlsServer({ ...tls.options, noDelay: true, ALPNProtocols: http2 ? ['h2', 'http/1.1'] : ['http/1.1'] })
    : createServer({ allowHalfOpen: true, noDelay: true });
  const acceptors = new Acceptors(server, { allowHalfOpen: !tls });
  const admit = (socket: Socket): boolean => {
    acceptors.taken();
    // With none open there is nothing to be relieved of.
    if (sockets.size >= (closed ? 1 : limits.sockets)) return false;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    return true;
  };
  if (tls) tls.guard(server as TlsServer, serve, http2);
  else if (http2)
    recognisePreface(server, (socket) => http2.accept(socket, { ...connection, http2: true }), serve, limits);
  else server.on('connection', serve);
  guardConnections(server, connection, options.proxyProtocol === true, admit);

  try {
    await bind(server, options.address);
  } catch (error) {
    http1.stop();
    throw error;
  }
  // Crowds come over the network; and a server takes over the handle of a port only.
  if (options.onFewAccepts && 'port' in options.address) acceptors.prepareLater(options.onFewAccepts);
  return {
    get sockets() {
      return sockets.size;
    },
    capacity: limits.sockets,
    get crowdedMs() {
      return acceptors.crowdedMs;
    },
    renew: () => tls?.renew(server as TlsServer),
    relieve(toLean, toClosed) {
      lean = toLean;
      closed = toClosed;
    },
    announceEnd() {
      draining = true;
      http2?.announceEnd();
    },
    stopAccepting() {
      draining = true;
      http2?.goAway();
      server.close();
      acceptors.close();
    },
    closeIdle: () => http1.closeIdle(),
    async close() {
      draining = true;
      http1.stop();
      http2?.destroy();
      server.close();
      acceptors.close();
      const ended = [...sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
      for (const socket of sockets) socket.destroy();
      await Promise.all(ended);
    },
  };
}

/** RFC 9113 §3.4: no request of HTTP/1 begins like this one. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Looks at the first bytes of a plain connection: clients that know that HTTP/2 is served say so with them (§3.3). */
function recognisePreface(
  server: Server,
  serveHttp2: (socket: Socket) => void,
  serveHttp1: (socket: Socket) => void,
  limits: Connection['limits'],
): void {
  server.on('connection', (socket: Socket) => {
    const silent = setTimeout(() => socket.destroy(), limits.headersMs);
    let first = Buffer.alloc(0);
    const look = (): void => {
      const chunk = socket.read() as Buffer | null;
      if (chunk === null) return;
      first = Buffer.concat([first, chunk]);
      const compared = Math.min(first.length, PREFACE.length);
      const begins = first.subarray(0, compared).equals(PREFACE.subarray(0, compared));
      // A part of the preface could still become a method nobody knows; three bytes tell it from all that exist.
      if (begins && compared < 3) return;
      clearTimeout(silent);
      socket.removeListener('readable', look);
      socket.removeListener('error', ignore);
      socket.removeListener('end', leave);
      socket.unshift(first);
      if (begins) serveHttp2(socket);
      else serveHttp1(socket);
    };
    const ignore = (): void => undefined;
    const leave = (): void => void socket.destroy();
    socket.on('readable', look);
    socket.on('error', ignore);
    socket.on('end', leave);
    socket.on('close', () => clearTimeout(silent));
  });
}

function bind(server: Server | TlsServer, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new ListenError(address, error.code ?? error.message)),
    );
    server.listen({ ...address, backlog: BACKLOG }, () => resolve());
  });
}
