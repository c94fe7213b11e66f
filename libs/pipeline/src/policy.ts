import type { z } from 'zod';
import type {
  Clock,
  Principal,
  RandomBytes,
  Refusal,
  RequestHead,
  RoutePriority,
  SnapshotRoute,
  SnapshotUpstream,
  WafSettings,
} from '@sallyport/contracts';
import type { Timers } from '@sallyport/ai';
import type { Charge, Spending } from '@sallyport/limits';
import type { RawFields, UpstreamTimeouts } from '@sallyport/proxy';
import type { PlanId, ResponseInspection } from '@sallyport/waf';
import type { AnswerDraft, RequestDraft } from './draft';
import type { SharedStore } from './shared-store';

/** What a policy may see and change of one request. */
export interface PolicyExchange {
  readonly route: SnapshotRoute;
  readonly requestId: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Characters of the path that the route's prefix took. */
  readonly matched: number;
  /** Undefined before `authorised`, and for anonymous callers. */
  readonly principal: Principal | undefined;
  /** Whether the route's canary is meant to answer, as long as it can be called; the same whenever it is asked. */
  readonly meantForCanary: boolean;
  /** Whether an upstream may have had something of this request: not while nobody was asked, or nobody could be connected to. */
  readonly isSentOn: boolean;
  /** An upstream of the configuration that this request started on. The same object as long as nothing of it changes. */
  upstream(id: string): SnapshotUpstream | undefined;
  /** Lowers the number of body bytes this request may carry; a chunked body announces none and is counted as it is read. */
  capBody(maxBytes: number): void;
  /** Keeps what one hook of a policy wants to tell another one on the same request; `owner` is the policy's own hooks or any object of its own. */
  keep(owner: object, value: unknown): void;
  kept(owner: object): unknown;
  /** Calls back when the exchange is over, however it ended; at once when it is over already. */
  onClose(closer: () => void): void;
  /** Wraps a callback that somebody else will call: a throw in it is this request's 500, not the end of the process. */
  guarded<Values extends unknown[]>(callback: (...values: Values) => void): (...values: Values) => void;
  /** Ends the request with a refusal from outside the hooks' order: a deadline that rang. Cuts the answer when it has begun. */
  abandon(refusal: Refusal): void;
}

export interface PolicyInput {
  readonly request: RequestHead;
  readonly exchange: PolicyExchange;
}

/** Lets the request go on. */
export const pass = undefined;
export type Pass = typeof pass;

/** An answer in the place of the upstream's. */
export interface Reply {
  readonly replied: true;
  readonly status: number;
  /** Names in lower case, without framing: the length follows from the body. */
  readonly fields: RawFields;
  readonly body: Uint8Array;
}

const NO_BODY = new Uint8Array(0);

/** Answers the request here and now; the answer hooks of the policies before this one still see it. */
export function reply(status: number, fields: RawFields = [], body: Uint8Array = NO_BODY): Reply {
  return { replied: true, status, fields, body };
}

export function isReply(value: unknown): value is Reply {
  return typeof value === 'object' && value !== null && (value as { replied?: unknown }).replied === true;
}

export type Verdict = Pass | Refusal | Reply;
/** Called once, at once or later; what comes after the first call, or after the exchange is over, is dropped. */
export type Done<Value = Verdict> = (value: Value) => void;

/** How a route is inspected, and what happens when nobody can. */
export interface InspectStep {
  readonly plan: PlanId;
  readonly onFailure: 'deny' | 'allow_flagged';
  /** What rules find is refused; otherwise it is recorded. */
  readonly blocks: boolean;
  /** Undefined: its answers are not looked at, and nobody is asked about them. */
  readonly response: ResponseInspection | undefined;
}

/** Receives a body piece by piece. Nothing is called after `end` or `close`. */
export interface BodyTransform {
  /** @returns false when no more is wanted before `out.room()`. */
  data(chunk: Buffer): boolean;
  end(): void;
  /** The reader has room again after `out.data` returned false. */
  resume?(): void;
  /** The exchange ended before the body did. */
  close?(): void;
}

/** Where a transform puts what it makes. */
export interface BodyOut {
  /** @returns false when no more is wanted before `resume`. */
  data(chunk: Buffer): boolean;
  end(): void;
  /** More input is wanted after `data` of the transform returned false. */
  room(): void;
  /** Gives up: a refusal while the caller has nothing yet, else the end of the connection. */
  refuse(refusal: Refusal): void;
}

/** Wants the body in one piece. */
export interface WholeRequestBody {
  readonly mode: 'whole';
  /** A larger body is refused with 413, before it is read where its length is announced. */
  readonly maxBytes: number;
  /** Asked on the head; without it every request is meant, and one without a body has an empty one. */
  wants?(input: PolicyInput): boolean;
  /** `done` with a Buffer replaces the body. The draft may still be edited. */
  run(input: PolicyInput, body: Buffer, draft: RequestDraft, done: Done<Verdict | Buffer>): void;
}

/** Changes the body as it passes; the length is then unknown and goes up in chunks. */
export interface StreamedRequestBody {
  readonly mode: 'stream';
  /** @returns undefined to let the body pass untouched. Nothing may be written before this returns. */
  open(input: PolicyInput, draft: RequestDraft, out: BodyOut): BodyTransform | undefined;
}

/** Wants the answer's body in one piece; the head is held back until then. */
export interface WholeAnswerBody {
  readonly mode: 'whole';
  readonly maxBytes: number;
  /** What becomes of an answer that is larger: passed on as it is, or a 502. */
  readonly larger: 'pass' | 'refuse';
  /** Asked on the head of the answer, after all `answerHead` hooks. */
  wants(input: PolicyInput, draft: AnswerDraft): boolean;
  /** `done` with a Buffer replaces the body. Status and fields of the draft may still be edited. */
  run(input: PolicyInput, draft: AnswerDraft, body: Buffer, done: Done<Pass | Refusal | Buffer>): void;
}

/** Sees or changes the answer's body as it passes. Whoever changes it removes `content-length` from the draft. */
export interface StreamedAnswerBody {
  readonly mode: 'stream';
  /** @returns undefined to let the body pass untouched. Nothing may be written before this returns. */
  open(input: PolicyInput, draft: AnswerDraft, out: BodyOut): BodyTransform | undefined;
}

/** How a request ended. */
export interface Settled {
  /** 0 when no head was given. */
  readonly status: number;
  readonly refusal: Refusal | undefined;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** The caller went away before it had everything. */
  readonly aborted: boolean;
}

/**
 * What a policy does, in the order in which a request meets it. Every hook is optional; each is compiled into a list of
 * its own on the route, so that an absent one costs nothing. Policies run in the order of the file, answer hooks in
 * reverse. A throw in a hook is that request's 500.
 */
export interface PolicyHooks {
  /** On the head alone, before anyone is asked who is calling. */
  readonly admit?: (input: PolicyInput) => Verdict;
  /** The caller is known; nothing was counted yet. */
  readonly authorised?: (input: PolicyInput, done: Done) => void;
  /** Names what is to be counted; the limiter is asked once for all charges of a request. */
  readonly charges?: (input: PolicyInput) => Charge | readonly Charge[] | undefined;
  /** Over what the route says of its inspection; the last one of a route holds. */
  readonly inspection?: WafSettings;
  /** Edits the head of what goes upstream; runs before the body is read. */
  readonly shape?: (input: PolicyInput, draft: RequestDraft) => Pass | Refusal;
  readonly requestBody?: WholeRequestBody | StreamedRequestBody;
  /** The request is let in, counted, inspected and shaped: the last chance to answer in the upstream's place. */
  readonly intercept?: (input: PolicyInput, done: Done, draft: RequestDraft) => void;
  /** The upstream gave no answer. A reply takes its place, and passes the answer hooks of the policies before this one. */
  readonly upstreamFailed?: (input: PolicyInput, refusal: Refusal) => Pass | Reply;
  /**
   * Edits the head of every answer of the route, refusals included: see `draft.origin`. A reply takes the place of an
   * answer, and passes the hooks of the policies before this one; a refusal stays one.
   */
  readonly answerHead?: (input: PolicyInput, draft: AnswerDraft) => Verdict;
  /** Answers of the upstream and replies of later policies; never refusals, HEAD, 204 or 304. */
  readonly answerBody?: WholeAnswerBody | StreamedAnswerBody;
  /** Once a request, on whatever way it ended, just before it is put on record. Gives back what a hook took. */
  readonly settle?: (input: PolicyInput, settled: Settled) => void;
  /** The route limits bodies itself, so the listener's default steps back (ADR 0007). */
  readonly limitsBody?: boolean;
  /** Answers what browsers ask before they call the route from a page; `admit` then lets no such question on. */
  readonly answersPreflight?: boolean;
  /** Who is turned away first when this process is busy; before any hook is called. */
  readonly priority?: RoutePriority;
  /** Takes the place of the upstream's own for this route. */
  readonly timeouts?: Partial<UpstreamTimeouts>;
  /** No further request will start on this instance; those under way still settle. */
  readonly retire?: () => void;
}

/** What a policy may work with beside its configuration. */
export interface PolicyServices {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly timers: Timers;
  /** Kept beyond one request, and seen by every process where the deployment has a place for it. */
  readonly store: SharedStore;
  /** Processes that serve the same traffic, at least 1: what each keeps of a limit that is not counted centrally. */
  peers(): number;
  /** Counts against limits after the fact: what a request turned out to weigh. */
  charge(tenant: string, charges: readonly Charge[], done: (spending: Spending) => void): void;
}

export interface Policy<Id extends string = string, Config extends z.ZodType = z.ZodType> {
  /** Folder, key in configuration and page in the documentation. */
  readonly id: Id;
  /** One sentence for the documentation. */
  readonly summary: string;
  /** Accepts exactly what `compile` can compile: the catalog refuses at publish what it does not. */
  readonly config: Config;
  /**
   * Fields of the request that a configuration goes by, in lower case. The catalog refuses those that never arrive when it
   * publishes; what was published before stays in force.
   */
  reads?(config: z.output<Config>): readonly string[];
  /** A configuration that works, for the documentation and its test. */
  readonly example: z.input<Config>;
  /**
   * Runs when a configuration is compiled. State kept in the closure belongs to this instance and survives a swap of
   * the configuration as long as the policy's own configuration and its route's identity are unchanged.
   */
  compile(config: z.output<Config>, route: PolicyRoute, services: PolicyServices): PolicyHooks;
}

/** The part of a route that a compiled policy may build upon: it outlives a revision in which only the rest changed. */
export type PolicyRoute = Pick<SnapshotRoute, 'id' | 'tenant' | 'service' | 'version' | 'class' | 'match'>;

/** Declares a policy: data plus one compile step; the request path only runs the result. */
export function definePolicy<Id extends string, Config extends z.ZodType>(
  policy: Policy<Id, Config>,
): Policy<Id, Config> {
  return policy;
}
