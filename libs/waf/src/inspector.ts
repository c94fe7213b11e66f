import type { Refusal, RequestHead } from '@sallyport/contracts';

/** Id of a compiled inspection profile; the snapshot's routes name them. */
export type PlanId = string;

export interface Hit {
  /** Our own rules have ids 77xxxxx. */
  readonly rule: number;
  readonly severity: 'critical' | 'error' | 'warning' | 'notice';
  readonly message: string;
  /** Where it was found, for example `REQUEST_URI`. */
  readonly variable: string;
  /** At most 100 bytes, redacted. */
  readonly data: string;
}

/** What inspection says at one point. `refuse` is final; `flag` lets the request pass and is recorded. */
export interface InspectionAnswer {
  readonly point: 'request-head' | 'request-body';
  readonly verdict: 'pass' | 'flag' | 'refuse';
  /** Set exactly when the verdict is `refuse`. */
  readonly refusal?: Refusal;
  /** New since the last answer. */
  readonly hits: readonly Hit[];
  /** Send no more of the body: nothing further will be looked at. */
  readonly enough: boolean;
}

/** One request under inspection. Answers come in order, at most one per point. */
export interface Inspection {
  /** @returns false when enough was seen: send no more. */
  body(chunk: Uint8Array): boolean;
  bodyEnd(): void;
  /** The request is over; no answer after this. */
  close(outcome: string): void;
}

export interface InspectionHead {
  readonly head: RequestHead;
  readonly plan: PlanId;
  readonly tenant: string;
  readonly requestId: string;
}

/**
 * Says whether a request is hostile. The head is answered at once; a request with a body is answered a second time
 * after `bodyEnd`, or earlier when the body is refused. `answer` may be called before `open` or `body` returns.
 */
export interface Inspector {
  open(head: InspectionHead, answer: (answer: InspectionAnswer) => void): Inspection;
}
