import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { ListenError, type Address, type Closable } from '@sallyport/platform';
import type { Connection, Handle } from './connection';

export interface HttpListener extends Closable {
  /** Accepts nothing more and tells every client that this connection is its last. */
  stopAccepting(): void;
  /** Sockets that are open. */
  readonly sockets: number;
}

export interface HttpListenerOptions {
  readonly address: Address;
  readonly handle: Handle;
  /** What every request of this listener has in common. */
  readonly connection: Connection;
  /** CONNECT: there is no response object for it, only the socket. */
  tunnel(incoming: IncomingMessage, socket: Socket): void;
  /** Bytes that are no request: the parser's complaint, and how to answer it. */
  broken(error: NodeJS.ErrnoException, socket: Socket): void;
}

/**
 * Opens the HTTP/1.1 listener of the data door. Node's parser is kept strict and its silent limit on the number of fields
 * is lifted: it would drop fields that no policy then sees, so the canonical request counts them and refuses.
 *
 * @throws ListenError
 */
export async function listenHttp(options: HttpListenerOptions): Promise<HttpListener> {
  const { connection, handle } = options;
  const { limits } = connection;
  const server = createServer({
    insecureHTTPParser: false,
    maxHeaderSize: limits.head.blockBytes + limits.head.targetBytes,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    connectionsCheckingInterval: limits.checkMs,
    keepAliveTimeout: limits.keepAliveMs,
    requireHostHeader: false,
    noDelay: true,
  });
  server.maxHeadersCount = 0;
  server.maxRequestsPerSocket = limits.requestsPerSocket;
  server.maxConnections = limits.sockets;
  const sockets = new Set<Socket>();
  let draining = false;

  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('request', (incoming, response) => {
    if (draining) response.setHeader('connection', 'close');
    handle(incoming, response, connection);
  });
  // Without a listener for upgrades, such a request arrives like any other and is refused with a code.
  server.on('connect', (incoming, socket) => options.tunnel(incoming, socket as Socket));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => options.broken(error, socket as Socket));

  await bind(server, options.address);
  return {
    get sockets() {
      return sockets.size;
    },
    stopAccepting() {
      draining = true;
      server.close();
      server.closeIdleConnections();
    },
    async close() {
      draining = true;
      server.close();
      server.closeAllConnections();
      if (sockets.size > 0) await new Promise<void>((resolve) => server.once('close', resolve));
    },
  };
}

function bind(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(new ListenError(address, error.code ?? error.message)),
    );
    server.listen(address, () => resolve());
  });
}
