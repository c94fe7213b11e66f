import { eventData } from '../../body/sse';
import { ScanError, scanObject, type Span } from '../../body/scan';
import { LONGEST_TOKEN, tokensOf } from '../../execute/estimate';
import type { Tap, Tapped, WholeAnswer } from '../../execute/tap';
import type { Usage } from '../../usage';
import { disjointUsage } from './usage';

const USAGE = Buffer.from('"usage"');
const ERROR = Buffer.from('"error"');
const FINISH = Buffer.from('"finish_reason"');
const FINISH_NULL = Buffer.from('"finish_reason":null');
const DONE = Buffer.from('data: [DONE]');
const DONE_TIGHT = Buffer.from('data:[DONE]');
const MARKER = '[DONE]';

/**
 * The tap of an openai-chat stream. Until the first content every event is parsed; after it only one that can hold
 * usage, an end, an error or more text than a token, and every one once usage has been reported, to know what it does not
 * cover.
 */
export class OpenAiChatTap implements Tap {
  usage: Usage | undefined;
  uncoveredTokens = 0;
  private begun = false;
  /** The least that an event had around its text. */
  private envelope = Infinity;
  private readonly ended = new Set<unknown>();

  /** @param choices how many answers were asked for. */
  constructor(private readonly choices = 1) {}

  get finished(): boolean {
    return this.ended.size >= this.choices;
  }

  read(event: Buffer): Tapped {
    if (startsWith(event, DONE) || startsWith(event, DONE_TIGHT)) return 'done';
    if (this.begun && this.isOneToken(event)) {
      this.uncoveredTokens += 1;
      return 'content';
    }
    const data = eventData(event);
    if (data === undefined) return 'prelude';
    if (data.startsWith(MARKER)) return 'done';
    const chunk = parseObject(data);
    if (chunk === undefined) return 'prelude';
    if (chunk['error'] !== undefined && chunk['error'] !== null) return 'error';
    return this.readChunk(chunk, event.length);
  }

  /** Whether it can be passed on without a look inside. What is larger may hold more text, or more around it. */
  private isOneToken(event: Buffer): boolean {
    if (this.usage || this.choices > 1 || event.length - this.envelope > LONGEST_TOKEN) return false;
    return startsWithData(event) && !canMatter(event);
  }

  private readChunk(chunk: Readonly<Record<string, unknown>>, eventBytes: number): Tapped {
    const choices = Array.isArray(chunk['choices']) ? (chunk['choices'] as (Choice | null)[]) : [];
    const content = this.readChoices(choices, eventBytes);
    const usage = disjointUsage(chunk['usage']);
    if (usage) {
      this.usage = usage;
      this.uncoveredTokens = 0;
    }
    if (content) this.begun = true;
    if (choices.length > 0) return content ? 'content' : 'prelude';
    // Also one that cannot be believed: a chunk without a choice is for nobody who did not ask for it.
    return isObject(chunk['usage']) ? 'usage' : 'prelude';
  }

  /** @returns whether any of them is part of the answer. */
  private readChoices(choices: readonly (Choice | null)[], eventBytes: number): boolean {
    let content = false;
    let ends = false;
    let text = 0;
    for (const choice of choices) {
      if (typeof choice?.finish_reason === 'string') {
        this.ended.add(choice.index ?? 0);
        ends = true;
      }
      if (!hasContent(choice?.delta)) continue;
      content = true;
      text += textBytes(choice!.delta);
    }
    if (content) this.envelope = Math.min(this.envelope, eventBytes - text);
    // An end alone is billed by no vendor that has reported already.
    if (content || (ends && !this.usage)) this.uncoveredTokens += tokensOf(text);
    return content || ends;
  }
}

interface Choice {
  readonly index?: unknown;
  readonly finish_reason?: unknown;
  readonly delta?: Readonly<Record<string, unknown>> | null;
}

function canMatter(event: Buffer): boolean {
  if (event.includes(USAGE) || event.includes(ERROR)) return true;
  return event.includes(FINISH) && !event.includes(FINISH_NULL);
}

/** Neither a comment nor a blank line; an event that begins with another field is parsed, to see what it has. */
function startsWithData(event: Buffer): boolean {
  return event[0] === 0x64 && event[4] === 0x3a;
}

/** Roles and empty values are no content; text, reasoning, calls, a refusal or media are. */
function hasContent(delta: Choice['delta']): boolean {
  if (typeof delta !== 'object' || delta === null) return false;
  return Object.entries(delta).some(([name, value]) => name !== 'role' && !isEmpty(value));
}

function isEmpty(value: unknown): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

/** Deep enough for `delta.tool_calls[].function.arguments`, and no deeper: what comes may be nested without end. */
const TEXT_DEPTH = 4;

/** Bytes of the text in a value, without what stands around it. */
function textBytes(value: unknown, depth = 0): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value !== 'object' || value === null || depth === TEXT_DEPTH) return 0;
  let bytes = 0;
  for (const inner of Object.values(value)) bytes += textBytes(inner, depth + 1);
  return bytes;
}

/** Whether bytes that no blank line follows are all the same a whole event, and not half of one. */
export function isWholeEvent(event: Buffer): boolean {
  const data = eventData(event);
  return data !== undefined && (data.startsWith(MARKER) || parseObject(data) !== undefined);
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function startsWith(event: Buffer, prefix: Buffer): boolean {
  return event.length >= prefix.length && event.compare(prefix, 0, prefix.length, 0, prefix.length) === 0;
}

/**
 * Judges an answer in one piece without building it.
 * @returns undefined when it is no completion: not JSON, an error in spite of a 200, or no choices.
 */
export function readWholeAnswer(body: Buffer): WholeAnswer | undefined {
  try {
    const { members } = scanObject(body, ['choices', 'usage', 'error'], { start: markBytes(body), end: body.length });
    const choices = members.get('choices');
    const error = members.get('error');
    if (!choices || !holdsSomething(body, choices)) return undefined;
    if (error && body[error.start] !== 0x6e) return undefined;
    const usage = members.get('usage');
    return {
      usage: usage && disjointUsage(JSON.parse(body.toString('utf8', usage.start, usage.end))),
      contentBytes: choices.end - choices.start,
    };
  } catch (error) {
    if (error instanceof ScanError) return undefined;
    throw error;
  }
}

/** RFC 8259 §8.1: a reader may ignore a byte order mark, and the clients do. */
function markBytes(body: Buffer): number {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0;
}

function holdsSomething(body: Buffer, { start, end }: Span): boolean {
  return body[start] === 0x5b && body.toString('latin1', start + 1, end - 1).trim() !== '';
}
