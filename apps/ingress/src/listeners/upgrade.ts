import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Incoming, Outgoing } from './connection';

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
  response.on('finish', () => socket.end());
  return [Object.assign(incoming, { takeOver: { socket, early } }), response];
}
