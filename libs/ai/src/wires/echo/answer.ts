/** What echo makes of a request; deterministic, so that tests and first steps can rely on every number. */
export interface EchoAnswer {
  readonly text: string;
  /** Words of the text, counted as tokens. */
  readonly completionTokens: number;
  readonly finishReason: 'stop' | 'length';
  /** Words of all messages, counted as tokens. */
  readonly promptTokens: number;
  readonly includeUsage: boolean;
}

interface EchoRequest {
  readonly messages?: readonly (Message | null)[];
  readonly max_tokens?: number | null;
  readonly max_completion_tokens?: number | null;
  readonly stream_options?: { readonly include_usage?: boolean } | null;
}

interface Message {
  readonly role?: unknown;
  readonly content?: unknown;
}

const NOTHING_SAID = 'Say something, and it comes back.';

/** @param body a scanned chat request: it is JSON, of bounded depth. */
export function echoAnswer(body: Buffer): EchoAnswer {
  const request = JSON.parse(body.toString('utf8')) as EchoRequest;
  const messages = request.messages ?? [];
  const said = messages.filter((message) => message?.role === 'user').map((message) => textOf(message?.content));
  const text = said.at(-1)?.trim() || NOTHING_SAID;
  const limit = request.max_completion_tokens ?? request.max_tokens ?? Infinity;
  const { words, end } = measure(text, limit);
  return {
    text: text.slice(0, end),
    completionTokens: words,
    finishReason: end < text.length ? 'length' : 'stop',
    promptTokens: messages.reduce((sum, message) => sum + measure(textOf(message?.content), Infinity).words, 0),
    includeUsage: request.stream_options?.include_usage === true,
  };
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return (content as ({ text?: unknown } | null)[])
    .map((part) => part?.text)
    .filter((text) => typeof text === 'string')
    .join(' ');
}

/** Where the piece that begins at `start` ends: behind a word, with the space before it; at the end there may be space alone. */
function pieceEnd(text: string, start: number): number {
  let at = start;
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  if (at === text.length) return start;
  while (at < text.length && !isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** Counts the words of a text up to a limit, without making anything of them: a text may have millions. */
function measure(text: string, limit: number): { words: number; end: number } {
  let words = 0;
  let end = 0;
  while (words < limit) {
    const next = pieceEnd(text, end);
    if (next === end) break;
    end = next;
    words++;
  }
  return { words, end };
}

/** Cuts before each word, one piece at a time; by hand, since a regular expression for it takes quadratic time on spaces. */
export function* wordPieces(text: string): Generator<string> {
  for (let start = 0, end = pieceEnd(text, 0); end > start; start = end, end = pieceEnd(text, start)) {
    yield text.slice(start, end);
  }
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d) || code === 0xa0 || code === 0x3000;
}
