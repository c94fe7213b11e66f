import { semconv, subjects } from '@sallyport/contracts';
import { parseTraceparent, type TraceContext, type Tracer } from '@sallyport/platform';
import type { Committed } from './session';

/** Collectors keep so many links of a span and drop the others. */
const MOST_LINKS = 128;

/**
 * Tells of one transaction. Its records come from many requests, so it is a child of none of them: it has a trace of its
 * own that links to theirs.
 * @param begun when the work began, in milliseconds since the epoch
 */
export function traceWork(tracer: Tracer, committed: readonly Committed[], begun: number): void {
  const span = tracer.start('store audit records', {
    kind: 'consumer',
    links: linksOf(committed),
    startTime: begun,
    attributes: {
      [semconv.messagingDestination]: subjects.auditBatch,
      [semconv.messagingBatchCount]: committed.length,
    },
  });
  span.end();
}

/** Of records of one request one link; a record whose ids are none has no link. */
function linksOf(committed: readonly Committed[]): TraceContext[] {
  const links = new Map<string, TraceContext>();
  for (const { row } of committed) {
    if (links.size === MOST_LINKS) break;
    const context = parseTraceparent(`00-${row.traceId}-${row.spanId}-01`);
    if (context) links.set(context.spanId, context);
  }
  return [...links.values()];
}
