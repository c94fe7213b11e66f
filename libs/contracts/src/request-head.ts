/** One header field: the name in lower case, the value as received (latin1: one character a byte). */
export interface Field {
  readonly name: string;
  readonly value: string;
}

/**
 * The canonical head of a request: parsed once at the edge, frozen, and the only thing that routing, policies,
 * inspection, audit and forwarding read.
 */
export interface RequestHead {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  /** Host and port as the client named them, lower case. */
  readonly authority: string;
  /** Normalised path; begins with a slash. */
  readonly path: string;
  /** The query as received, without the question mark; empty when there is none. */
  readonly query: string;
  /** Whether a question mark was there at all: `/a?` and `/a` stay different on the way out. */
  readonly hasQuery: boolean;
  /** The request target as received. */
  readonly rawTarget: string;
  readonly version: '1.0' | '1.1' | '2';
  /** In the order received, without what is removed from every inbound request. */
  readonly fields: readonly Field[];
  /**
   * What was removed: fields of the connection, and those by which a caller says who it is. Inspection alone looks at them.
   * Absent where nothing was removed.
   */
  readonly removed?: readonly Field[] | undefined;
  /** Fields by name; several of one name are joined by comma as RFC 9110 §5.3 says (cookie by `; `). */
  readonly field: ReadonlyMap<string, string>;
  /** Address of the caller: the socket's, or what a trusted proxy named. */
  readonly clientAddress: string;
  /** Announced length in bytes; undefined when chunked or without a body. */
  readonly contentLength: number | undefined;
  readonly hasBody: boolean;
  /** Media type of the body, parsed once: `application/json`, lower case, without parameters. */
  readonly mediaType: string | undefined;
}
