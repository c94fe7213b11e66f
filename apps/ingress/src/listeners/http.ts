import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { Server as NetServer, type Socket } from 'node:net';
import { ListenError, type Address, type Closable } from '@sallyport/platform';
import type { ListenerLimits } from '@sallyport/proxy';
import { guardConnections } from './admission';
import type { Connection, Handle } from './connection';
import type { Http2Sessions } from './http2-session';
import type { ParserError } from './socket-answers';
import type { TlsDoor } from './tls-door';
import { upgrading } from './upgrade';

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
  /** Behind TLS: puts certificates in force that were read anew. */
  renew(): void;
}

export interface HttpListenerOptions {
  readonly address: Address;
  readonly handle: Handle;
  /** What every request of this listener has in common; behind TLS the door knows what each connection has of its own. */
  readonly connection: Connection;
  readonly tls?: TlsDoor | undefined;
  /** Whether each connection begins with the header of a balancer. */
  readonly proxyProtocol?: boolean;
  /** Where connections go that speak HTTP/2; absent: it is not served. */
  readonly http2?: Http2Sessions | undefined;
  /** CONNECT: there is no response object for it, only the socket. */
  tunnel(incoming: IncomingMessage, socket: Socket): void;
  /** Bytes that are no request: the parser's complaint, and how to answer it. */
  broken(error: ParserError, socket: Socket): void;
}

/**
 * Opens an HTTP listener of the data door. Node's parser is kept strict and its silent limit on the number of fields
 * is lifted: it would drop fields that no policy then sees, so the canonical request counts them and refuses.
 *
 * @throws ListenError
 */
export async function listenHttp(options: HttpListenerOptions): Promise<HttpListener> {
  const { connection, tls, http2 } = options;
  const messages = messageOptions(connection.limits);
  const server = tls
    ? createTlsServer({ ...messages, ...tls.options, ALPNProtocols: http2 ? ['h2', 'http/1.1'] : ['http/1.1'] })
    : createServer(messages);
  server.maxHeadersCount = 0;
  server.maxRequestsPerSocket = connection.limits.requestsPerSocket;
  server.maxConnections = connection.limits.sockets;
  const sockets = new Set<Socket>();
  let draining = false;
  let lean = false;

  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const take = tls
    ? (incoming: IncomingMessage, response: ServerResponse) =>
        options.handle(incoming, response, tls.connectionOf(incoming.socket))
    : (incoming: IncomingMessage, response: ServerResponse) => options.handle(incoming, response, connection);
  server.on('request', (incoming, response) => {
    if (draining || lean) response.setHeader('connection', 'close');
    take(incoming, response);
  });
  // Whether the body is wanted is known after the head was judged; Node would ask for it at once.
  server.on('checkContinue', take);
  server.on('checkExpectation', take);
  server.on('upgrade', (incoming, socket, early) => {
    options.handle(
      ...upgrading(incoming, socket as Socket, early),
      tls ? tls.connectionOf(socket as Socket) : connection,
    );
  });
  server.on('connect', (incoming, socket) => options.tunnel(incoming, socket as Socket));
  server.on('clientError', (error: ParserError, socket) => options.broken(error, socket as Socket));
  if (tls) tls.guard(server as TlsServer, http2);
  else if (http2)
    recognisePreface(server, (socket) => http2.accept(socket, { ...connection, http2: true }), connection);
  guardConnections(server, connection, options.proxyProtocol === true);

  await bind(server, options.address);
  return {
    get sockets() {
      return sockets.size;
    },
    capacity: connection.limits.sockets,
    renew: () => tls?.renew(server as TlsServer),
    relieve(toLean, closed) {
      lean = toLean;
      // With any connection open Node closes every further one; with none there is nothing to be relieved of.
      server.maxConnections = closed ? 1 : connection.limits.sockets;
    },
    announceEnd() {
      draining = true;
      http2?.announceEnd();
    },
    stopAccepting() {
      draining = true;
      http2?.goAway();
      // Not that of the HTTP server, which closes kept connections with it, a request on its way or not.
      NetServer.prototype.close.call(server);
    },
    closeIdle: () => server.closeIdleConnections(),
    async close() {
      draining = true;
      server.close();
      http2?.destroy();
      server.closeAllConnections();
      // Handshakes that never ended, and connections that belong to nobody yet.
      for (const socket of sockets) socket.destroy();
      if (sockets.size > 0) await new Promise<void>((resolve) => server.once('close', resolve));
    },
  };
}

/** No route may take longer. */
const LONGEST_REQUEST_MS = 3_600_000;

function messageOptions(limits: ListenerLimits): ServerOptions {
  return {
    insecureHTTPParser: false,
    maxHeaderSize: limits.head.blockBytes + limits.head.targetBytes,
    headersTimeout: limits.headersMs,
    // How long a body may take depends on its route: whoever watches the exchanges knows.
    requestTimeout: LONGEST_REQUEST_MS,
    connectionsCheckingInterval: limits.checkMs,
    keepAliveTimeout: limits.keepAliveMs,
    requireHostHeader: false,
    noDelay: true,
  };
}

/** RFC 9113 §3.4: no request of HTTP/1 begins like this one. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Looks at the first bytes of a plain connection: clients that know that HTTP/2 is served say so with them (§3.3). */
function recognisePreface(server: Server, accept: (socket: Socket) => void, { limits }: Connection): void {
  const [serveHttp1] = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeListener('connection', serveHttp1!);
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
      socket.unshift(first);
      if (begins) accept(socket);
      else serveHttp1!.call(server, socket);
    };
    const ignore = (): void => undefined;
    socket.on('readable', look);
    socket.on('error', ignore);
    socket.on('close', () => clearTimeout(silent));
  });
}

function bind(server: Server | TlsServer, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new ListenError(address, error.code ?? error.message)),
    );
    server.listen(address, () => resolve());
  });
}
