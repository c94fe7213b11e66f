import { ValueType, type Attributes, type HrTime, type Meter } from '@opentelemetry/api';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { emptyResource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  AggregationType,
  DataPointType,
  MeterProvider,
  MetricReader,
  type HistogramMetricData,
} from '@opentelemetry/sdk-metrics';
import type { AppName } from '@sallyport/contracts';

/** Label values by label name; they come from configuration, never from what a caller sent. */
export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  /** @param value what is added, 1 unless said; never negative. */
  add(value?: number, labels?: Labels): void;
  /** The one series of these labels, looked up once: for counting on the request path. */
  series(labels: Labels): CounterSeries;
}

export interface CounterSeries {
  /** @param value what is added, 1 unless said; never negative. */
  add(value?: number): void;
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
  /** The one series of these labels, looked up once. */
  series(labels: Labels): HistogramSeries;
}

export interface HistogramSeries {
  record(value: number): void;
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
  const registry = new Registry(views.getMeter('sallyport'));
  reader.histograms = () => registry.histograms();
  return new ProcessMetrics(app, registry, reader);
}

/** Reads when asked; the OTel exporter would bring a listener of its own. */
class PullReader extends MetricReader {
  /** OTel has no histogram that is filled elsewhere, so ours join what it has collected. */
  histograms: () => HistogramMetricData[] = () => [];
  private readonly serializer = new PrometheusSerializer(undefined, false, undefined, true, true);

  constructor() {
    super({
      aggregationSelector: () => ({ type: AggregationType.DEFAULT }),
      // The bound is kept by SeriesTable, which knows what `other` means; OTel's own must not come first.
      cardinalitySelector: () => 2 * MAX_SERIES,
    });
  }

  async exposition(): Promise<string> {
    const { scopeMetrics } = (await this.collect()).resourceMetrics;
    const ours = { scope: { name: 'sallyport' }, metrics: this.histograms() };
    return this.serializer.serialize({ resource: emptyResource(), scopeMetrics: [...scopeMetrics, ours] });
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
      series: (given) => {
        const point = series.at(this.app, given);
        return { add: (value = 1) => void (point.value += value) };
      },
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
    const table = this.registry.histogram(name, help, buckets, labels);
    return {
      record: (value, given) => table.at(this.app, given).record(value),
      series: (given) => table.at(this.app, given),
    };
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

type Table = SeriesTable | HistogramTable;

/** Every metric of a process by name: two applications that ask for one name share it. */
class Registry {
  readonly merges: Record<string, MergedAs> = {};
  private readonly known = new Map<string, { readonly kind: string; readonly table: Table }>();

  constructor(private readonly meter: Meter) {}

  sum(name: string, help: string, labels: readonly string[], kind: 'counter' | 'gauge'): SeriesTable {
    return this.once(name, kind, labels, () => {
      const table = new SeriesTable(labels);
      const options = { description: help };
      const instrument =
        kind === 'counter'
          ? this.meter.createObservableCounter(name, options)
          : this.meter.createObservableGauge(name, options);
      instrument.addCallback((result) => {
        for (const point of table.points()) result.observe(point.read?.() ?? point.value, point.attributes);
      });
      return table;
    });
  }

  histogram(name: string, help: string, buckets: readonly number[], labels: readonly string[]): HistogramTable {
    return this.once(name, 'histogram', labels, () => new HistogramTable(name, help, buckets, labels));
  }

  histograms(): HistogramMetricData[] {
    const tables = [...this.known.values()].map(({ table }) => table);
    return tables.filter((table) => table instanceof HistogramTable).map((table) => table.read());
  }

  private once<T extends Table>(name: string, kind: string, labels: readonly string[], make: () => T): T {
    const found = this.known.get(name);
    if (!found) {
      const table = make();
      this.known.set(name, { kind, table });
      return table;
    }
    if (found.kind !== kind || found.table.labels.join() !== labels.join()) {
      throw new RangeError(`the metric ${name} exists as another kind or with other labels`);
    }
    return found.table as T;
  }
}

/**
 * The series of one metric by their label values, in bounded number. Values are kept here and handed over when somebody
 * reads, so that counting on the request path is a map look-up and an addition.
 */
abstract class LabelledTable<Point> {
  private readonly byKey = new Map<string, Point>();

  constructor(readonly labels: readonly string[]) {}

  protected abstract make(attributes: Attributes): Point;

  points(): Iterable<Point> {
    return this.byKey.values();
  }

  /** The series of these label values, or the `other` one of the application when the metric is full. */
  at(app: AppName, given: Labels | undefined): Point {
    let key: string = app;
    for (const label of this.labels) key += `\u0000${given?.[label] ?? ''}`;
    const known = this.byKey.get(key);
    if (known) return known;
    const full = this.byKey.size >= MAX_SERIES && this.labels.length > 0;
    return full ? this.other(app) : this.enter(key, app, (label) => given?.[label] ?? '');
  }

  private other(app: AppName): Point {
    const key = `${app}\u0000other`;
    return this.byKey.get(key) ?? this.enter(key, app, () => 'other');
  }

  private enter(key: string, app: AppName, valueOf: (label: string) => string): Point {
    const attributes: Attributes = { app };
    for (const label of this.labels) attributes[label] = valueOf(label);
    const point = this.make(Object.freeze(attributes));
    this.byKey.set(key, point);
    return point;
  }
}

interface Point {
  readonly attributes: Attributes;
  value: number;
  read?: () => number;
}

/** Counters and gauges. */
class SeriesTable extends LabelledTable<Point> {
  protected make(attributes: Attributes): Point {
    return { attributes, value: 0 };
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
}

/** One distribution: how many values fell at or below each bound, and beyond the last. */
class Distribution implements HistogramSeries {
  readonly counts: number[];
  sum = 0;
  count = 0;

  constructor(
    readonly attributes: Attributes,
    private readonly bounds: readonly number[],
  ) {
    this.counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  record(value: number): void {
    let at = 0;
    while (at < this.bounds.length && value > this.bounds[at]!) at++;
    this.counts[at]!++;
    this.sum += value;
    this.count++;
  }
}

class HistogramTable extends LabelledTable<Distribution> {
  private readonly since: HrTime = hrTimeNow();

  constructor(
    private readonly name: string,
    private readonly help: string,
    private readonly bounds: readonly number[],
    labels: readonly string[],
  ) {
    super(labels);
  }

  protected make(attributes: Attributes): Distribution {
    return new Distribution(attributes, this.bounds);
  }

  read(): HistogramMetricData {
    const endTime = hrTimeNow();
    return {
      descriptor: { name: this.name, description: this.help, unit: '', valueType: ValueType.DOUBLE },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: Array.from(this.points(), ({ attributes, counts, sum, count }) => ({
        startTime: this.since,
        endTime,
        attributes,
        value: { buckets: { boundaries: [...this.bounds], counts: [...counts] }, sum, count },
      })),
    };
  }
}

function hrTimeNow(): HrTime {
  const now = Date.now();
  return [Math.floor(now / 1000), (now % 1000) * 1_000_000];
}
