import type { Counter, CounterSeries, Metrics } from '@sallyport/platform';
import type { Inspection, InspectionAnswer, InspectionHead, Inspector, MalformedRequest } from '@sallyport/waf';

/** An inspector whose answers and hits are counted, whoever asks it. */
export class CountedInspector implements Inspector {
  private readonly decisions: Readonly<Record<InspectionAnswer['verdict'], CounterSeries>>;
  private readonly hits: Counter;

  constructor(
    private readonly inspector: Inspector,
    metrics: Metrics,
  ) {
    const decisions = metrics.counter('sallyport_waf_decisions_total', 'Answers of the inspector.', ['action']);
    this.decisions = {
      pass: decisions.series({ action: 'pass' }),
      flag: decisions.series({ action: 'flag' }),
      refuse: decisions.series({ action: 'refuse' }),
    };
    this.hits = metrics.counter('sallyport_waf_hits_total', 'Rules that matched.', ['rule']);
  }

  open(head: InspectionHead, answer: (answer: InspectionAnswer) => void): Inspection {
    return this.inspector.open(head, (given) => {
      this.count(given);
      answer(given);
    });
  }

  malformed(request: MalformedRequest, answer: (answer: InspectionAnswer) => void): void {
    this.inspector.malformed(request, (given) => {
      this.count(given);
      answer(given);
    });
  }

  private count({ verdict, hits }: InspectionAnswer): void {
    this.decisions[verdict].add();
    for (const { rule } of hits) this.hits.add(1, { rule: String(rule) });
  }
}
