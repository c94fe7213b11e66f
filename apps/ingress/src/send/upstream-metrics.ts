import type { Counter, Gauge, Metrics, ObservedCounter } from '@sallyport/platform';
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

  /** Reads the targets of a group from now on. */
  follow(group: UpstreamGroup): void {
    for (const [at, state] of group.states.entries()) {
      const labels = { upstream: group.id, target: `${at} ${state.target.client.authority}` };
      this.calls.observe(() => state.calls, labels);
      this.failures.observe(() => state.failures, labels);
      this.retries.observe(() => state.retries, labels);
      this.ejections.observe(() => state.ejections, labels);
      this.load.observe(() => state.load, labels);
      this.serving.observe(() => (state.standing(group.parts.clock.monotonic()) === 'serving' ? 1 : 0), labels);
    }
  }

  changed(upstream: string, change: TargetChange['change']): void {
    this.changes.add(1, { upstream, change });
  }

  mirrored(upstream: string, outcome: Mirrored): void {
    this.mirror.add(1, { upstream, outcome });
  }
}
