import type { Violation } from '@sallyport/contracts';
import { JsonFault, readJson } from '../../json/strict-json';
import { writePointer } from '../../json/pointer';
import { isObject, type Members } from '../../json-schema/values';
import type { SchemaDocument, Validator } from '../../json-schema/schema-document';

/** Where parameters stand; also the first part of the pointer that names a fault. */
export type ParameterPlace = 'path' | 'query' | 'header' | 'cookie';

/** Texts of one place by name, in the order received; several of one name stand beside each other. */
export type RawParameters = ReadonlyMap<string, readonly string[]>;

/** Reads what stands behind the question mark; a plus sign is a space, as forms have it. */
export function readQuery(query: string): RawParameters | undefined {
  const found = new Map<string, string[]>();
  if (query === '') return found;
  for (const part of query.split('&')) {
    const equals = part.indexOf('=');
    const name = unescaped(equals < 0 ? part : part.slice(0, equals), true);
    const value = unescaped(equals < 0 ? '' : part.slice(equals + 1), true);
    if (name === undefined || value === undefined) return undefined;
    const values = found.get(name);
    if (values) values.push(value);
    else found.set(name, [value]);
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

/** What a schema says of the texts that are to become values of it. */
export interface TextShape {
  readonly types: readonly string[];
  readonly items: TextShape | undefined;
  readonly members: ReadonlyMap<string, TextShape>;
}

const ANY: TextShape = { types: [], items: undefined, members: new Map() };

/** Reads a schema as far as it decides what a text means; references are followed. */
export function textShape(schema: unknown, pointer: string, document: SchemaDocument, depth = 0): TextShape {
  if (!isObject(schema) || depth > 8) return ANY;
  if (schema['$ref'] !== undefined) {
    const place = document.resolve(schema, schema['$ref'], pointer);
    return textShape(place.node, place.pointer, document, depth + 1);
  }
  const { type } = schema;
  const types = (Array.isArray(type) ? type : [type]).filter((name): name is string => typeof name === 'string');
  const nullable = schema['nullable'] === true ? ['null'] : [];
  const within = (of: unknown, at: string) => textShape(of, `${pointer}${at}`, document, depth + 1);
  const properties = isObject(schema['properties']) ? Object.entries(schema['properties']) : [];
  return {
    types: [...types, ...nullable],
    items: schema['items'] === undefined ? undefined : within(schema['items'], '/items'),
    members: new Map(properties.map(([name, member]) => [name, within(member, `/properties${writePointer([name])}`)])),
  };
}

const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

/** The value a text stands for; the text itself where its schema takes it, or nothing else fits. */
export function valueOf(text: string, { types }: TextShape): unknown {
  if (types.includes('string') || types.length === 0) return text;
  if ((types.includes('integer') || types.includes('number')) && NUMBER.test(text)) return Number(text);
  if (types.includes('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  return types.includes('null') && text === '' ? null : text;
}

/** The members of an object of texts. */
export function objectOf(pairs: Iterable<readonly [string, string]>, shape: TextShape): Members {
  const value = Object.create(null) as Record<string, unknown>;
  for (const [name, text] of pairs) value[name] = valueOf(text, shape.members.get(name) ?? ANY);
  return value;
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
  readonly allowEmpty: boolean;
  readonly shape: TextShape;
  readonly validate: Validator;
}

const SEPARATORS: Readonly<Record<Style, string>> = {
  simple: ',',
  form: ',',
  spaceDelimited: ' ',
  pipeDelimited: '|',
  deepObject: ',',
};

/** @returns what is wrong with a parameter of one request. */
export function checkParameter(parameter: Parameter, raw: RawParameters): readonly Violation[] {
  const at = (pointer: string) => `/${parameter.in}${writePointer([parameter.name])}${pointer}`;
  const read = readParameter(parameter, raw);
  if (read === undefined) {
    return parameter.required ? [{ pointer: at(''), code: 'required', detail: 'Is missing.' }] : [];
  }
  if ('fault' in read) return [{ pointer: at(''), code: read.fault, detail: read.detail }];
  const faults = parameter.validate(read.value) ?? [];
  return faults.map((fault) => ({ ...fault, pointer: at(fault.pointer) }));
}

type Read = { readonly value: unknown } | { readonly fault: string; readonly detail: string } | undefined;

function readParameter(parameter: Parameter, raw: RawParameters): Read {
  const { shape, style, explode, name } = parameter;
  const isObjectParameter = !parameter.isJson && shape.types.includes('object');
  if (isObjectParameter && style === 'deepObject') return deepObject(name, raw, shape);
  if (isObjectParameter && style === 'form' && explode) return spreadObject(raw, shape);
  const texts = raw.get(name);
  if (!texts) return undefined;
  if (shape.types.includes('array') && style === 'form' && explode) {
    return { value: texts.map((text) => valueOf(text, shape.items ?? ANY)) };
  }
  // Two readers keep different ones of a parameter that stands twice.
  if (texts.length > 1) return { fault: 'repeated', detail: 'Stands there more than once.' };
  return readText(texts[0]!, parameter, isObjectParameter);
}

function readText(text: string, { shape, style, explode, isJson }: Parameter, isObjectParameter: boolean): Read {
  if (isJson) {
    const read = readJson(Buffer.from(text));
    return read instanceof JsonFault ? { fault: 'json', detail: `Is not acceptable as JSON: it ${read.what}.` } : read;
  }
  const parts = text === '' ? [] : text.split(SEPARATORS[style]);
  if (shape.types.includes('array')) return { value: parts.map((part) => valueOf(part, shape.items ?? ANY)) };
  if (!isObjectParameter) return { value: valueOf(text, shape) };
  const pairs = explode
    ? parts.map((part) => [part.split('=')[0]!, part.slice(part.indexOf('=') + 1)] as const)
    : parts.flatMap((part, index) => (index % 2 === 0 ? [[part, parts[index + 1] ?? ''] as const] : []));
  return { value: objectOf(pairs, shape) };
}

/** `name[member]=value` */
function deepObject(name: string, raw: RawParameters, shape: TextShape): Read {
  const pairs: [string, string][] = [];
  for (const [key, texts] of raw) {
    if (!key.startsWith(`${name}[`) || !key.endsWith(']')) continue;
    pairs.push([key.slice(name.length + 1, -1), texts.at(-1)!]);
    if (texts.length > 1) return { fault: 'repeated', detail: 'Has a member that stands there more than once.' };
  }
  return pairs.length === 0 ? undefined : { value: objectOf(pairs, shape) };
}

/** The members stand beside the other parameters. */
function spreadObject(raw: RawParameters, shape: TextShape): Read {
  const pairs: [string, string][] = [];
  for (const member of shape.members.keys()) {
    const texts = raw.get(member);
    if (texts && texts.length > 1)
      return { fault: 'repeated', detail: 'Has a member that stands there more than once.' };
    if (texts) pairs.push([member, texts[0]!]);
  }
  return pairs.length === 0 ? undefined : { value: objectOf(pairs, shape) };
}
