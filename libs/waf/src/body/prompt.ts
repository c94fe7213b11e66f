import type { Bytes } from '../bytes';
import type { BodyArgument } from './parsed-body';

/** What one request says to a model or a tool, in the order in which it says it. */
export interface Prompt {
  readonly model: readonly Bytes[];
  /** What the application says: system and developer messages, and instructions. */
  readonly system: readonly Bytes[];
  /** Texts of the conversation by `role.number`, where the number is the place of the message. */
  readonly texts: readonly BodyArgument[];
  /** What a tool is called with, by the name of the tool. */
  readonly toolArguments: readonly BodyArgument[];
  /** What a tool has answered, by the name of the tool, or of the call where no tool bears it. */
  readonly toolResults: readonly BodyArgument[];
}

export const noPrompt: Prompt = Object.freeze({ model: [], system: [], texts: [], toolArguments: [], toolResults: [] });

/** Of the name of a leaf: deeper places lie inside what one of these already says. */
const MOST_NAME_BYTES = 256;
const MOST_SEGMENTS = 8;
/** Lists of messages of OpenAI (chat, responses), Anthropic and Google. */
const LISTS: readonly Bytes[] = ['messages', 'input', 'contents'];
const SYSTEM: readonly Bytes[] = ['system', 'instructions', 'systemInstruction', 'system_instruction'];
const SYSTEM_ROLES: ReadonlySet<Bytes> = new Set(['system', 'developer']);
const TOOL_ROLES: ReadonlySet<Bytes> = new Set(['tool', 'function']);
/** Members that say what a message or a part of one is, and nothing to anybody. */
const FACTS: ReadonlySet<Bytes> = new Set(['role', 'type', 'name', 'id', 'call_id', 'tool_call_id', 'tool_use_id']);
const isNumber = (segment: Bytes | undefined): boolean => segment !== undefined && /^\d{1,9}$/.test(segment);

/**
 * Finds what is said to models and tools in the wires of OpenAI, Anthropic and Google, and in messages of the Model Context
 * Protocol. Nothing that stands in a message is left out for being unknown: what is no fact about it is text.
 * @param found leaves of one JSON document, or of several in a row
 */
export function promptOf(found: readonly BodyArgument[]): Prompt {
  const reader = new PromptReader();
  for (const argument of found) reader.read(argument);
  return reader.prompt();
}

/** A message, or a part of one that is a call of a tool or its result. */
class Place {
  private readonly facts = new Map<Bytes, Bytes>();
  private firstRole: Bytes | undefined;

  note(name: Bytes, value: Bytes): void {
    if (name === 'role') this.firstRole ??= value;
    this.facts.set(name, value);
  }

  /** Of a member that comes twice some readers take the first and some the last: both are meant. */
  get roles(): readonly Bytes[] {
    const [first, last] = [this.firstRole || 'user', this.facts.get('role') || 'user'];
    return first === last ? [last] : [first, last];
  }

  get tool(): Bytes | undefined {
    return this.facts.get('name');
  }

  /** By which a result refers to its call. */
  get call(): Bytes | undefined {
    return this.facts.get('tool_call_id') ?? this.facts.get('tool_use_id') ?? this.facts.get('call_id');
  }

  /** By which a call is referred to. */
  get ids(): readonly Bytes[] {
    return ['id', 'call_id'].flatMap((name) => this.facts.get(name) ?? []);
  }
}

/** Something that is said; by whom is known when all of its message was read, since members stand in any order. */
interface Said {
  readonly as: 'text' | 'call' | 'result';
  readonly at: Place;
  readonly message: Place;
  readonly number: Bytes;
  readonly value: Bytes;
}

class PromptReader {
  private readonly model: Bytes[] = [];
  private readonly system: Bytes[] = [];
  private readonly said: Said[] = [];
  private readonly places = new Map<Bytes, Place>();

  read({ name, value }: BodyArgument): void {
    const segments = name
      .slice(0, MOST_NAME_BYTES)
      .split('.', MOST_SEGMENTS + 2)
      .slice(1);
    // Messages of JSON-RPC may come as a list.
    const batch = isNumber(segments[0]) ? `${segments.shift()}.` : '';
    const [first = '', ...rest] = segments;
    if (first === 'model') this.model.push(value);
    else if (SYSTEM.includes(first)) this.readSystem(rest, value);
    else if (first === 'prompt') this.say('text', this.place(`${batch}prompt`), rest[0] ?? '0', value);
    else if (first === 'result') this.readMessage(`${batch}result`, '0', rest, value);
    else if (first === 'params') this.readParameters(batch, rest, value);
    else if (LISTS.includes(first)) this.readList(`${batch}${first}`, rest, value);
  }

  prompt(): Prompt {
    const names = new Map<Bytes, Bytes>();
    for (const place of this.places.values()) {
      if (place.tool !== undefined) for (const id of place.ids) names.set(id, place.tool);
    }
    const toolOf = ({ at, message }: Said): Bytes => {
      const call = at.call ?? message.call;
      return (call !== undefined ? names.get(call) : undefined) ?? at.tool ?? message.tool ?? call ?? '';
    };
    const system = [...this.system];
    const texts: BodyArgument[] = [];
    const toolArguments: BodyArgument[] = [];
    const toolResults: BodyArgument[] = [];
    for (const said of this.said) {
      const { as, message, number, value } = said;
      if (as === 'call') toolArguments.push({ name: toolOf(said), value });
      else if (as === 'result') toolResults.push({ name: toolOf(said), value });
      else
        for (const role of message.roles) {
          if (TOOL_ROLES.has(role)) toolResults.push({ name: toolOf(said), value });
          else if (SYSTEM_ROLES.has(role)) system.push(value);
          else texts.push({ name: `${role}.${number}`, value });
        }
    }
    return { model: this.model, system, texts, toolArguments, toolResults };
  }

  private readSystem(rest: readonly Bytes[], value: Bytes): void {
    if (!FACTS.has(rest.at(-1) ?? '')) this.system.push(value);
  }

  /** Parameters of a call by the Model Context Protocol, and what its servers ask models for. */
  private readParameters(batch: Bytes, [member, ...rest]: readonly Bytes[], value: Bytes): void {
    const call = this.place(`${batch}params`);
    if (member === 'name') call.note('name', value);
    else if (member === 'arguments') this.say('call', call, '0', value);
    else if (member === 'systemPrompt') this.system.push(value);
    else if (member === 'messages') this.readList(`${batch}params.messages`, rest, value);
  }

  private readList(list: Bytes, [number = '0', ...rest]: readonly Bytes[], value: Bytes): void {
    // A list may be a single text instead, or one of texts.
    if (isNumber(number)) this.readMessage(`${list}.${number}`, number, rest, value);
    else this.readMessage(list, '0', [number, ...rest], value);
  }

  private readMessage(path: Bytes, number: Bytes, [member, ...rest]: readonly Bytes[], value: Bytes): void {
    const message = this.place(path);
    if (member === undefined) this.say('text', message, number, value);
    else if (FACTS.has(member) && rest.length === 0) message.note(member, value);
    else if (member === 'arguments') this.say('call', message, number, value);
    else if (member === 'output') this.say('result', message, number, value);
    else if (member === 'tool_calls') this.readPart(message, `${path}.call.${rest[0]}`, number, rest.slice(1), value);
    else if (member === 'content' || member === 'parts') this.readContent(message, path, number, rest, value);
    else this.readPart(message, `${path}.${member}`, number, [member, ...rest], value);
  }

  private readContent(message: Place, path: Bytes, number: Bytes, rest: readonly Bytes[], value: Bytes): void {
    const [first] = rest;
    if (first === undefined) this.say('text', message, number, value);
    else if (isNumber(first)) this.readPart(message, `${path}.part.${first}`, number, rest.slice(1), value);
    else this.readPart(message, `${path}.part`, number, rest, value);
  }

  private readPart(message: Place, path: Bytes, number: Bytes, segments: readonly Bytes[], value: Bytes): void {
    const [member, ...rest] = segments;
    const place = this.place(path);
    const say = (as: Said['as']): void => void this.said.push({ as, at: place, message, number, value });
    if (member === undefined) say('text');
    else if (FACTS.has(member) && rest.length === 0) place.note(member, value);
    else if (['function', 'function_call', 'functionCall', 'functionResponse', 'function_response'].includes(member))
      this.readFunction(place, rest[0], value, say);
    else if (member === 'input') say('call');
    else if (member === 'content') {
      if (!FACTS.has(rest.at(-1) ?? '')) say('result');
    } else say('text');
  }

  private readFunction(place: Place, member: Bytes | undefined, value: Bytes, say: (as: Said['as']) => void): void {
    if (member === 'name') place.note('name', value);
    else say(member === 'response' ? 'result' : 'call');
  }

  private say(as: Said['as'], message: Place, number: Bytes, value: Bytes): void {
    this.said.push({ as, at: message, message, number, value });
  }

  private place(path: Bytes): Place {
    let place = this.places.get(path);
    if (!place) {
      place = new Place();
      this.places.set(path, place);
    }
    return place;
  }
}
