import { aiV1, uuidv7 } from '@sallyport/contracts';
import { costOf } from '../prices/cost';
import { noUsage, type Usage } from '../usage';
import type { ChatCall } from './chat-call';

/** What one attempt came to. */
export interface AttemptResult {
  readonly outcome: aiV1.Outcome;
  /** Status the provider answered; 0: none. */
  readonly status: number;
  readonly usage: Usage;
  readonly source: aiV1.UsageSource;
  /** Milliseconds since the attempt began; 0: never came. */
  readonly headMs: number;
  readonly firstContentMs: number;
  readonly totalMs: number;
}

/** The receipt of one attempt: complete in itself, so that it can be kept and sent on as it is. */
export function settlementOf(call: ChatCall, attempt: aiV1.Attempt, result: AttemptResult): aiV1.Settlement {
  // A call that was never made, or died before it used anything, costs nothing even where the price is unknown.
  const cost = result.source === aiV1.UsageSource.USAGE_SOURCE_NONE ? 0n : costOf(result.usage, attempt.price);
  return {
    requestId: call.requestId,
    n: attempt.n,
    ...result,
    costPicoUsd: cost ?? 0n,
    priceVersion: attempt.price?.version ?? '',
    unpriced: cost === undefined,
    virtualModel: call.planned.plan.virtualModel,
    provider: attempt.provider,
    model: attempt.model,
    tenant: call.tenant,
    consumer: call.consumer,
    credential: call.credential,
    eventId: uuidv7(call.clock.now(), call.random),
  };
}

/** Vendors send about one token an event: good enough where a vendor reports nothing, and marked as estimated. */
export function estimatedUsage(inputBytes: number, outputTokens: number): Usage {
  return { ...noUsage(), input: BigInt(Math.ceil(inputBytes / BYTES_PER_TOKEN)), output: BigInt(outputTokens) };
}

/** English prose and JSON both lie near it for the tokenisers in use. */
export const BYTES_PER_TOKEN = 4;
