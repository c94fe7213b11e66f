import { problemOf, type Occurrence, type Refusal } from '@sallyport/contracts';
import { renderOpenAiErrorEvent } from '@sallyport/ai';
import type { Dialect } from './refusal';

/**
 * The last event of a stream that cannot be brought to its end, in the caller's dialect. It begins with an empty line: what
 * the upstream has begun to write must not run into it.
 */
export function finalEvent(refusal: Refusal, dialect: Dialect, occurrence: Occurrence): Buffer {
  if (dialect === 'openai') return Buffer.concat([EMPTY_LINE, renderOpenAiErrorEvent(refusal)]);
  const { body } = problemOf(refusal, occurrence);
  return Buffer.from(`\n\nevent: error\ndata: ${JSON.stringify(body)}\n\n`);
}

const EMPTY_LINE = Buffer.from('\n\n');
