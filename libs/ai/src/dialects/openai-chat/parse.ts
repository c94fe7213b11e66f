import { refuse, type Refusal } from '@sallyport/contracts';
import { ScanError, scanObject, type Scanned, type Span } from '../../body/scan';
import type { ChatRequest } from '../../chat';

const SCANNED = ['model', 'messages', 'stream', 'stream_options', 'max_tokens', 'max_completion_tokens', 'n'];
const MAX_MODEL_BYTES = 1024;

/**
 * Reads the members of `POST /v1/chat/completions` that routing, streaming and billing hang on.
 * @param body the whole request body, as received.
 * @returns the request, or `AI_REQUEST_INVALID` with the reason.
 */
export function readChatRequest(body: Buffer): ChatRequest | Refusal {
  try {
    return read(body);
  } catch (error) {
    if (error instanceof ScanError) return refuse('AI_REQUEST_INVALID', { reason: error.reason });
    throw error;
  }
}

function read(body: Buffer): ChatRequest {
  const scanned = scanObject(body, SCANNED);
  const { members } = scanned;
  const stream = readFlag(body, members.get('stream'), 'stream');
  requireMessages(body, members.get('messages'));
  const streamOptions = readStreamOptions(body, members.get('stream_options'));
  return {
    body,
    scanned,
    model: readModel(body, members.get('model')),
    stream,
    includeUsage: streamOptions !== undefined && asksForUsage(body, streamOptions),
    streamOptions,
    // The newer name wins where both are given, as it does at the vendor.
    maxOutputTokens:
      readCount(body, members.get('max_completion_tokens'), 'max_completion_tokens') ||
      readCount(body, members.get('max_tokens'), 'max_tokens'),
    choices: readCount(body, members.get('n'), 'n') || 1,
  };
}

function readModel(body: Buffer, span: Span | undefined): string {
  if (!span) throw new ScanError('the member “model” is missing');
  const value = span.end - span.start <= MAX_MODEL_BYTES ? parse(body, span) : undefined;
  if (typeof value !== 'string' || value === '') throw new ScanError('“model” must be the name of a model');
  return value;
}

function requireMessages(body: Buffer, span: Span | undefined): void {
  if (!span) throw new ScanError('the member “messages” is missing');
  if (body[span.start] !== 0x5b) throw new ScanError('“messages” must be an array');
}

function readFlag(body: Buffer, span: Span | undefined, name: string): boolean {
  if (!span) return false;
  const text = body.toString('latin1', span.start, Math.min(span.end, span.start + 6));
  if (text === 'true') return true;
  if (text === 'false' || text === 'null') return false;
  throw new ScanError(`“${name}” must be true or false`);
}

function readCount(body: Buffer, span: Span | undefined, name: string): number {
  if (!span) return 0;
  const value = span.end - span.start <= 16 ? parse(body, span) : undefined;
  if (value === null) return 0;
  if (!Number.isSafeInteger(value) || (value as number) < 1 || (value as number) > 0xffff_ffff) {
    throw new ScanError(`“${name}” must be a positive whole number`);
  }
  return value as number;
}

/** `null` counts as absent, as it does at the vendor. */
function readStreamOptions(body: Buffer, span: Span | undefined): Scanned | undefined {
  if (!span || body[span.start] === 0x6e) return undefined;
  if (body[span.start] !== 0x7b) throw new ScanError('“stream_options” must be an object');
  return scanObject(body, ['include_usage'], span);
}

function asksForUsage(body: Buffer, options: Scanned): boolean {
  return readFlag(body, options.members.get('include_usage'), 'stream_options.include_usage');
}

function parse(body: Buffer, span: Span): unknown {
  return JSON.parse(body.toString('utf8', span.start, span.end));
}
