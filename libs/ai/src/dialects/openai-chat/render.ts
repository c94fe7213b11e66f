import { headers } from '@sallyport/contracts';

/** The end marker of a stream. */
export const DONE_EVENT = Buffer.from('data: [DONE]\n\n');

/** Keeps a silent stream alive: a comment is no part of the answer (WHATWG HTML §9.2.6). */
export const KEEP_ALIVE = Buffer.from(': keep-alive\n\n');

/** Which target answered, for the answer's fields. */
export interface AnsweredBy {
  readonly requestId: string;
  readonly virtualModel: string;
  readonly provider: string;
  /** Attempts made, the one that answers included. */
  readonly attempts: number;
}

/** The head fields of a streamed answer. */
export function streamFields(answer: AnsweredBy): Record<string, string> {
  return {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    // Proxies of the nginx kind gather an answer unless told not to.
    'x-accel-buffering': 'no',
    ...targetFields(answer),
  };
}

/** The head fields of an answer in one piece. */
export function plainFields(answer: AnsweredBy, contentLength: number): Record<string, string> {
  return {
    'content-type': 'application/json',
    'content-length': String(contentLength),
    'cache-control': 'no-store',
    ...targetFields(answer),
  };
}

function targetFields(answer: AnsweredBy): Record<string, string> {
  return {
    'x-request-id': answer.requestId,
    [headers.requestId]: answer.requestId,
    [headers.model]: answer.virtualModel,
    [headers.provider]: answer.provider,
    [headers.attempts]: String(answer.attempts),
  };
}

/** A model as `GET /v1/models` lists it. */
export interface ListedModel {
  readonly name: string;
}

/**
 * The answer of `GET /v1/models` in OpenAI's shape.
 * @param createdAt seconds since the epoch; the shape demands a moment, clients do nothing with it.
 */
export function renderModelList(models: readonly ListedModel[], createdAt: number): Buffer {
  const data = models.map(({ name }) => ({ id: name, object: 'model', created: createdAt, owned_by: 'sallyport' }));
  return Buffer.from(JSON.stringify({ object: 'list', data }));
}
