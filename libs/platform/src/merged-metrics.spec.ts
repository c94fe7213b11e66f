import fc from 'fast-check';
import { MergedMetrics, type MetricsPage } from './merged-metrics';
import { createMetrics, type Metrics } from './metrics';

const pageOf = async (metrics: Metrics): Promise<MetricsPage> => ({
  text: await metrics.exposition(),
  merges: metrics.merges(),
});

describe('metrics of several processes in one exposition', () => {
  const processOf = (served: number, revision: number) => {
    const metrics = createMetrics('ingress');
    metrics.counter('sallyport_test_total', 'Served.', ['code']).add(served, { code: 'a "quoted" value' });
    metrics.gauge('sallyport_test_open', 'Open.').set(served);
    metrics.gauge('sallyport_test_revision', 'In use.', [], 'min').set(revision);
    metrics.gauge('sallyport_test_delay', 'Late.', [], 'max').set(served);
    const seconds = metrics.histogram('sallyport_test_seconds', 'Taken.', [0.1, 1]);
    for (let at = 0; at < served; at++) seconds.record(at);
    return metrics;
  };

  it('adds counters, histograms and plain gauges, and keeps the least or greatest where a gauge says so', async () => {
    const merged = new MergedMetrics();
    merged.update(1, await pageOf(processOf(3, 7)));
    merged.update(2, await pageOf(processOf(2, 6)));
    const text = merged.exposition();
    expect(text).toContain('sallyport_test_total{app="ingress",code="a \\"quoted\\" value"} 5\n');
    expect(text).toContain('sallyport_test_open{app="ingress"} 5\n');
    expect(text).toContain('sallyport_test_revision{app="ingress"} 6\n');
    expect(text).toContain('sallyport_test_delay{app="ingress"} 3\n');
    expect(text).toContain('sallyport_test_seconds_count{app="ingress"} 5\n');
    expect(text).toContain('sallyport_test_seconds_bucket{app="ingress",le="0.1"} 2\n');
    expect(text).toContain('sallyport_test_seconds_bucket{app="ingress",le="+Inf"} 5\n');
    expect(text.match(/# TYPE sallyport_test_total /g)).toHaveLength(1);
  });

  it('counts on from where a process that has ended left off, and forgets what it was', async () => {
    const merged = new MergedMetrics();
    merged.update(1, await pageOf(processOf(3, 7)));
    merged.update(2, await pageOf(processOf(2, 6)));
    merged.depart(2);
    merged.update(2, await pageOf(processOf(1, 8)));
    const text = merged.exposition();
    expect(text).toMatch(/^sallyport_test_total\{.*\} 6$/m);
    expect(text).toMatch(/^sallyport_test_seconds_count\{.*\} 6$/m);
    expect(text).toMatch(/^sallyport_test_open\{.*\} 4$/m);
    expect(text).toMatch(/^sallyport_test_revision\{.*\} 7$/m);
  });

  it('never lets a counter fall, whatever comes and goes', () => {
    const page = (value: number): MetricsPage => ({
      text: `# TYPE c counter\nc{app="ingress"} ${value}\n`,
      merges: {},
    });
    const steps = fc.array(fc.record({ member: fc.integer({ min: 1, max: 3 }), more: fc.nat(9), ends: fc.boolean() }));
    fc.assert(
      fc.property(steps, (all) => {
        const merged = new MergedMetrics();
        const counts = new Map<number, number>();
        let total = 0;
        for (const { member, more, ends } of all) {
          counts.set(member, (counts.get(member) ?? 0) + more);
          total += more;
          merged.update(member, page(counts.get(member)!));
          if (ends) merged.depart(member);
          if (ends) counts.delete(member);
          expect(merged.exposition()).toContain(`c{app="ingress"} ${total}\n`);
        }
      }),
    );
  });
});
