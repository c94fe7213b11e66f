import { aiV1, uuidv7, type PicoUsd } from '@sallyport/contracts';
import { costOf } from '../prices/cost';
import type { Usage } from '../usage';
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

/** Receipts hold less than a million USD; an attempt that costs more by its price list is written down as this much. */
const DEAREST: PicoUsd = 10n ** 18n - 1n;

/** The receipt of one attempt: complete in itself, so that it can be kept and sent on as it is. */
export function settlementOf(call: ChatCall, attempt: aiV1.Attempt, result: AttemptResult): aiV1.Settlement {
  // A call that was never made, or died before it used anything, costs nothing even where the price is unknown.
  const cost = result.source === aiV1.UsageSource.USAGE_SOURCE_NONE ? 0n : costOf(result.usage, attempt.price);
  return {
    requestId: call.requestId,
    n: attempt.n,
    ...result,
    costPicoUsd: cost === undefined ? 0n : cost > DEAREST ? DEAREST : cost,
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
