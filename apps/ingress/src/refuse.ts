import type { Refusal } from '@sallyport/contracts';
import { AnswerDraft } from '@sallyport/pipeline';
import type { Exchange } from './exchange';
import { editHead } from './hooks/answer-pipe';
import { finalEvent } from './render/final-event';
import { grpcStatusFields } from './render/grpc-refusal';
import { renderRefusal } from './render/refusal';
import { connectionFields } from './unread';

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
  if (!answer.replaceable || response.destroyed) {
    exchange.close();
    return endStarted(exchange, refusal, context);
  }

  const traceId = exchange.trace?.traceId;
  const { status, fields, body } = renderRefusal(refusal, exchange.dialect, {
    requestId: exchange.requestId,
    publicUrl: context.publicUrl,
    ...(traceId !== undefined && { traceId }),
  });
  const ours = exchange.commonFields(context.showConfigVersion);
  const names = new Set(ours.filter((_, at) => at % 2 === 0));
  const rendered = Object.entries(fields).filter(([name]) => !names.has(name));
  const written = throughAnswerHooks(exchange, status, rendered.flat());
  exchange.close();
  answer.head(status, [...written, ...ours, ...connectionFields(exchange, close)]);
  if (exchange.incoming.method !== 'HEAD' && body.length > 0) answer.data(body);
  answer.end();
}

/**
 * A browser may read a refusal only with the fields that a policy of the route gives it. The status is the code's and stays.
 * @throws what a hook throws: the caller then refuses with INTERNAL, without the hooks.
 */
function throughAnswerHooks(exchange: Exchange, status: number, fields: readonly string[]): readonly string[] {
  if (exchange.withoutAnswerHooks || !exchange.compiled || exchange.compiled.answerHead.length === 0) return fields;
  exchange.withoutAnswerHooks = true;
  const draft = new AnswerDraft('refusal', status, fields);
  editHead(exchange, draft, Number.POSITIVE_INFINITY);
  return draft.fields.raw;
}

/** An answer that is under way can only be cut; to a stream of events it can be told why. */
function endStarted(exchange: Exchange, refusal: Refusal, { publicUrl }: RefusalContext): void {
  const { answer, dialect, requestId, response } = exchange;
  if (dialect === 'grpc' && response.trailers && !response.destroyed) {
    response.trailers(grpcStatusFields(refusal));
    return answer.end();
  }
  if (!answer.takesEvents) return answer.destroy();
  answer.data(finalEvent(refusal, dialect, { requestId, publicUrl }));
  answer.end();
}
