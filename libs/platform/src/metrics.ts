import type { Attributes, Meter } from '@opentelemetry/api';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { emptyResource } from '@opentelemetry/resources';
import { AggregationType, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import type { AppName } from '@sallyport/contracts';

/** Label values by label name; they come from configuration, never from what a caller sent. */
export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  /** @param value what is added, 1 unless said; never negative. */
  add(value?: number, labels?: Labels): void;
}

export interface ObservedCounter extends Counter {
  /** Asks for the sum whenever the metrics are read, where someone counts already; it never falls but to begin anew. */
  observe(read: () => number, labels?: Labels): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
  /** Asks for the value whenever the metrics are read; the labels are this series'. */
  observe(read: () => number, labels?: Labels): void;
}

export interface Histogram {
  record(value: number, labels?: Labels): void;
}

/** The metrics of one application. All applications of a process share one exposition, told apart by the label `app`. */
export interface Metrics {
  /** @param name `sallyport_<area>_<noun>_<unit>_total`. Asking again for a name gives the same instrument. */
  counter(name: string, help: string, labels?: readonly string[]): ObservedCounter;
  /** @param merged how the values of several processes that answer as one become one value; `sum` unless said. */
  gauge(name: string, help: string, labels?: readonly string[], merged?: MergedAs): Gauge;
  /** @param buckets upper bounds, rising. */
  histogram(name: string, help: string, buckets: readonly number[], labels?: readonly string[]): Histogram;
  /** Every metric of the process in the text format of Prometheus. */
  exposition(): Promise<string>;
  /** The gauges that are not summed when the pages of several processes are merged. */
  merges(): Readonly<Record<string, MergedAs>>;
  /** The same process seen by another application. */
  for(app: AppName): Metrics;
}

/** How a gauge of several processes becomes one value. */
export type MergedAs = 'sum' | 'max' | 'min';

/** Series one metric may have before further label values are counted under `other`. */
export const MAX_SERIES = 2000;

/** Makes the metrics of a process, as `app` sees them. */
export function createMetrics(app: AppName): Metrics {
  const reader = new PullReader();
  const views = new MeterProvider({ readers: [reader] });
  return new ProcessMetrics(app, new Registry(views.getMeter('sallyport')), reader);
}

/** Reads when asked; the OTel exporter would bring a listener of its own. */
class PullReader extends MetricReader {
  private readonly serializer = new PrometheusSerializer(undefined, false, undefined, true, true);

  constructor() {
    super({
      aggregationSelector: () => ({ type: AggregationType.DEFAULT }),
      // The bound is kept by SeriesTable, which knows what `other` means; OTel's own must not come first.
      cardinalitySelector: () => 2 * MAX_SERIES,
    });
  }

  async exposition(): Promise<string> {
    const { resourceMetrics } = await this.collect();
    return this.serializer.serialize({ ...resourceMetrics, resource: emptyResource() });
  }

  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

class ProcessMetrics implements Metrics {
  constructor(
    private readonly app: AppName,
    private readonly registry: Registry,
    private readonly reader: PullReader,
  ) {}

  counter(name: string, help: string, labels: readonly string[] = []): ObservedCounter {
    const series = this.registry.sum(name, help, labels, 'counter');
    return {
      add: (value = 1, given) => series.add(this.app, given, value),
      observe: (read, given) => series.observe(this.app, given, read),
    };
  }

  gauge(name: string, help: string, labels: readonly string[] = [], merged: MergedAs = 'sum'): Gauge {
    const series = this.registry.sum(name, help, labels, 'gauge');
    if (merged !== 'sum') this.registry.merges[name] = merged;
    return {
      set: (value, given) => series.set(this.app, given, value),
      observe: (read, given) => series.observe(this.app, given, read),
    };
  }

  histogram(name: string, help: string, buckets: readonly number[], labels: readonly string[] = []): Histogram {
    const { series, record } = this.registry.histogram(name, help, buckets, labels);
    return { record: (value, given) => record(value, series.at(this.app, given).attributes) };
  }

  exposition(): Promise<string> {
    return this.reader.exposition();
  }

  merges(): Readonly<Record<string, MergedAs>> {
    return this.registry.merges;
  }

  for(app: AppName): Metrics {
    return new ProcessMetrics(app, this.registry, this.reader);
  }
}

interface Registered {
  readonly kind: string;
  readonly series: SeriesTable;
  readonly record?: (value: number, attributes: Attributes) => void;
}

/** Every metric of a process by name: two applications that ask for one name share it. */
class Registry {
  readonly merges: Record<string, MergedAs> = {};
  private readonly known = new Map<string, Registered>();

  constructor(private readonly meter: Meter) {}

  sum(name: string, help: string, labels: readonly string[], kind: 'counter' | 'gauge'): SeriesTable {
    return this.once(name, kind, labels, () => {
      const series = new SeriesTable(labels);
      const options = { description: help };
      const instrument =
        kind === 'counter'
          ? this.meter.createObservableCounter(name, options)
          : this.meter.createObservableGauge(name, options);
      instrument.addCallback((result) => {
        for (const point of series.points()) result.observe(point.read?.() ?? point.value, point.attributes);
      });
      return { kind, series };
    }).series;
  }

  histogram(name: string, help: string, buckets: readonly number[], labels: readonly string[]) {
    const found = this.once(name, 'histogram', labels, () => {
      const instrument = this.meter.createHistogram(name, {
        description: help,
        advice: { explicitBucketBoundaries: [...buckets] },
      });
      const record = (value: number, attributes: Attributes) => instrument.record(value, attributes);
      return { kind: 'histogram', series: new SeriesTable(labels), record };
    });
    return { series: found.series, record: found.record! };
  }

  private once(name: string, kind: string, labels: readonly string[], make: () => Registered): Registered {
    const found = this.known.get(name);
    if (!found) {
      const made = make();
      this.known.set(name, made);
      return made;
    }
    if (found.kind !== kind || found.series.labels.join() !== labels.join()) {
      throw new RangeError(`the metric ${name} exists as another kind or with other labels`);
    }
    return found;
  }
}

interface Point {
  readonly attributes: Attributes;
  value: number;
  read?: () => number;
}

/**
 * The series of one metric. Values are kept here and handed to OTel when it reads, so that counting on the request path
 * is a map look-up and an addition.
 */
class SeriesTable {
  private readonly byKey = new Map<string, Point>();

  constructor(readonly labels: readonly string[]) {}

  points(): Iterable<Point> {
    return this.byKey.values();
  }

  add(app: AppName, given: Labels | undefined, value: number): void {
    this.at(app, given).value += value;
  }

  set(app: AppName, given: Labels | undefined, value: number): void {
    this.at(app, given).value = value;
  }

  observe(app: AppName, given: Labels | undefined, read: () => number): void {
    this.at(app, given).read = read;
  }

  /** The series of these label values, or the `other` one of the application when the metric is full. */
  at(app: AppName, given: Labels | undefined): Point {
    let key: string = app;
    for (const label of this.labels) key += `\u0000${given?.[label] ?? ''}`;
    return this.byKey.get(key) ?? this.make(key, app, (label) => given?.[label] ?? '');
  }

  private make(key: string, app: AppName, valueOf: (label: string) => string): Point {
    if (this.byKey.size >= MAX_SERIES && this.labels.length > 0) return this.other(app);
    const attributes: Attributes = { app };
    for (const label of this.labels) attributes[label] = valueOf(label);
    const point: Point = { attributes: Object.freeze(attributes), value: 0 };
    this.byKey.set(key, point);
    return point;
  }

  private other(app: AppName): Point {
    const key = `${app}\u0000other`;
    const attributes: Attributes = { app };
    for (const label of this.labels) attributes[label] = 'other';
    const point = this.byKey.get(key) ?? { attributes: Object.freeze(attributes), value: 0 };
    this.byKey.set(key, point);
    return point;
  }
}
