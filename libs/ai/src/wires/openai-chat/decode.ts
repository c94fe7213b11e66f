import { eventData } from '../../body/sse';
import { ScanError, scanObject } from '../../body/scan';
import type { Tap, Tapped, WholeAnswer } from '../../execute/tap';
import type { Usage } from '../../usage';
import { disjointUsage } from './usage';

const USAGE = Buffer.from('"usage"');
const ERROR = Buffer.from('"error"');
const FINISH = Buffer.from('"finish_reason"');
const FINISH_NULL = Buffer.from('"finish_reason":null');
const DONE = Buffer.from('data: [DONE]');
const DONE_TIGHT = Buffer.from('data:[DONE]');

/**
 * The tap of an openai-chat stream. Until the first content every event is parsed; after it only one that can hold
 * usage, an end or an error.
 */
export class OpenAiChatTap implements Tap {
  usage: Usage | undefined;
  contentEvents = 0;
  finished = false;

  read(event: Buffer): Tapped {
    if (startsWith(event, DONE) || startsWith(event, DONE_TIGHT)) return 'done';
    if (this.contentEvents > 0 && !canMatter(event)) {
      this.contentEvents++;
      return 'content';
    }
    const chunk = parseChunk(event);
    if (chunk === undefined) return 'prelude';
    if (chunk['error'] !== undefined && chunk['error'] !== null) return 'error';
    return this.readChunk(chunk);
  }

  private readChunk(chunk: Readonly<Record<string, unknown>>): Tapped {
    const usage = disjointUsage(chunk['usage']);
    if (usage) this.usage = usage;
    const choices = Array.isArray(chunk['choices']) ? (chunk['choices'] as (Choice | null)[]) : [];
    if (choices.length === 0) return usage ? 'usage' : 'prelude';
    let content = false;
    for (const choice of choices) {
      if (typeof choice?.finish_reason === 'string') this.finished = content = true;
      if (hasContent(choice?.delta)) content = true;
    }
    if (!content) return 'prelude';
    this.contentEvents++;
    return 'content';
  }
}

interface Choice {
  readonly finish_reason?: unknown;
  readonly delta?: Readonly<Record<string, unknown>> | null;
}

function canMatter(event: Buffer): boolean {
  if (event.includes(USAGE) || event.includes(ERROR)) return true;
  return event.includes(FINISH) && !event.includes(FINISH_NULL);
}

/** Roles and empty values are no content; text, reasoning, calls, a refusal or media are. */
function hasContent(delta: Choice['delta']): boolean {
  if (typeof delta !== 'object' || delta === null) return false;
  return Object.entries(delta).some(([name, value]) => name !== 'role' && !isEmpty(value));
}

function isEmpty(value: unknown): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

/** @returns undefined for a comment, or data that is no object. */
function parseChunk(event: Buffer): Readonly<Record<string, unknown>> | undefined {
  const data = eventData(event);
  return data === undefined ? undefined : parseObject(data);
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
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
    const { members } = scanObject(body, ['choices', 'usage', 'error']);
    const choices = members.get('choices');
    const error = members.get('error');
    if (!choices || body[choices.start] !== 0x5b) return undefined;
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
