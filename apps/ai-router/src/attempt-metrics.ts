import { aiV1 } from '@sallyport/contracts';
import { outcomeName } from '@sallyport/ai';
import type { Metrics } from '@sallyport/platform';

const PICO = 1e12;

/** Counts how attempts end; labels are names of the configuration, never what a caller wrote. */
export function attemptMetrics(metrics: Metrics): (settlement: aiV1.Settlement) => void {
  const attempts = metrics.counter('sallyport_ai_attempts_total', 'Attempts by how they ended', [
    'provider',
    'outcome',
  ]);
  const cost = metrics.counter('sallyport_ai_cost_usd_total', 'What attempts cost, as far as prices are known', [
    'model',
  ]);
  const estimated = metrics.counter('sallyport_ai_estimated_total', 'Attempts whose usage is an estimate');
  return (settlement) => {
    const { provider, outcome, virtualModel, costPicoUsd, source } = settlement;
    if (outcome === aiV1.Outcome.OUTCOME_UNSPECIFIED || outcome === aiV1.Outcome.UNRECOGNIZED) return;
    attempts.add(1, { provider, outcome: outcomeName(outcome) });
    cost.add(Number(costPicoUsd) / PICO, { model: virtualModel });
    if (source === aiV1.UsageSource.USAGE_SOURCE_ESTIMATED) estimated.add();
  };
}
