import type { Counter, CounterSeries, Histogram, Metrics } from '@sallyport/platform';
import {
  automata,
  compilePlan,
  type Inspection,
  type InspectionAnswer,
  type InspectionHead,
  type Inspector,
  type MalformedRequest,
} from '@sallyport/waf';

const SECONDS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5];

/** An inspector whose answers and hits are counted, whoever asks it. */
export class CountedInspector implements Inspector {
  private readonly decisions: Readonly<Record<InspectionAnswer['verdict'], CounterSeries>>;
  private readonly hits: Counter;
  private readonly skipped: Counter;
  private readonly exhausted: Counter;
  private readonly flushes: Counter;
  private flushesCounted = 0;
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
    this.hits = metrics.counter('sallyport_waf_rule_hits_total', 'Rules that matched.', ['rule']);
    this.skipped = metrics.counter('sallyport_waf_skipped_total', 'Answers that not all was looked at.', ['why']);
    this.exhausted = metrics.counter(
      'sallyport_waf_exhausted_total',
      'Inspections that gave up, since they took all the time they may take or met a fault of ours.',
      ['profile'],
    );
    metrics.gauge('sallyport_waf_states', 'States that automata of rules hold.').observe(() => automata().states);
    this.flushes = metrics.counter(
      'sallyport_waf_flushes_total',
      'Times that an automaton threw its states away, since they took too much room.',
    );
    this.cpu = metrics.counter('sallyport_waf_cpu_seconds_total', 'Processor time of the rules.').series({});
    this.seconds = metrics.histogram('sallyport_waf_inspection_seconds', 'Work for one answer.', SECONDS);
  }

  open(head: InspectionHead, answer: (answer: InspectionAnswer) => void): Inspection {
    let before = 0;
    let exhausted = false;
    return this.inspector.open(head, (given) => {
      this.count(given, before);
      if (given.inspected.extent === 'exhausted' && !exhausted) {
        exhausted = true;
        this.exhausted.add(1, { profile: compilePlan(head.plan).profile });
      }
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
    const { flushes } = automata();
    if (flushes > this.flushesCounted) this.flushes.add(flushes - this.flushesCounted);
    this.flushesCounted = flushes;
    for (const { rule } of hits) this.hits.add(1, { rule: String(rule) });
  }
}
