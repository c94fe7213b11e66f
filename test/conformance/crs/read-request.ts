import { limits, RequestParser } from '@sallyport/proxy';

/** A request as the parser of the data door reads it from bytes. */
export interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
  /** Names and values in turn, as received. */
  readonly rawHeaders: readonly string[];
  /** What there is of it; it may have been announced longer. */
  readonly body: Buffer;
}

/**
 * Reads bytes that come in one piece, as those of a connection of their own.
 * @returns the first request; undefined where the parser refuses it, or its head does not come to an end
 */
export function readRequest(bytes: Buffer): ReadRequest | undefined {
  const parser = new RequestParser(limits.head);
  parser.feed(bytes);
  const { head, fault, pieces } = parser;
  if (!head || fault) return undefined;
  const { method, target, httpVersion, rawHeaders } = head;
  return { method, target, httpVersion, rawHeaders, body: Buffer.concat(pieces) };
}
