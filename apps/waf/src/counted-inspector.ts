import type { Counter, CounterSeries, Histogram, Metrics } from '@sallyport/platform';
import type { Inspection, InspectionAnswer, InspectionHead, Inspector, MalformedRequest } from '@sallyport/waf';

const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5];

/** An inspector whose answers and hits are counted, whoever asks it. */
export class CountedInspector implements Inspector {
  private readonly decisions: Readonly<Record<InspectionAnswer['verdict'], CounterSeries>>;
  private readonly hits: Counter;
  private readonly skipped: Counter;
  private readonly cpu: CounterSeries;
  private readonly seconds: Histogram;

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
    this.skipped = metrics.counter('sallyport_waf_skipped_total', 'Answers that not all was looked at.', ['why']);
    this.cpu = metrics.counter('sallyport_waf_cpu_seconds_total', 'Processor time of the rules.').series({});
    this.seconds = metrics.histogram('sallyport_waf_inspection_seconds', 'Work for one answer.', SECONDS);
  }

  open(head: InspectionHead, answer: (answer: InspectionAnswer) => void): Inspection {
    let before = 0;
    return this.inspector.open(head, (given) => {
      this.count(given, before);
      before = given.cpuMicros;
      answer(given);
    });
  }

  malformed(request: MalformedRequest, answer: (answer: InspectionAnswer) => void): void {
    this.inspector.malformed(request, (given) => {
      this.count(given, 0);
      answer(given);
    });
  }

  /** @param before microseconds that were told with the answers before this one. */
  private count({ verdict, hits, inspected, cpuMicros }: InspectionAnswer, before: number): void {
    this.decisions[verdict].add();
    const seconds = (cpuMicros - before) / 1e6;
    if (seconds > 0) {
      this.cpu.add(seconds);
      this.seconds.record(seconds);
    }
    if (inspected.extent !== 'full') this.skipped.add(1, { why: inspected.why ?? inspected.extent });
    for (const { rule } of hits) this.hits.add(1, { rule: String(rule) });
  }
}
