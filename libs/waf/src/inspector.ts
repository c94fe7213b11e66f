import type { Field, Refusal, RequestHead } from '@sallyport/contracts';

/**
 * The text of a plan, which is its own id: `structural:block`, or profile, mode and what differs from them, as in
 * `json-api:detect:{"paranoia":{"detect":2}}`. See `planId` and `compilePlan`.
 */
export type PlanId = string;

/** Phases of SecLang: request head, request body, response head, response body, log. */
export type Phase = 1 | 2 | 3 | 4 | 5;

/** Of ModSecurity, gravest first. */
export type Severity = 'emergency' | 'alert' | 'critical' | 'error' | 'warning' | 'notice' | 'info' | 'debug';

export interface Hit {
  /** Our own rules have ids 77xxxxx. */
  readonly rule: number;
  readonly phase: Phase;
  readonly severity: Severity;
  /** Paranoia level of the rule, 1 to 4; 0 where it has none. */
  readonly paranoia: number;
  readonly message: string;
  readonly tags: readonly string[];
  /** Where it was found, for example `REQUEST_URI`. */
  readonly variable: string;
  /** At most 100 bytes, printable, with what may be a credential masked. */
  readonly data: string;
  /** Values that matched, this one included. */
  readonly count: number;
  /** Found after a part of the answer had gone to the caller. */
  readonly late: boolean;
}

/** Anomaly scores so far. Those of detection count every rule that ran, those of blocking only the levels that block. */
export interface Scores {
  readonly inbound: { readonly detection: number; readonly blocking: number };
  readonly outbound: { readonly detection: number; readonly blocking: number };
  /** By category, such as `sqli`; those of 0 are left out. */
  readonly categories: Readonly<Record<string, number>>;
}

/** How much of what was shown was looked at. Nothing is ever left out in silence. */
export interface Inspected {
  readonly extent: 'full' | 'partial' | 'skipped' | 'exhausted';
  /** Bytes of bodies that were looked at. */
  readonly bytes: number;
  /** Why not all: `body-limit`, `file-content`, `opaque-type`, `off`, `budget`; undefined where all was. */
  readonly why: string | undefined;
}

export type Point = 'request-head' | 'request-body' | 'response-head' | 'response-body' | 'malformed';

/** What inspection says at one point. `refuse` is final; `flag` lets the request or answer pass and is recorded. */
export interface InspectionAnswer {
  readonly point: Point;
  readonly verdict: 'pass' | 'flag' | 'refuse';
  /** Set exactly when the verdict is `refuse`. */
  readonly refusal?: Refusal;
  /** New since the last answer. */
  readonly hits: readonly Hit[];
  /** Send no more of the body: nothing further will be looked at. */
  readonly enough: boolean;
  /** Undefined where no rule counts. */
  readonly scores?: Scores;
  readonly inspected: Inspected;
  /** Name and version of the rules that ran: `built-in`, `crs-4.28.0`. */
  readonly ruleset: string;
  /** Processor time of this exchange so far, where it was measured. */
  readonly cpuMicros: number;
}

/** Head of an answer as the upstream gave it. */
export interface ResponseHead {
  readonly status: number;
  /** Names in lower case, in the order received. */
  readonly fields: readonly Field[];
  /** Of the protocol the answer came by: 1.0, 1.1, 2. */
  readonly version: string;
}

/**
 * One request under inspection, and its answer where the plan has answers inspected. Answers come in order, at most one
 * per point; a step that is not asked for is not needed.
 */
export interface Inspection {
  /** @returns false when enough was seen: send no more. */
  body(chunk: Uint8Array): boolean;
  bodyEnd(): void;
  /** Shows the head of the answer; answered at `response-head`. */
  response(head: ResponseHead): void;
  /** @returns false when enough was seen. A refusal comes at `response-body`, at any time. */
  responseBody(chunk: Uint8Array): boolean;
  /** Answered at `response-body`, also where there was no body; the hits of phase 5 come with it. */
  responseEnd(): void;
  /** The request is over, and phase 5 runs where it has not; no answer after this. */
  close(outcome: string): void;
}

export interface InspectionHead {
  readonly head: RequestHead;
  readonly plan: PlanId;
  readonly tenant: string;
  readonly requestId: string;
  /** Id of the route: `service/version/route`; left out: of none. */
  readonly route?: string;
}

/** Bytes that no request could be read from, or one that was refused before it had a head. */
export interface MalformedRequest {
  /** As received, from the first byte of the request on; at most 16 KiB are looked at. */
  readonly packet: Uint8Array;
  readonly plan: PlanId;
  readonly tenant: string;
  readonly requestId: string;
  readonly clientAddress: string;
}

/** Whether a plan has answers inspected, and how they are held back. See `responseInspection`. */
export interface ResponseInspection {
  /** Whether an answer can be refused. */
  readonly blocks: boolean;
  /** Bytes that wait for their verdict where it can. */
  readonly holdBytes: number;
}

/**
 * Says whether a request is hostile. The head is answered at once; a request with a body is answered a second time
 * after `bodyEnd`, or earlier when the body is refused. `answer` may be called before `open` or `body` returns.
 */
export interface Inspector {
  open(head: InspectionHead, answer: (answer: InspectionAnswer) => void): Inspection;
  /** Runs the rules over what could be read of it, for the record: the answer never is a pass to anywhere. */
  malformed(request: MalformedRequest, answer: (answer: InspectionAnswer) => void): void;
}
