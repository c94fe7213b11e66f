import type { AppName } from '@sallyport/contracts';
import { MergedMetrics, type Metrics, type MetricsPage } from '@sallyport/platform';

/** The metrics of this thread, whose exposition shows those of another thread as well. */
export class JointMetrics implements Metrics {
  readonly counter: Metrics['counter'];
  readonly gauge: Metrics['gauge'];
  readonly histogram: Metrics['histogram'];
  readonly merges: Metrics['merges'];

  /** @param other asked at every reading; undefined while the other thread is not there or does not answer. */
  constructor(
    private readonly own: Metrics,
    private readonly other: () => Promise<MetricsPage | undefined> | undefined,
  ) {
    this.counter = own.counter.bind(own);
    this.gauge = own.gauge.bind(own);
    this.histogram = own.histogram.bind(own);
    this.merges = own.merges.bind(own);
  }

  async exposition(): Promise<string> {
    const page = await this.other();
    const text = await this.own.exposition();
    if (!page) return text;
    const merged = new MergedMetrics();
    merged.update(0, page);
    return merged.exposition({ text, merges: this.own.merges() });
  }

  for(app: AppName): Metrics {
    return new JointMetrics(this.own.for(app), this.other);
  }
}
