import type { aiV1, Refusal } from '@sallyport/contracts';
import type { Lease } from '../router';

/** Where the answer of one call goes; nothing is called after `end`, `fail` or `abort`. */
export interface AnswerSink {
  /** @param field value of a field by its lower-case name. */
  head(status: number, field: (name: string) => string | undefined): void;
  /** @returns false when no more is wanted before `resume`. */
  data(chunk: Buffer): boolean;
  end(): void;
  /** No answer came, or it broke off. */
  fail(refusal: Refusal): void;
}

/** A call under way. */
export interface WireCall {
  /** Goes on after `data` returned false. */
  resume(): void;
  /** Closes the connection at once. */
  abort(): void;
}

/** What a wire needs to make a call. */
export interface CallOrder {
  readonly attempt: aiV1.Attempt;
  readonly stream: boolean;
  /** The body as this target wants it. */
  readonly body: Buffer;
  readonly lease: Lease | undefined;
  /** Beside those of the wire: trace context, say. Lower-case names. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Makes one call on one wire. The sink may be called before it returns. */
export type OpenCall = (order: CallOrder, sink: AnswerSink) => WireCall;
