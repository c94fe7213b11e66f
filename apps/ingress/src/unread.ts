import type { Exchange } from './exchange';

/** Whether the caller may still be sending a body that nobody will read: then this connection is spent. */
export function unread({ incoming }: Exchange): boolean {
  return !incoming.complete && (incoming.bodyFollows ?? incoming.rawHeaders.some(saysThatABodyFollows));
}

/** RFC 9112 §6; asked before anything is known to be good, so of values as well: that closes once too often, never too seldom. */
function saysThatABodyFollows(text: string): boolean {
  const name = text.toLowerCase();
  return name === 'content-length' || name === 'transfer-encoding';
}
