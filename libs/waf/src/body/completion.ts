import type { Bytes } from '../bytes';
import { jsonArguments, jsonLinesArguments } from './json';
import { bodyLimits, type BodyArgument, type BodyLimits } from './parsed-body';

/** An answer has a leaf for each token where it tells how sure it is of them. */
const limits: BodyLimits = Object.freeze({ ...bodyLimits, arguments: 65_536, nameBytes: 4 * 1024 * 1024 });
const BYTE_ORDER_MARK = '\xef\xbb\xbf';
/** Of the name of a leaf: deeper places say nothing of an answer. */
const MOST_NAME_BYTES = 256;

/** Lines or leaves that are read between two pauses. */
const A_STEP = 256;

/**
 * Finds what a model answers in the wires of OpenAI (chat, completions, responses), Anthropic, Google and Ollama: as one document,
 * as lines of them, or as a stream of events, whose pieces are put together. What cannot be read is passed over.
 * @param body as it was received, or the beginning of it
 * @yields after every few lines and leaves
 * @returns texts, and arguments of the tools it calls, by the number of the choice, in the order in which they begin
 */
export function* completionInSteps(body: Bytes): Generator<void, readonly BodyArgument[], void> {
  const answer = new Answer();
  const text = body.startsWith(BYTE_ORDER_MARK) ? body.slice(BYTE_ORDER_MARK.length) : body;
  if (/^[\t\n\r ]*[{[]/.test(text)) yield* answer.read(jsonLinesArguments(text, limits).arguments);
  else yield* readEvents(text, answer);
  return answer.said();
}

/** Reads the data of each event of a stream (WHATWG HTML §9.2.6). */
function* readEvents(text: Bytes, answer: Answer): Generator<void, void, void> {
  const lineAt = /([^\r\n]*)(?:\r\n|\r|\n|$)/y;
  let data: Bytes[] = [];
  for (let lines = 1; lineAt.lastIndex < text.length; lines++) {
    const [, line = ''] = lineAt.exec(text)!;
    if (lines % A_STEP === 0) yield;
    if (line.startsWith('data:')) data.push(line.slice(line.startsWith('data: ') ? 6 : 5));
    if (line !== '' || data.length === 0) continue;
    yield* answer.read(jsonArguments(data.join('\n'), limits).arguments);
    data = [];
  }
  if (data.length > 0) yield* answer.read(jsonArguments(data.join('\n'), limits).arguments);
}

/** Something that is said bit by bit. */
interface Said {
  readonly choice: Bytes;
  readonly pieces: Bytes[];
}

class Answer {
  private readonly byPlace = new Map<Bytes, Said>();

  /** @param leaves of one document, or of several in a row */
  *read(leaves: readonly BodyArgument[]): Generator<void, void, void> {
    // Events of Anthropic, and of OpenAI's responses, name the choice beside the piece.
    let numbered: Bytes | undefined;
    const numbers = new Map<Bytes, Bytes>();
    for (const [at, { name, value }] of leaves.entries()) {
      if (at % A_STEP === A_STEP - 1) yield;
      if (!name.endsWith('.index') && name !== 'json.output_index') continue;
      if (name === 'json.index' || name === 'json.output_index') numbered ??= value;
      if (name.endsWith('.index')) numbers.set(name.slice(0, -'.index'.length), value);
    }
    for (const [at, { name, value }] of leaves.entries()) {
      if (at % A_STEP === A_STEP - 1) yield;
      const path = name.slice(0, MOST_NAME_BYTES).split('.');
      const place = placeOf(withNumbers(path, numbers).slice(1), numbered ?? '0');
      if (place) this.add(place, value);
    }
  }

  said(): BodyArgument[] {
    return [...this.byPlace.values()].map(({ choice, pieces }) => ({ name: choice, value: pieces.join('') }));
  }

  private add({ choice, what }: Place, value: Bytes): void {
    const key = `${choice} ${what}`;
    const said = this.byPlace.get(key) ?? { choice, pieces: [] };
    said.pieces.push(value);
    this.byPlace.set(key, said);
  }
}

/**
 * An event of a stream has only what is new of a list, and each of it bears its number.
 * @param numbers by the name of what bears one
 */
function withNumbers(path: readonly Bytes[], numbers: ReadonlyMap<Bytes, Bytes>): readonly Bytes[] {
  if (numbers.size === 0) return path;
  return path.map((segment, at) =>
    isNumber(segment) ? (numbers.get(path.slice(0, at + 1).join('.')) ?? segment) : segment,
  );
}

/** Where in an answer something is said. */
interface Place {
  readonly choice: Bytes;
  /** What of the choice: pieces of one are put together. */
  readonly what: Bytes;
}

const isNumber = (segment: Bytes | undefined): boolean => segment !== undefined && /^\d{1,9}$/.test(segment);
const TEXTS: ReadonlySet<Bytes> = new Set([
  'text',
  'content',
  'refusal',
  'thinking',
  'reasoning_content',
  'transcript',
]);
const ARGUMENTS: ReadonlySet<Bytes> = new Set(['arguments', 'partial_json', 'input', 'args']);

/** @param numbered the choice, where the document names it apart */
function placeOf(path: readonly Bytes[], numbered: Bytes): Place | undefined {
  const [first = '', second = ''] = path;
  // Google sends one list of documents.
  if (isNumber(first)) return placeOf(path.slice(1), numbered);
  switch (first) {
    case 'choices':
    case 'candidates':
    case 'output':
      return isNumber(second) ? within(second, path.slice(2)) : undefined;
    // A message of Anthropic: the number is that of a part.
    case 'content':
      return isNumber(second) ? within(second, path.slice(2)) : undefined;
    case 'message':
      return within('0', path.slice(1));
    case 'content_block':
      return within(numbered, path.slice(1));
    case 'delta':
      return path.length === 1 ? { choice: numbered, what: 'text' } : within(numbered, path.slice(1));
    // Of Ollama, which generates without a chat.
    case 'response':
      return path.length === 1 ? { choice: '0', what: 'text' } : undefined;
    default:
      return undefined;
  }
}

/** @returns undefined for what says something about the answer, and is none of it */
function within(choice: Bytes, path: readonly Bytes[]): Place | undefined {
  const call = path.findIndex((segment) => ARGUMENTS.has(segment));
  if (call >= 0) return { choice, what: `call ${path.slice(0, call).filter(isNumber).join('.')}` };
  const last = path.at(-1) ?? '';
  return TEXTS.has(last) && !path.includes('logprobs') ? { choice, what: 'text' } : undefined;
}
