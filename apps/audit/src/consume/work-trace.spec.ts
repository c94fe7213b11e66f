import type { SpanOptions, Tracer } from '@sallyport/platform';
import type { EventRow } from '../store/row';
import type { Committed } from './session';
import { traceWork } from './work-trace';

const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');

function record(traceId: string | null, spanId: string | null): Committed {
  return { row: { traceId, spanId } as EventRow, position: 1, body: new Uint8Array() };
}

function spanOver(committed: readonly Committed[]): SpanOptions & { ended: boolean } {
  const seen = { ended: false } as SpanOptions & { ended: boolean };
  const start = (_name: string, options?: SpanOptions) => {
    Object.assign(seen, options);
    return { end: () => void (seen.ended = true) };
  };
  traceWork({ start } as unknown as Tracer, committed, 1_000);
  return seen;
}

describe('the trace of stored records', () => {
  it('is a span of its own, linked to the requests that the records are of', () => {
    const span = spanOver([record(hex(1, 32), hex(2, 16)), record(hex(3, 32), hex(4, 16))]);
    expect(span).toMatchObject({ kind: 'consumer', startTime: 1_000, ended: true });
    expect(span.parent).toBeUndefined();
    expect(span.links).toMatchObject([
      { traceId: hex(1, 32), spanId: hex(2, 16) },
      { traceId: hex(3, 32), spanId: hex(4, 16) },
    ]);
  });

  it('links a request once, however many records it has', () => {
    expect(spanOver([record(hex(1, 32), hex(2, 16)), record(hex(1, 32), hex(2, 16))]).links).toHaveLength(1);
  });

  it('links nothing to a record without a trace, or with one that is none', () => {
    expect(spanOver([record(null, null), record(hex(1, 32), null), record('no trace', 'no span')]).links).toEqual([]);
  });

  it('has no more links than a collector keeps', () => {
    const many = Array.from({ length: 500 }, (_, at) => record(hex(at + 1, 32), hex(at + 1, 16)));
    expect(spanOver(many).links).toHaveLength(128);
  });
});
