import type { z } from 'zod';
import type { Principal, Refusal, RequestHead, SnapshotRoute } from '@sallyport/contracts';
import type { Charge } from '@sallyport/limits';
import type { PlanId } from '@sallyport/waf';

/** What a policy may see and change of one request. */
export interface PolicyExchange {
  readonly route: SnapshotRoute;
  /** Anonymous callers have none. */
  readonly principal: Principal | undefined;
  /** Lowers the number of body bytes this request may carry; a chunked body announces none and is counted as it is read. */
  capBody(maxBytes: number): void;
}

export interface PolicyInput {
  readonly request: RequestHead;
  readonly exchange: PolicyExchange;
}

/** Lets the request go on. */
export const pass = undefined;
export type Pass = typeof pass;

/** Runs on the head alone, before any service is asked. */
export type AdmitStep = (input: PolicyInput) => Pass | Refusal;
/** Names what is to be counted; the limiter is asked once for all charges of a request. */
export type LimitStep = (input: PolicyInput) => Charge | undefined;
/** How a route is inspected, and what happens when nobody can. */
export interface InspectStep {
  readonly plan: PlanId;
  readonly onFailure: 'deny' | 'allow_flagged';
}

interface PolicySpec<Id extends string, Config extends z.ZodType> {
  /** Folder, key in configuration and page in the documentation. */
  readonly id: Id;
  /** One sentence for the documentation. */
  readonly summary: string;
  readonly config: Config;
  /** A configuration that works, for the documentation and its test. */
  readonly example: z.input<Config>;
}

export type Policy<Id extends string = string, Config extends z.ZodType = z.ZodType> = PolicySpec<Id, Config> &
  (
    | { readonly phase: 'admit'; compile(config: z.output<Config>, route: SnapshotRoute): AdmitStep }
    | { readonly phase: 'limit'; compile(config: z.output<Config>, route: SnapshotRoute): LimitStep }
    | { readonly phase: 'inspect'; compile(config: z.output<Config>, route: SnapshotRoute): InspectStep | undefined }
  );

/** Declares a policy: data plus one compile step; the request path only runs the result. */
export function definePolicy<Id extends string, Config extends z.ZodType>(
  policy: Policy<Id, Config>,
): Policy<Id, Config> {
  return policy;
}
