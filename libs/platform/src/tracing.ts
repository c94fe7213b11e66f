import { randomFillSync } from 'node:crypto';
import {
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  createTraceState,
  type HrTime,
  type SpanContext,
} from '@opentelemetry/api';
import { resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import { BatchSpanProcessor, type ReadableSpan, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { semconv, type AppName } from '@sallyport/contracts';
import type { CounterSeries } from './metrics';

/** What travels in `traceparent` and `tracestate` (W3C Trace Context 1). */
export interface TraceContext {
  /** 32 lower-case hex digits, not all zero. */
  readonly traceId: string;
  /** 16 lower-case hex digits, not all zero. */
  readonly spanId: string;
  readonly sampled: boolean;
  /** The `tracestate` field as it came. */
  readonly state?: string;
}

export type AttributeValue = string | number | boolean | string[];

export interface SpanOptions {
  readonly kind?: 'server' | 'client' | 'internal' | 'producer' | 'consumer';
  /** Continues this trace; absent: a new trace, sampled by ratio. */
  readonly parent?: TraceContext;
  readonly links?: readonly TraceContext[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** Milliseconds since the epoch, fractions allowed; now unless said. */
  readonly startTime?: number;
}

export interface Span {
  readonly context: TraceContext;
  set(name: string, value: AttributeValue): void;
  event(name: string, attributes?: Readonly<Record<string, AttributeValue>>): void;
  /** @param outcome `error`: its type, as `error.type` has it; `endTime` in milliseconds since the epoch. */
  end(outcome?: { error?: string; endTime?: number }): void;
}

/**
 * Makes spans by hand: nothing is patched and nothing follows asynchronous context, so a span costs what it holds, and
 * one that is not sampled costs its ids.
 */
export interface Tracer {
  start(name: string, options?: SpanOptions): Span;
  /** Sends what waits, for at most two seconds. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface TracerOptions {
  readonly app: AppName;
  readonly node: string;
  readonly version: string;
  /** Base URL of an OTLP/HTTP collector. Unset: no span is recorded. */
  readonly otlpUrl?: string;
  /** Share of new traces that are recorded; a continued trace follows its parent. */
  readonly ratio: number;
  /** Counts spans the collector did not get. */
  readonly dropped?: CounterSeries;
  /** Takes spans instead of a collector. */
  readonly exporter?: SpanExporter;
}

/** Spans that may wait for the collector; more are dropped and counted. */
const MAX_QUEUE = 2048;
const FLUSH_MS = 2000;

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const NO_TRACE = '0'.repeat(32);
const NO_SPAN = '0'.repeat(16);

/** @returns undefined for anything but 55 characters of a version other than ff with ids that are not zero. */
export function parseTraceparent(field: string | undefined): TraceContext | undefined {
  const match = field === undefined ? null : TRACEPARENT.exec(field);
  if (!match) return undefined;
  const [, version, traceId, spanId, flags] = match as unknown as [string, string, string, string, string];
  if (version === 'ff' || traceId === NO_TRACE || spanId === NO_SPAN) return undefined;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & TraceFlags.SAMPLED) !== 0 };
}

export function formatTraceparent({ traceId, spanId, sampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-0${sampled ? 1 : 0}`;
}

/** Makes the tracer of one application; it appears to the collector as the service `sallyport-<app>`. */
export function createTracer(options: TracerOptions): Tracer {
  const exporter = options.exporter ?? otlpExporter(options.otlpUrl);
  if (!exporter) return silentTracer;
  const resource = resourceFromAttributes({
    [semconv.serviceName]: `sallyport-${options.app}`,
    [semconv.serviceNamespace]: 'sallyport',
    [semconv.serviceVersion]: options.version,
    [semconv.serviceInstanceId]: options.node,
  });
  return new RecordingTracer(resource, options.ratio, new SpanQueue(exporter, options.dropped), options.version);
}

function otlpExporter(baseUrl: string | undefined): SpanExporter | undefined {
  if (!baseUrl) return undefined;
  // A hundred modules that a process without a collector does not load.
  const { OTLPTraceExporter } =
    require('@opentelemetry/exporter-trace-otlp-http') as typeof import('@opentelemetry/exporter-trace-otlp-http');
  return new OTLPTraceExporter({ url: `${baseUrl}/v1/traces`, timeoutMillis: 5000 });
}

/** With no collector a trace is passed on as it came, and a new one says that nobody records it. */
const silentTracer: Tracer = {
  start: (_name, { parent } = {}) => new UnsampledSpan(childContext(parent, parent?.sampled ?? false)),
  flush: async () => {},
  close: async () => {},
};

class RecordingTracer implements Tracer {
  constructor(
    private readonly resource: Resource,
    private readonly ratio: number,
    private readonly queue: SpanQueue,
    private readonly version: string,
  ) {}

  start(name: string, options: SpanOptions = {}): Span {
    const { parent } = options;
    const context = childContext(parent, parent ? parent.sampled : drawWord() < this.ratio * 2 ** 32);
    if (!context.sampled) return new UnsampledSpan(context);
    return new RecordedSpan(name, context, options, this.resource, this.version, this.queue);
  }

  flush(): Promise<void> {
    return this.queue.flush();
  }

  close(): Promise<void> {
    return this.queue.close();
  }
}

class UnsampledSpan implements Span {
  constructor(readonly context: TraceContext) {}
  set(): void {}
  event(): void {}
  end(): void {}
}

const kinds = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  internal: SpanKind.INTERNAL,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
} as const;

/** A span that is at once what OTel's exporters read. */
class RecordedSpan implements Span, ReadableSpan {
  readonly kind: SpanKind;
  readonly parentSpanContext?: SpanContext;
  readonly startTime: HrTime;
  readonly attributes: Record<string, AttributeValue>;
  readonly links: ReadableSpan['links'];
  readonly events: ReadableSpan['events'] = [];
  readonly droppedAttributesCount = 0;
  readonly droppedEventsCount = 0;
  readonly droppedLinksCount = 0;
  readonly instrumentationScope: ReadableSpan['instrumentationScope'];
  endTime: HrTime = [0, 0];
  duration: HrTime = [0, 0];
  ended = false;
  status: ReadableSpan['status'] = { code: SpanStatusCode.UNSET };
  private readonly startedAt: number;

  constructor(
    readonly name: string,
    readonly context: TraceContext,
    { kind = 'internal', parent, links = [], attributes = {}, startTime }: SpanOptions,
    readonly resource: Resource,
    version: string,
    private readonly queue: SpanQueue,
  ) {
    this.kind = kinds[kind];
    this.startedAt = startTime ?? preciseNow();
    this.startTime = toHrTime(this.startedAt);
    this.attributes = { ...attributes };
    this.links = links.map((link) => ({ context: toSpanContext(link) }));
    this.instrumentationScope = { name: 'sallyport', version };
    if (parent) this.parentSpanContext = { ...toSpanContext(parent), isRemote: true };
  }

  spanContext(): SpanContext {
    return toSpanContext(this.context);
  }

  set(name: string, value: AttributeValue): void {
    this.attributes[name] = value;
  }

  event(name: string, attributes: Readonly<Record<string, AttributeValue>> = {}): void {
    this.events.push({ name, attributes: { ...attributes }, time: toHrTime(preciseNow()) });
  }

  end({ error, endTime = preciseNow() }: { error?: string; endTime?: number } = {}): void {
    if (this.ended) return;
    this.ended = true;
    if (error !== undefined) {
      this.attributes[semconv.errorType] = error;
      this.status = { code: SpanStatusCode.ERROR };
    }
    this.endTime = toHrTime(endTime);
    this.duration = toHrTime(Math.max(0, endTime - this.startedAt));
    this.queue.add(this);
  }
}

/** The bounded way to the collector. A dead collector costs a counter, never memory or a wait. */
class SpanQueue {
  private readonly processor: BatchSpanProcessor;
  private waiting = 0;

  constructor(
    exporter: SpanExporter,
    private readonly dropped: CounterSeries | undefined,
  ) {
    this.processor = new BatchSpanProcessor(this.counted(exporter), {
      maxQueueSize: MAX_QUEUE,
      maxExportBatchSize: 512,
      scheduledDelayMillis: 1000,
      exportTimeoutMillis: 10_000,
    });
  }

  add(span: ReadableSpan): void {
    if (this.waiting >= MAX_QUEUE) return this.dropped?.add();
    this.waiting++;
    this.processor.onEnd(span);
  }

  flush(): Promise<void> {
    return within(FLUSH_MS, this.processor.forceFlush());
  }

  close(): Promise<void> {
    return within(FLUSH_MS, this.processor.shutdown());
  }

  private counted(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans, done) => {
        this.waiting -= spans.length;
        exporter.export(spans, (result) => {
          if (result.error) this.dropped?.add(spans.length);
          done(result);
        });
      },
      forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
      shutdown: () => exporter.shutdown(),
    };
  }
}

/** Waits for the work, or for the time; what failed was counted where it failed. */
async function within(milliseconds: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds)));
  await Promise.race([work.catch(() => {}), timeout]);
  clearTimeout(timer);
}

function childContext(parent: TraceContext | undefined, sampled: boolean): TraceContext {
  return {
    traceId: parent?.traceId ?? drawHex(16, NO_TRACE),
    spanId: drawHex(8, NO_SPAN),
    sampled,
    ...(parent?.state && { state: parent.state }),
  };
}

function toSpanContext({ traceId, spanId, sampled, state }: TraceContext): SpanContext {
  const traceFlags = sampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return { traceId, spanId, traceFlags, ...(state && { traceState: createTraceState(state) }) };
}

/** Ids need no secrecy but must not collide: one draw from the system fills many, and is written as text once. */
const pool = Buffer.alloc(4096);
let poolHex = '';
let used = pool.length;

function draw(count: number): number {
  if (used + count > pool.length) {
    randomFillSync(pool);
    poolHex = pool.toString('hex');
    used = 0;
  }
  used += count;
  return used - count;
}

function drawHex(count: number, forbidden: string): string {
  const from = 2 * draw(count);
  const hex = poolHex.slice(from, from + 2 * count);
  return hex === forbidden ? drawHex(count, forbidden) : hex;
}

function drawWord(): number {
  return pool.readUInt32LE(draw(4));
}

/** Milliseconds since the epoch with fractions. The monotonic clock drifts from the system's, so it only adds the fraction. */
function preciseNow(): number {
  return performance.timeOrigin + performance.now();
}

function toHrTime(milliseconds: number): HrTime {
  const seconds = Math.floor(milliseconds / 1000);
  return [seconds, Math.round((milliseconds - seconds * 1000) * 1e6)];
}
