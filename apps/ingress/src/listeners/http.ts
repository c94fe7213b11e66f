import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ListenError, type Address, type Closable } from '@sallyport/platform';
import { limits } from '@sallyport/proxy';

export interface HttpListener extends Closable {
  /** Accepts nothing more and tells every client that this connection is its last. */
  stopAccepting(): void;
  /** Sockets that are open. */
  readonly sockets: number;
}

export interface HttpListenerOptions {
  readonly address: Address;
  handle(incoming: IncomingMessage, response: ServerResponse): void;
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
  const { listener } = limits;
  const server = createServer({
    insecureHTTPParser: false,
    maxHeaderSize: limits.head.blockBytes + limits.head.targetBytes,
    headersTimeout: listener.headersMs,
    requestTimeout: listener.requestMs,
    connectionsCheckingInterval: listener.checkMs,
    keepAliveTimeout: listener.keepAliveMs,
    requireHostHeader: false,
    noDelay: true,
  });
  server.maxHeadersCount = 0;
  server.maxRequestsPerSocket = listener.requestsPerSocket;
  server.maxConnections = listener.sockets;
  const sockets = new Set<Socket>();
  let draining = false;

  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('request', (incoming, response) => {
    if (draining) response.setHeader('connection', 'close');
    options.handle(incoming, response);
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
