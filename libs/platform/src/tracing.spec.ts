import { SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base';
import * as fc from 'fast-check';
import { createTracer, formatTraceparent, parseTraceparent, type TracerOptions } from './tracing';

/** An exporter that holds what it is given; a stuck one answers only when it is released. */
function memoryExporter(stuck = false) {
  const spans: ReadableSpan[] = [];
  const held: Array<() => void> = [];
  const exporter: SpanExporter = {
    export: (batch, done) => {
      spans.push(...batch);
      if (stuck) held.push(() => done({ code: 0 }));
      else done({ code: 0 });
    },
    shutdown: async () => {},
  };
  const release = () => {
    stuck = false;
    for (const answer of held) answer();
  };
  return { spans, exporter, release };
}

function tracerInto(exporter: SpanExporter | undefined, more: Partial<TracerOptions> = {}) {
  return createTracer({ app: 'ingress', node: 'node-1', version: '0.1.0', ratio: 1, exporter, ...more });
}

const caller = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', sampled: true };

describe('traceparent', () => {
  it('is read and written', () => {
    const field = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect(parseTraceparent(field)).toEqual(caller);
    expect(formatTraceparent(caller)).toBe(field);
  });

  it.each([
    undefined,
    '',
    'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
    '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more',
  ])('%# is refused when it is not one', (field) => expect(parseTraceparent(field)).toBeUndefined());

  it('comes back from its own form', () => {
    const hex = (length: number) =>
      fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`)).filter((id) => !/^0+$/.test(id));
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, sampled) => {
        expect(parseTraceparent(formatTraceparent({ traceId, spanId, sampled }))).toEqual({ traceId, spanId, sampled });
      }),
    );
  });
});

describe('a tracer', () => {
  it('exports what a span was told, as the service of its application', async () => {
    const { spans, exporter } = memoryExporter();
    const tracer = tracerInto(exporter);
    const span = tracer.start('GET /orders', {
      kind: 'server',
      parent: { ...caller, state: 'a=b' },
      startTime: 1000,
      links: [caller],
    });
    span.set('http.request.method', 'GET');
    span.event('admitted');
    span.end({ error: 'UPSTREAM_TIMEOUT', endTime: 1000.5 });
    span.end();
    await tracer.flush();
    expect(spans).toHaveLength(1);
    expect(spans[0]).toMatchObject({
      name: 'GET /orders',
      kind: 1,
      parentSpanContext: { traceId: caller.traceId, spanId: caller.spanId },
      startTime: [1, 0],
      endTime: [1, 500_000],
      duration: [0, 500_000],
      attributes: { 'http.request.method': 'GET', 'error.type': 'UPSTREAM_TIMEOUT' },
      status: { code: SpanStatusCode.ERROR },
      events: [{ name: 'admitted' }],
      links: [{ context: { traceId: caller.traceId } }],
    });
    expect(spans[0]!.resource.attributes).toMatchObject({
      'service.name': 'sallyport-ingress',
      'service.instance.id': 'node-1',
    });
    expect(span.context).toMatchObject({ traceId: caller.traceId, sampled: true, state: 'a=b' });
    await tracer.close();
  });

  it('follows the decision of a parent and draws for a new trace', async () => {
    const { spans, exporter } = memoryExporter();
    const never = tracerInto(exporter, { ratio: 0 });
    expect(never.start('new').context.sampled).toBe(false);
    expect(never.start('continued', { parent: caller }).context.sampled).toBe(true);
    const always = tracerInto(exporter, { ratio: 1 });
    expect(always.start('new').context.sampled).toBe(true);
    always.start('continued', { parent: { ...caller, sampled: false } }).end();
    await Promise.all([never.close(), always.close()]);
    expect(spans).toHaveLength(0);
  });

  it('records about the share it was asked for', () => {
    const tracer = tracerInto(memoryExporter().exporter, { ratio: 0.25 });
    const sampled = Array.from({ length: 4000 }, () => tracer.start('x').context.sampled).filter(Boolean).length;
    expect(sampled).toBeGreaterThan(800);
    expect(sampled).toBeLessThan(1200);
  });

  it('passes a trace on without recording it when there is no collector', () => {
    const { context } = tracerInto(undefined).start('x', { parent: caller });
    expect(context).toMatchObject({ traceId: caller.traceId, sampled: true });
    expect(context.spanId).not.toBe(caller.spanId);
  });

  it('never draws the same id twice', () => {
    const tracer = tracerInto(undefined);
    const ids = Array.from({ length: 5000 }, () => tracer.start('x').context);
    expect(new Set(ids.map(({ spanId }) => spanId)).size).toBe(5000);
    expect(ids.every((context) => parseTraceparent(formatTraceparent(context)) !== undefined)).toBe(true);
  });

  it('drops and counts spans when the collector does not answer', async () => {
    let dropped = 0;
    const { spans, exporter, release } = memoryExporter(true);
    const tracer = tracerInto(exporter, { dropped: { add: (count = 1) => void (dropped += count) } });
    for (let index = 0; index < 5000; index++) tracer.start('x').end();
    expect(dropped + spans.length).toBeGreaterThanOrEqual(5000 - 2048);
    expect(dropped).toBeGreaterThan(0);
    release();
    await tracer.close();
    expect(dropped + spans.length).toBe(5000);
  });
});
