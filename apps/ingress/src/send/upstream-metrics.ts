import type { Counter, Gauge, Labels, Metrics, ObservedCounter, Sliced } from '@sallyport/platform';
import type { TargetChange, UpstreamGroup } from '@sallyport/proxy';

/** What became of a copy: sent, or why it was not. */
export type Mirrored = 'sent' | 'dropped_busy' | 'dropped_body' | 'dropped_upstream';

/** The metrics of all upstreams; their labels come from configuration and are read where calls are counted anyway. */
export class UpstreamMetrics {
  private readonly calls: ObservedCounter;
  private readonly failures: ObservedCounter;
  private readonly retries: ObservedCounter;
  private readonly ejections: ObservedCounter;
  private readonly load: Gauge;
  private readonly serving: Gauge;
  private readonly changes: Counter;
  private readonly mirror: Counter;
  private readonly followed = new Map<
    string,
    { readonly state: UpstreamGroup['states'][number]; readonly labels: Labels }
  >();

  constructor(metrics: Metrics) {
    const labels = ['upstream', 'target'];
    this.calls = metrics.counter('sallyport_upstream_requests_total', 'Requests sent to a target', labels);
    this.failures = metrics.counter('sallyport_upstream_failures_total', 'Requests a target failed', labels);
    this.retries = metrics.counter('sallyport_upstream_retries_total', 'Requests that repeated another one', labels);
    this.ejections = metrics.counter('sallyport_upstream_ejections_total', 'Times a target was left out', labels);
    this.load = metrics.gauge('sallyport_upstream_inflight', 'Requests to a target under way', labels);
    this.serving = metrics.gauge('sallyport_upstream_serving', 'Whether a target takes requests', labels, 'min');
    this.changes = metrics.counter('sallyport_upstream_changes_total', 'Turns in the life of targets', [
      'upstream',
      'change',
    ]);
    this.mirror = metrics.counter('sallyport_upstream_mirrored_total', 'Copies of requests', ['upstream', 'outcome']);
  }

  /** Reads these targets from now on, and no others; those that are gone serve nobody. */
  *following(groups: Iterable<UpstreamGroup>): Sliced<void> {
    const gone = new Map(this.followed);
    for (const group of groups) {
      for (const state of group.states) {
        const labels = { upstream: group.id, target: state.target.client.authority + state.target.basePath };
        const key = `${labels.upstream} ${labels.target}`;
        gone.delete(key);
        if (this.followed.get(key)?.state === state) continue;
        this.followed.set(key, { state, labels });
        this.observe(group, state, labels);
      }
      yield;
    }
    for (const [key, { labels }] of gone) {
      this.followed.delete(key);
      this.load.observe(() => 0, labels);
      this.serving.observe(() => 0, labels);
    }
  }

  changed(upstream: string, change: TargetChange['change']): void {
    this.changes.add(1, { upstream, change });
  }

  mirrored(upstream: string, outcome: Mirrored): void {
    this.mirror.add(1, { upstream, outcome });
  }

  private observe(group: UpstreamGroup, state: UpstreamGroup['states'][number], labels: Labels): void {
    const { clock } = group.parts;
    this.calls.observe(() => state.calls, labels);
    this.failures.observe(() => state.failures, labels);
    this.retries.observe(() => state.retries, labels);
    this.ejections.observe(() => state.ejections, labels);
    this.load.observe(() => state.load, labels);
    this.serving.observe(() => (state.standing(clock.monotonic()) === 'serving' ? 1 : 0), labels);
  }
}
