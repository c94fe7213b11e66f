import type { Exchange } from './exchange';
import { markSpent } from './listeners/spent';

/** Whether the caller may still be sending a body that nobody will read: then this connection is spent. */
function unread({ incoming }: Exchange): boolean {
  return !incoming.complete && (incoming.bodyFollows ?? incoming.rawHeaders.some(saysThatABodyFollows));
}

/**
 * What an answer says of its connection: nothing where the next request may follow.
 * @param close whether nothing may follow, whatever has been read
 */
export function connectionFields(exchange: Exchange, close = false): readonly string[] {
  if (!close && !unread(exchange)) return NOTHING;
  markSpent(exchange.incoming.socket);
  return CLOSE;
}

const NOTHING: readonly string[] = Object.freeze([]);
const CLOSE: readonly string[] = Object.freeze(['connection', 'close']);

/** RFC 9112 §6; asked before anything is known to be good, so of values as well: that closes once too often, never too seldom. */
function saysThatABodyFollows(text: string): boolean {
  const name = text.toLowerCase();
  return name === 'content-length' || name === 'transfer-encoding';
}
