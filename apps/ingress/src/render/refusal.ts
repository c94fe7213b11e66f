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
  const problem = problemOf(refusal, occurrence);
  if (dialect === 'grpc') {
    const fields = { ...pairsOf(grpcStatusFields(refusal)), 'content-type': 'application/grpc' };
    return { status: 200, fields, body: NOTHING };
  }
  if (dialect === 'openai') {
    const { status, fields, body } = renderOpenAiRefusal(refusal, occurrence.requestId);
    return { status, fields: withAllow(refusal, fields), body };
  }
  const body = Buffer.from(JSON.stringify(problem.body));
  const fields: Record<string, string> = { ...problem.headers, 'content-length': String(body.length) };
  return { status: problem.status, fields: withAllow(refusal, fields), body };
}

/** RFC 9110 §15.5.6: a 405 says what would be allowed. */
function withAllow({ code, params }: Refusal, fields: RenderedRefusal['fields']): RenderedRefusal['fields'] {
  return code === 'METHOD_NOT_ALLOWED' ? { ...fields, allow: String(params['allow'] ?? '') } : fields;
}

const NOTHING = Buffer.alloc(0);

function pairsOf(fields: readonly string[]): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (let at = 0; at < fields.length; at += 2) pairs[fields[at]!] = fields[at + 1]!;
  return pairs;
}
