import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Incoming, Outgoing } from './connection';

/** How long a client may take to end its half after an answer. */
const LAST_BYTES_MS = 2_000;

/**
 * Makes a request that would change the protocol one like any other: Node hands out the bare socket instead of a
 * response. Whatever is answered ends the connection, unless somebody takes the socket over.
 * @param early what came behind the head, which a client may not send before the protocol has changed (RFC 6455 §4.1)
 */
export function upgrading(incoming: IncomingMessage, socket: Socket, early: Buffer): [Incoming, Outgoing] {
  const response = new ServerResponse(incoming);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  // Node's own listeners left the socket with the parser.
  socket.on('error', () => undefined);
  response.on('finish', () => {
    socket.end();
    // What still comes is for nobody, but a connection with unread bytes would end in a reset, and with it the answer.
    socket.resume();
    const patience = setTimeout(() => socket.destroy(), LAST_BYTES_MS).unref();
    socket.on('close', () => clearTimeout(patience));
  });
  return [Object.assign(incoming, { takeOver: { socket, early } }), response];
}
