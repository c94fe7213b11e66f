import { problemOf, type Occurrence, type Refusal } from '@sallyport/contracts';
import { renderOpenAiRefusal } from '@sallyport/ai';
import { grpcStatusFields } from './grpc-refusal';

/** The language an answer is given in; it follows the route, never the Accept field. */
export type Dialect = 'problem' | 'openai' | 'grpc';

export interface RenderedRefusal {
  readonly status: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Renders a refusal, once, in the caller's dialect. */
export function renderRefusal(refusal: Refusal, dialect: Dialect, occurrence: Occurrence): RenderedRefusal {
  if (dialect === 'grpc') {
    const fields = { ...pairsOf(grpcStatusFields(refusal)), 'content-type': 'application/grpc' };
    return { status: 200, fields, body: NOTHING };
  }
  const rendered =
    dialect === 'openai' ? renderOpenAiRefusal(refusal, occurrence.requestId) : renderProblem(refusal, occurrence);
  const more = fieldsOf(refusal);
  return more ? { ...rendered, fields: { ...rendered.fields, ...more } } : rendered;
}

/** What the protocol has a refusal say in a field. */
function fieldsOf({ code, params }: Refusal): Readonly<Record<string, string>> | undefined {
  // RFC 9110 §15.5.6: a 405 says what would be allowed.
  if (code === 'METHOD_NOT_ALLOWED') return { allow: String(params['allow'] ?? '') };
  // RFC 6455 §4.4: whoever asks for another version learns which one there is.
  if (code === 'WEBSOCKET_VERSION_UNSUPPORTED') return { 'sec-websocket-version': String(params['version']) };
  return undefined;
}

function renderProblem(refusal: Refusal, occurrence: Occurrence): RenderedRefusal {
  const { status, headers, body: problem } = problemOf(refusal, occurrence);
  const body = Buffer.from(JSON.stringify(problem));
  return { status, fields: { ...headers, 'content-length': String(body.length) }, body };
}

const NOTHING = Buffer.alloc(0);

function pairsOf(fields: readonly string[]): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (let at = 0; at < fields.length; at += 2) pairs[fields[at]!] = fields[at + 1]!;
  return pairs;
}
