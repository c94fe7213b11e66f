/**
 * Connections that were told that an answer is the last one. Whatever still comes over them was sent before the client
 * knew, or hides behind a message that nobody believes: it is not a request (RFC 9112 §9.6).
 */
const spent = new WeakSet<object>();

export function markSpent(socket: object): void {
  spent.add(socket);
}

export function isSpent(socket: object): boolean {
  return spent.has(socket);
}
