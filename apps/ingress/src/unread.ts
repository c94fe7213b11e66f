import type { Exchange } from './exchange';

/**
 * What an answer says of its connection: nothing where the next request may follow. Where the caller may still be sending a
 * body that nobody will read, none may.
 * @param close whether nothing may follow, whatever has been read
 */
export function connectionFields({ incoming }: Exchange, close = false): readonly string[] {
  return close || (incoming.bodyFollows && !incoming.complete) ? CLOSE : NOTHING;
}

const NOTHING: readonly string[] = Object.freeze([]);
const CLOSE: readonly string[] = Object.freeze(['connection', 'close']);
