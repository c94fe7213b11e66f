import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { Refusal } from '@sallyport/contracts';
import type { UpstreamTimeouts } from './limits';
import type { RawFields } from './raw-fields';

/**
 * The body of a request on its way up: bytes at hand, or a stream that belongs to the exchange and is destroyed with
 * it. Never an IncomingMessage: destroying one would cut the client off before it has its answer.
 */
export type UpstreamBody = Uint8Array | Readable | undefined;

/** One request as the upstream will see it. */
export interface UpstreamRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  /** As fieldsToUpstream makes them; with `content-length` when the length of a streamed body is known. */
  readonly fields: RawFields;
  readonly body: UpstreamBody;
  readonly timeouts: UpstreamTimeouts;
  /**
   * Asks for a WebSocket in the place of an answer (RFC 6455 §4.1), of an upstream over HTTP/1.1; its key is among the fields,
   * and there is no body.
   */
  readonly upgrade?: boolean;
}

/**
 * How far an exchange had come: `connect` nothing was sent; `request` bytes may have been sent, no answer was seen;
 * `response` the head of the answer was passed on, so the client's connection can only be destroyed.
 */
export type ForwardPhase = 'connect' | 'request' | 'response';

/** Where an answer goes. Called in this order; nothing after onEnd, onFailure or abort. */
export interface ForwardSink {
  /**
   * Once; informational answers are not passed on.
   * @param mayBeCut the answer ends with its TLS connection, and nobody can tell whether the upstream has ended it
   */
  onHead(status: number, fields: RawFields, mayBeCut?: boolean): void;
  /** @returns false when no more is wanted before `resume`. */
  onData(chunk: Buffer): boolean;
  /** Fields behind the body, of HTTP/2 only; once, right before `onEnd`. Absent: they are dropped. */
  onTrailers?(fields: RawFields): void;
  /** The answer is complete. */
  onEnd(): void;
  /**
   * The upstream agreed to a WebSocket as RFC 6455 §4.1 demands; nothing else is called after this. The socket is paused and
   * the caller's own from here on.
   * @param early what came behind the head of the agreement
   */
  onSwitched?(fields: RawFields, socket: Socket, early: Buffer): void;
  /**
   * UPSTREAM_UNREACHABLE, UPSTREAM_TIMEOUT, UPSTREAM_BROKE; UPSTREAM_BUSY when every connection we may have is taken; or
   * INTERNAL for a defect of ours.
   */
  onFailure(refusal: Refusal, phase: ForwardPhase): void;
}

/** An exchange under way. */
export interface Forwarding {
  /** Whether it waits for something that is not the upstream's to give: bytes of its body, or a connection others hold. */
  readonly heldUp?: boolean;
  /** Goes on after `onData` returned false. */
  resume(): void;
  /** Gives up: the connection is closed, the body destroyed, the sink hears nothing more. */
  abort(): void;
}

/**
 * A way to one upstream. Answers are passed on as they come: no redirect is followed, nothing is decompressed, and
 * both directions stop reading when the other side is slow. The sink may be called before `forward` returns.
 */
export interface UpstreamClient {
  /** `http://host:port` */
  readonly origin: string;
  /** Host and port, as Host names them. */
  readonly authority: string;
  forward(request: UpstreamRequest, sink: ForwardSink): Forwarding;
}
