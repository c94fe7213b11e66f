import type { aiV1, Clock, commonV1, PicoUsd, RandomBytes, Refusal } from '@sallyport/contracts';
import type { ChatRequest } from '../chat';
import type { Planned } from '../router';
import type { Timers } from './timers';
import type { OpenCall } from './wire-call';

/** The way back to the caller. The run calls `head` once, then `data` any number of times, then `end` once. */
export interface ChatClient {
  /** @param fields lower-case names; a `content-length` is among them when the answer comes in one piece. */
  head(status: number, fields: Readonly<Record<string, string>>): void;
  /** @returns false when the caller's buffer is full: call `drained` of the run once it is not. */
  data(chunk: Buffer): boolean;
  end(): void;
}

/** The wires of one process; `openWires` makes them. */
export type Wires = ReadonlyMap<aiV1.Wire, OpenCall>;

export interface ChatCall {
  readonly requestId: string;
  readonly tenant: string;
  /** The consumer that is charged. */
  readonly consumer: string;
  /** Public id of the caller's credential, for the receipt. */
  readonly credential: string;
  readonly request: ChatRequest;
  readonly planned: Planned;
  readonly wires: Wires;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: RandomBytes;
  readonly client: ChatClient;
  /**
   * Told before an attempt is opened, so that a span can be; what it returns is sent to the provider as header fields
   * (`traceparent`).
   */
  onAttempt?(attempt: aiV1.Attempt): Readonly<Record<string, string>> | undefined;
  /** One per attempt that was made, always, and before `onFinished`: for the ledger, the router and the span. */
  onSettled(settlement: aiV1.Settlement): void;
  /** Once, when nothing more will be written: for the audit record and the metrics. */
  onFinished(facts: ChatFacts): void;
}

/** How an exchange ended. */
export interface ChatFacts {
  readonly outcome: aiV1.Outcome;
  /** Status of the answer; what was about to be sent when the caller went away before the head. */
  readonly status: number;
  /** Bytes of the answer's body that were handed to the client. */
  readonly bytesOut: number;
  /** What the caller was told instead of, or at the end of, an answer. `reason` in it is for record and log only. */
  readonly refusal: Refusal | undefined;
  readonly virtualModel: string;
  /** Attempts made. */
  readonly attempts: number;
  /** Provider and its model of the last attempt; empty when none was made. */
  readonly provider: string;
  readonly model: string;
  /** Sums over all attempts. */
  readonly usage: commonV1.Usage;
  /** Undefined when an attempt that used something has no price. */
  readonly costPicoUsd: PicoUsd | undefined;
  /** Milliseconds since the run began; 0: never came. */
  readonly firstContentMs: number;
  readonly totalMs: number;
}

/** An exchange under way. */
export interface ChatRun {
  /** The caller's buffer has room again. */
  drained(): void;
  /** The caller is gone: the upstream is closed at once, and what was used is settled. */
  gone(): void;
}
