import { createMetrics, MAX_SERIES } from './metrics';

describe('metrics', () => {
  it('shows counters, gauges and histograms with the application as a label', async () => {
    const metrics = createMetrics('ingress');
    const requests = metrics.counter('sallyport_ingress_requests_total', 'Requests.', ['route']);
    requests.add(1, { route: 'orders' });
    requests.add(2, { route: 'orders' });
    metrics.gauge('sallyport_ingress_inflight', 'Under way.').set(7);
    metrics.gauge('sallyport_spool_events', 'Waiting.').observe(() => 3);
    metrics.histogram('sallyport_consult_seconds', 'Consults.', [0.1, 1], ['service']).record(0.5, { service: 'waf' });
    const page = await metrics.exposition();
    expect(page).toContain('# TYPE sallyport_ingress_requests_total counter');
    expect(page).toContain('sallyport_ingress_requests_total{app="ingress",route="orders"} 3\n');
    expect(page).toContain('sallyport_ingress_inflight{app="ingress"} 7\n');
    expect(page).toContain('sallyport_spool_events{app="ingress"} 3\n');
    expect(page).toContain('sallyport_consult_seconds_bucket{app="ingress",service="waf",le="0.1"} 0\n');
    expect(page).toContain('sallyport_consult_seconds_bucket{app="ingress",service="waf",le="1"} 1\n');
    expect(page).not.toMatch(/otel_scope|target_info/);
  });

  it('joins the applications of one process under one heading', async () => {
    const metrics = createMetrics('ingress');
    metrics.counter('sallyport_x_total', 'X.').add(1);
    metrics.for('waf').counter('sallyport_x_total', 'X.').add(5);
    const page = await metrics.exposition();
    expect(page.match(/# TYPE sallyport_x_total counter/g)).toHaveLength(1);
    expect(page).toContain('sallyport_x_total{app="ingress"} 1\n');
    expect(page).toContain('sallyport_x_total{app="waf"} 5\n');
  });

  it.each(['counter', 'histogram'] as const)('counts a %s without end of label values under other', async (kind) => {
    const metrics = createMetrics('ingress');
    for (let index = 0; index < MAX_SERIES + 500; index++) {
      const labels = { model: `m${index}` };
      if (kind === 'counter') metrics.counter('sallyport_y_total', 'Y.', ['model']).add(1, labels);
      else metrics.histogram('sallyport_y', 'Y.', [1], ['model']).record(1, labels);
    }
    const page = await metrics.exposition();
    const name = kind === 'counter' ? 'sallyport_y_total' : 'sallyport_y_count';
    const series = page.split('\n').filter((line) => line.startsWith(`${name}{`));
    expect(series).toHaveLength(MAX_SERIES + 1);
    expect(series).toContain(`${name}{app="ingress",model="other"} 500`);
    expect(page).not.toContain('otel_metric_overflow');
  });

  it('refuses one name for two kinds of metric', () => {
    const metrics = createMetrics('ingress');
    metrics.counter('sallyport_z_total', 'Z.');
    expect(() => metrics.gauge('sallyport_z_total', 'Z.')).toThrow(RangeError);
    expect(() => metrics.counter('sallyport_z_total', 'Z.', ['route'])).toThrow(RangeError);
  });
});
