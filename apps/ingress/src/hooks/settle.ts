import type { Logger } from '@sallyport/platform';
import type { Exchange } from '../exchange';

/** Tells the policies of a route how a request ended, once; what they took, they give back here. */
export function settlePolicies(exchange: Exchange, logger: Logger): void {
  const ofModel = exchange.modelPolicies?.settle;
  const ofRoute = exchange.compiled?.settle;
  const steps = ofRoute && ofModel ? [...ofRoute, ...ofModel] : (ofModel ?? ofRoute);
  if (!steps || steps.length === 0 || exchange.settled) return;
  exchange.settled = true;
  const { answer, refusal, outcome } = exchange;
  const settled = {
    status: answer.status,
    refusal,
    bytesIn: exchange.body.bytes,
    bytesOut: answer.bytes,
    aborted: outcome === undefined || outcome === 'client_aborted',
  };
  for (const { id, run } of steps) {
    try {
      run(exchange.policyInput, settled);
    } catch (error) {
      // The answer is decided, and the other policies still have to give back what they hold.
      logger.error(
        { err: error, request_id: exchange.requestId, policy: id },
        'a policy failed at the end of a request',
      );
    }
  }
}
