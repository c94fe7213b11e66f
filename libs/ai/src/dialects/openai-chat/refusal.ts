import { detailOf, errorSpec, headers, retryAfterSeconds, type Refusal } from '@sallyport/contracts';

/** A whole answer: lower-case field names, body as bytes. */
export interface RenderedAnswer {
  readonly status: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** The error object that OpenAI's clients know. */
interface OpenAiError {
  readonly message: string;
  readonly type: string;
  readonly param: string | null;
  readonly code: string;
}

/**
 * Renders a refusal for OpenAI's clients, which read `error.{message,type,param,code}` and retry 408, 409, 429 and
 * everything from 500 on unless `x-should-retry` says otherwise.
 * @param requestId goes into the fields those clients and ours show to people.
 */
export function renderOpenAiRefusal(refusal: Refusal, requestId: string): RenderedAnswer {
  const spec = errorSpec(refusal.code);
  const body = Buffer.from(JSON.stringify({ error: errorOf(refusal) }));
  const fields: Record<string, string> = {
    'content-type': 'application/json',
    'content-length': String(body.length),
    'cache-control': 'no-store',
    'x-request-id': requestId,
    [headers.requestId]: requestId,
    [headers.shouldRetry]: String(spec.retry === 'later' || spec.retry === 'elsewhere'),
  };
  const seconds = retryAfterSeconds(refusal);
  if (seconds !== undefined) {
    fields['retry-after'] = String(seconds);
    fields[headers.retryAfterMs] = String(Math.ceil(refusal.retryAfterMs ?? seconds * 1000));
  }
  if (spec.http === 401) fields['www-authenticate'] = 'Bearer realm="sallyport"';
  return { status: spec.http, fields, body };
}

/** The event that ends a stream which had begun: those clients throw on it. No `[DONE]` may follow. */
export function renderOpenAiErrorEvent(refusal: Refusal): Buffer {
  return Buffer.from(`data: ${JSON.stringify({ error: errorOf(refusal) })}\n\n`);
}

function errorOf(refusal: Refusal): OpenAiError {
  const { openai } = errorSpec(refusal.code);
  return {
    message: detailOf(refusal),
    type: openai.type,
    param: paramOf(refusal),
    code: openai.code ?? refusal.code.toLowerCase(),
  };
}

function paramOf(refusal: Refusal): string | null {
  return refusal.code === 'AI_MODEL_UNKNOWN' || refusal.code === 'AI_MODEL_FORBIDDEN' ? 'model' : null;
}
