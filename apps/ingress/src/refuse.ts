import type { Refusal } from '@sallyport/contracts';
import type { Exchange } from './exchange';
import { renderRefusal } from './render/refusal';

export interface RefusalContext {
  readonly publicUrl: string;
  readonly showConfigVersion: boolean;
}

/** Answers an exchange with a refusal, once, in the caller's dialect. */
export function refuseExchange(exchange: Exchange, refusal: Refusal, context: RefusalContext, close: boolean): void {
  const { answer, response } = exchange;
  if (exchange.over) return;
  exchange.refusal = refusal;
  exchange.outcome ??= refusal.code === 'INTERNAL' ? 'internal_error' : 'refused';
  exchange.close();
  if (!answer.replaceable || response.destroyed) return answer.destroy();

  const traceId = exchange.trace?.traceId;
  const { status, fields, body } = renderRefusal(refusal, exchange.dialect, {
    requestId: exchange.requestId,
    publicUrl: context.publicUrl,
    ...(traceId !== undefined && { traceId }),
  });
  const ours = exchange.commonFields(context.showConfigVersion);
  const names = new Set(ours.filter((_, at) => at % 2 === 0));
  const rendered = Object.entries(fields).filter(([name]) => !names.has(name));
  answer.head(status, [...rendered.flat(), ...ours, ...(close || unread(exchange) ? ['connection', 'close'] : [])]);
  if (exchange.incoming.method !== 'HEAD') answer.data(body);
  answer.end();
}

/** Whether the caller may still be sending a body that nobody will read: then this connection is spent. */
function unread({ incoming }: Exchange): boolean {
  return !incoming.complete && (incoming.bodyFollows ?? incoming.rawHeaders.some(saysThatABodyFollows));
}

/** RFC 9112 §6; asked before anything is known to be good, so of values as well: that closes once too often, never too seldom. */
function saysThatABodyFollows(text: string): boolean {
  const name = text.toLowerCase();
  return name === 'content-length' || name === 'transfer-encoding';
}
