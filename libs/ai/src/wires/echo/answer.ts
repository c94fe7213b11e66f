/** What echo makes of a request; deterministic, so that tests and first steps can rely on every number. */
export interface EchoAnswer {
  /** Pieces that joined give the answer, a word each with the space around it. */
  readonly pieces: readonly string[];
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
  const pieces = wordPieces(said.at(-1)?.trim() || NOTHING_SAID);
  const limit = request.max_completion_tokens ?? request.max_tokens ?? Infinity;
  return {
    pieces: pieces.length > limit ? pieces.slice(0, limit) : pieces,
    finishReason: pieces.length > limit ? 'length' : 'stop',
    promptTokens: messages.reduce((sum, message) => sum + wordPieces(textOf(message?.content)).length, 0),
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

/** Cuts before each word; by hand, since a regular expression for it takes quadratic time on a text of spaces. */
export function wordPieces(text: string): string[] {
  const pieces: string[] = [];
  let start = 0;
  let inWord = false;
  for (let at = 0; at < text.length; at++) {
    const space = isSpace(text.charCodeAt(at));
    if (space && inWord) {
      pieces.push(text.slice(start, at));
      start = at;
    }
    inWord = !space;
  }
  if (inWord) pieces.push(text.slice(start));
  return pieces;
}

function isSpace(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d) || code === 0xa0 || code === 0x3000;
}
