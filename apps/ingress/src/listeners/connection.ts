import type { Duplex, Readable } from 'node:stream';
import { defaultListenerLimits, type AddressList, type ListenerLimits, type RawFields } from '@sallyport/proxy';

/** What the gateway uses of a request, whatever version of HTTP brought it. */
export interface Incoming {
  readonly method?: string | undefined;
  /** The request target as received. */
  readonly url?: string | undefined;
  /** Names and values in turn, as received; of HTTP/2 without pseudo fields. */
  readonly rawHeaders: string[];
  readonly httpVersion: string;
  /** What follows the head. Destroying it leaves the connection alone. */
  readonly body: Readable;
  /** Whether the last byte of the body was received. */
  readonly complete: boolean;
  readonly socket: {
    readonly remoteAddress?: string | undefined;
    readonly remotePort?: number | undefined;
    /** Ends the connection, of HTTP/2 only this stream, once what was written has left. */
    destroySoon(): void;
  };
  /** Whether a body follows the head, or what might be one. */
  readonly bodyFollows: boolean;
  /** Of HTTP/2: why the head breaks RFC 9113, where it does. */
  readonly fault?: string | undefined;
  /** Of a request that would change the protocol (RFC 9110 §7.8): the bare connection, and what came too early over it. */
  readonly takeOver?: { readonly socket: Duplex; readonly early: Buffer };
}

/** What the gateway uses of a response. */
export interface Outgoing {
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  /** Bytes that were written and wait for the caller to read. */
  readonly writableLength?: number;
  sendDate: boolean;
  /** @param fields names and values in turn */
  writeHead(status: number, fields: string[]): unknown;
  /** Asks a caller that waits for it to send its body; absent where bodies come unasked. */
  writeContinue?(): void;
  /** @returns false when the caller's buffer is full; `drain` tells when it is not. */
  write(chunk: Buffer): boolean;
  end(chunk?: Buffer): unknown;
  on(event: 'close' | 'drain', listener: () => void): unknown;
  /** Cuts the answer off. */
  destroy(): unknown;
  /** Sends the head now, not with the first byte of the body. */
  flushHeaders(): unknown;
  /** Of HTTP/2: fields will follow the body; to be called before the head is written. */
  expectTrailers?(): void;
  /** Of HTTP/2: fields that follow the body (RFC 9113 §8.1); to be called before `end`. */
  trailers?(fields: RawFields): void;
}

/** The certificate a client has proven to hold the key of. It was judged by the certificate authorities of the listener. */
export interface ClientCertificate {
  /** SHA-256 of the certificate, hexadecimal in lower case. */
  readonly fingerprint: string;
  /** The same as `x5t#S256` of RFC 8705 writes it: base64url. */
  readonly thumbprint: string;
  /** As RFC 2253 prints it, most specific name first. */
  readonly subject: string;
  readonly issuer: string;
  /** Hexadecimal. */
  readonly serial: string;
  /** `DNS:a.example`, `URI:spiffe://…`, `email:…`. */
  readonly alternativeNames: readonly string[];
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

/** What is known of the connection a request came over; one object for all requests of a connection. */
export interface Connection {
  /** Name of the listener. */
  readonly listener: string;
  /** Whether the connection is TLS. */
  readonly encrypted: boolean;
  readonly http2: boolean;
  /** Undefined without TLS, and where the client has shown none. */
  readonly clientCertificate: ClientCertificate | undefined;
  readonly limits: ListenerLimits;
  /** Whose word on the address of the caller is taken; undefined: nobody's. */
  readonly trustedProxies?: AddressList | undefined;
}

/** A connection of the one plain listener that there is without a file of listeners. */
export const plainConnection: Connection = Object.freeze({
  listener: 'http',
  encrypted: false,
  http2: false,
  clientCertificate: undefined,
  limits: defaultListenerLimits,
});

/** Takes one request of a listener. */
export type Handle = (incoming: Incoming, response: Outgoing, connection: Connection) => void;
