import type { Violation } from '@sallyport/contracts';
import { JsonFault, readJson } from '../../json/strict-json';
import { writePointer } from '../../json/pointer';
import type { Validator } from '../../json-schema/schema-document';
import type { TextShape } from './text-shape';

/** Where parameters stand; also the first part of the pointer that names a fault. */
export type ParameterPlace = 'path' | 'query' | 'header' | 'cookie';

/** Texts of one place by name, in the order received; several of one name stand beside each other. */
export type RawParameters = ReadonlyMap<string, readonly string[]>;

/** Reads what stands behind the question mark; a plus sign is a space, as forms have it. */
export function readQuery(query: string): RawParameters | undefined {
  return readPairs(query, (_, value) => value);
}

/** As `readQuery`, but for the values: they stay as they stand there, for whoever splits them before they are decoded. */
export function splitQuery(query: string): RawParameters | undefined {
  return readPairs(query, (raw) => raw);
}

function readPairs(query: string, kept: (raw: string, value: string) => string): RawParameters | undefined {
  const found = new Map<string, string[]>();
  if (query === '') return found;
  for (const part of query.split('&')) {
    const equals = part.indexOf('=');
    const raw = equals < 0 ? '' : part.slice(equals + 1);
    const name = unescaped(equals < 0 ? part : part.slice(0, equals), true);
    const value = unescaped(raw, true);
    if (name === undefined || value === undefined) return undefined;
    const values = found.get(name);
    if (values) values.push(kept(raw, value));
    else found.set(name, [kept(raw, value)]);
  }
  return found;
}

/** RFC 6265 §4.2.1. */
export function readCookies(cookie: string | undefined): RawParameters {
  const found = new Map<string, string[]>();
  for (const part of cookie?.split(';') ?? []) {
    const equals = part.indexOf('=');
    const name = part.slice(0, Math.max(0, equals)).trim();
    if (name !== '') found.set(name, [...(found.get(name) ?? []), part.slice(equals + 1).trim()]);
  }
  return found;
}

/** @returns undefined where an escape is broken or hides bytes that are no UTF-8. */
export function unescaped(text: string, plusIsSpace = false): string | undefined {
  const spaced = plusIsSpace && text.includes('+') ? text.replaceAll('+', ' ') : text;
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    return undefined;
  }
}

export type Style = 'simple' | 'form' | 'spaceDelimited' | 'pipeDelimited' | 'deepObject';

/** One parameter of an operation. */
export interface Parameter {
  readonly in: ParameterPlace;
  /** As it is looked up: fields of a head in lower case. */
  readonly name: string;
  readonly required: boolean;
  readonly style: Style;
  readonly explode: boolean;
  /** The value is a JSON text (`content` instead of `schema`). */
  readonly isJson: boolean;
  /** An empty value passes, whatever the schema says. */
  readonly allowEmpty: boolean;
  readonly shape: TextShape;
  readonly validate: Validator;
  /** Whether a name of the query is that of another parameter of the operation, or of a member of one. */
  readonly isOther: (name: string) => boolean;
}

/** Texts as they are meant: their escapes are whole, or there would be no parameters. */
const decode: Readonly<Record<ParameterPlace, (text: string) => string>> = {
  path: (text) => unescaped(text)!,
  query: (text) => unescaped(text, true)!,
  header: (text) => text,
  cookie: (text) => text,
};

/**
 * @param raw path and query as they stand there, with their escapes
 * @returns what is wrong with a parameter of one request.
 */
export function checkParameter(parameter: Parameter, raw: RawParameters): readonly Violation[] {
  if (parameter.allowEmpty && raw.get(parameter.name)?.join() === '') return [];
  const at = (pointer: string) => `/${parameter.in}${writePointer([parameter.name])}${pointer}`;
  const readings = readingsOf(parameter, raw);
  if (readings.length === 0) {
    return parameter.required ? [{ pointer: at(''), code: 'required', detail: 'Is missing.' }] : [];
  }
  const judged = readings.map((reading) => faultsOf(reading, parameter));
  const faults = judged.find(({ length }) => length === 0) ?? judged[0]!;
  return faults.map((fault) => ({ ...fault, pointer: at(fault.pointer) }));
}

type Reading = { readonly value: unknown } | { readonly fault: string; readonly detail: string };

function faultsOf(reading: Reading, { validate }: Parameter): readonly Violation[] {
  if ('value' in reading) return validate(reading.value) ?? [];
  return [{ pointer: '', code: reading.fault, detail: reading.detail }];
}

/** Two readers keep different ones of a parameter that stands twice. */
const REPEATED: Reading = { fault: 'repeated', detail: 'Stands there more than once.' };
const MEMBER_REPEATED: Reading = { fault: 'repeated', detail: 'Has a member that stands there more than once.' };

/** What a parameter may mean: more than one where its schema takes several kinds of values. None: it is not there. */
function readingsOf(parameter: Parameter, raw: RawParameters): readonly Reading[] {
  const { shape, name, isJson } = parameter;
  const texts = raw.get(name);
  if (isJson) return texts ? [jsonOf(texts, parameter)] : [];
  const readings: (Reading | undefined)[] = [];
  if (shape.types.has('array'))
    readings.push(texts && listOf(texts, parameter), texts && escapedList(texts, parameter));
  if (shape.types.has('object')) readings.push(objectIn(raw, parameter));
  if (shape.takesOne)
    readings.push(texts && (texts.length > 1 ? REPEATED : { value: shape.read(decode[parameter.in](texts[0]!)) }));
  return readings.filter((reading) => reading !== undefined);
}

function jsonOf(texts: readonly string[], parameter: Parameter): Reading {
  if (texts.length > 1) return REPEATED;
  const read = readJson(Buffer.from(decode[parameter.in](texts[0]!)));
  return read instanceof JsonFault ? { fault: 'json', detail: `Is not acceptable as JSON: it ${read.what}.` } : read;
}

function listOf(texts: readonly string[], parameter: Parameter): Reading {
  const { shape, style, explode } = parameter;
  if (style === 'form' && explode) return { value: shape.list(texts.map(decode[parameter.in])) };
  return texts.length > 1 ? REPEATED : { value: shape.list(partsOf(texts[0]!, parameter)) };
}

/**
 * Many clients escape a whole value, the commas of a list and all, and servers that decode before they split read a list in it.
 * A comma that stands bare beside them is the one that parts members.
 */
function escapedList(texts: readonly string[], { shape, style, explode, in: place }: Parameter): Reading | undefined {
  const [text = ''] = texts;
  const partedByCommas = style === 'simple' || (style === 'form' && !explode);
  if (!partedByCommas || texts.length > 1 || text.includes(',') || !/%2c/i.test(text)) return undefined;
  return { value: shape.list(decode[place](text).split(',')) };
}

function objectIn(raw: RawParameters, parameter: Parameter): Reading | undefined {
  const { shape, style, explode, name } = parameter;
  if (style === 'deepObject') return deepObject(raw, parameter);
  if (style === 'form' && explode) return spreadObject(raw, parameter);
  const texts = raw.get(name);
  if (!texts) return undefined;
  if (texts.length > 1) return REPEATED;
  const parts = partsOf(texts[0]!, parameter);
  const pairs = explode
    ? parts.map((part) => [part.split('=')[0]!, [part.slice(part.indexOf('=') + 1)]] as const)
    : parts.flatMap((part, at) => (at % 2 === 0 ? [[part, [parts[at + 1] ?? '']] as const] : []));
  return { value: shape.object(pairs) };
}

/** The members of a list in one text. */
function partsOf(text: string, { style, in: place }: Parameter): readonly string[] {
  // RFC 9110 §5.6.1: a list in a field has white space around its members, and may have empty ones.
  if (place === 'header') return text.split(',').flatMap((part) => part.trim() || []);
  const read = decode[place];
  if (text === '') return [];
  // Spaces and bars do not stand bare in a query, so they part members in any spelling.
  if (style === 'spaceDelimited') return read(text).split(' ');
  if (style === 'pipeDelimited') return read(text).split('|');
  // RFC 6570 §3.2: commas part members, and one that is escaped belongs to a member.
  return text.split(',').map(read);
}

/** `name[member]=value` */
function deepObject(raw: RawParameters, { name, shape, in: place }: Parameter): Reading | undefined {
  const pairs: [string, string[]][] = [];
  for (const [key, texts] of raw) {
    if (!key.startsWith(`${name}[`) || !key.endsWith(']')) continue;
    if (texts.length > 1) return MEMBER_REPEATED;
    pairs.push([key.slice(name.length + 1, -1), texts.map(decode[place])]);
  }
  return pairs.length === 0 ? undefined : { value: shape.object(pairs) };
}

/** The members stand beside the other parameters; what is none of those is a member, where the schema speaks of more. */
function spreadObject(raw: RawParameters, { shape, in: place, isOther }: Parameter): Reading | undefined {
  const takesRest = shape.judgesRest && place === 'query';
  const pairs: [string, string[]][] = [];
  for (const [member, texts] of raw) {
    if (!shape.members.has(member) && (!takesRest || isOther(member))) continue;
    if (texts.length > 1) return MEMBER_REPEATED;
    pairs.push([member, texts.map(decode[place])]);
  }
  return pairs.length === 0 ? undefined : { value: shape.object(pairs) };
}

/** Whether the members of a parameter stand in the query by themselves. */
export function isSpread({ shape, style, explode, isJson }: Parameter): boolean {
  return !isJson && shape.types.has('object') && style === 'form' && explode;
}

/** Names of the query that belong to some of the parameters of an operation. */
export function namesOf(parameters: readonly Parameter[]): (name: string) => boolean {
  const inQuery = parameters.filter((parameter) => parameter.in === 'query');
  const known = new Set(
    inQuery.flatMap((parameter) =>
      isSpread(parameter) ? [parameter.name, ...parameter.shape.members.keys()] : [parameter.name],
    ),
  );
  const deep = inQuery.filter(({ style }) => style === 'deepObject').map(({ name }) => `${name}[`);
  return (name) => known.has(name) || deep.some((prefix) => name.startsWith(prefix));
}
