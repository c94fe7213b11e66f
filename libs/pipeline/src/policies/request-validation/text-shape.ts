import { numberOf } from '../../json/strict-json';
import { writePointer } from '../../json/pointer';
import { appliedAt, type SchemaPlace } from '../../json-schema/applied';
import type { Place } from '../../json-schema/schema-compiler';
import type { SchemaDocument, Validator } from '../../json-schema/schema-document';
import { isObject, type Members } from '../../json-schema/values';

const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const BRANCHES = ['allOf', 'anyOf', 'oneOf'];
/** An object of lists of texts is the deepest that texts can say. */
const DEPTH = 2;

/**
 * What a schema says of the texts that are to become values of it. A text is read as each of the types that the schema
 * names anywhere for this value; of several readings the one is meant that the schema takes.
 */
export class TextShape {
  /** Empty where the schema names none: then a text is a text. */
  readonly types: ReadonlySet<string>;
  /** Whether a text by itself can be a value of it. */
  readonly takesOne: boolean;
  /** Whether it says something of members that it does not name. */
  readonly judgesRest: boolean;
  readonly members: ReadonlyMap<string, TextShape>;
  private readonly items: TextShape | undefined;
  private readonly rest: TextShape | undefined;
  private readonly judges: readonly Validator[];

  /** @param origins schemas that all speak of one value */
  private constructor(document: SchemaDocument, origins: readonly Place[], depth: number) {
    const schemas = origins.flatMap((place) => appliedAt(document, place, BRANCHES));
    const isOpenApi30 = document.dialect === 'openapi-3.0';
    this.types = new Set(schemas.flatMap(({ node }) => typesNamed(node, isOpenApi30)));
    this.takesOne = this.types.size === 0 || [...this.types].some((type) => type !== 'array' && type !== 'object');
    this.judgesRest = schemas.some(({ node }) =>
      ['additionalProperties', 'patternProperties', 'unevaluatedProperties'].some(
        (word) => (node[word] ?? true) !== true,
      ),
    );
    const within = (places: readonly Place[]) =>
      depth === 0 || places.length === 0 ? undefined : new TextShape(document, places, depth - 1);
    this.items = within(schemas.flatMap((schema) => inside(schema, 'items')));
    // A text can be no object within an object.
    const objects = depth === DEPTH ? schemas : [];
    this.rest = within(
      objects.flatMap((schema) => [
        ...inside(schema, 'additionalProperties'),
        ...insideEach(schema, 'patternProperties').map(([, place]) => place),
      ]),
    );
    this.members = new Map([...membersOf(objects)].map(([name, places]) => [name, within(places)!] as const));
    this.judges = this.types.size > 1 ? origins.map(({ pointer }) => document.validator(pointer)) : [];
  }

  /** @throws SchemaError when a reference leads nowhere, or the schema cannot be compiled */
  static of(document: SchemaDocument, node: unknown, pointer: string): TextShape {
    return new TextShape(document, [{ node, pointer }], DEPTH);
  }

  /** The value that one text stands for; the text itself where nothing else fits. */
  read(text: string): unknown {
    return this.types.size === 0 ? text : this.chosen(this.readings(text));
  }

  /** The value of something that stands so often: one text by itself, or a list of them. */
  readAll(texts: readonly string[]): unknown {
    if (texts.length === 1 && !this.types.has('array')) return this.read(texts[0]!);
    const list = this.list(texts);
    if (texts.length !== 1 || !this.takesOne) return list;
    return this.chosen([list, ...this.readings(texts[0]!)]);
  }

  list(texts: readonly string[]): unknown[] {
    return texts.map((text) => (this.items ? this.items.read(text) : text));
  }

  object(pairs: Iterable<readonly [string, readonly string[]]>): Members {
    const value = Object.create(null) as Record<string, unknown>;
    for (const [name, texts] of pairs) {
      const shape = this.members.get(name) ?? this.rest;
      value[name] = shape ? shape.readAll(texts) : texts.length === 1 ? texts[0] : [...texts];
    }
    return value;
  }

  private readings(text: string): unknown[] {
    const { types } = this;
    const found: unknown[] = types.has('string') ? [text] : [];
    if ((types.has('integer') || types.has('number')) && NUMBER.test(text)) found.push(numberOf(text));
    if (types.has('boolean') && (text === 'true' || text === 'false')) found.push(text === 'true');
    if (types.has('null') && text === '') found.push(null);
    return found.length === 0 ? [text] : found;
  }

  /** The first one that most of the schemas take: what none takes is judged as the first type named it. */
  private chosen(readings: readonly unknown[]): unknown {
    if (readings.length === 1) return readings[0];
    const votes = readings.map((value) => this.judges.filter((judge) => judge(value) === undefined).length);
    return readings[votes.indexOf(Math.max(...votes))];
  }
}

function typesNamed({ type, nullable, enum: values, ...schema }: Members, isOpenApi30: boolean): string[] {
  const named = (Array.isArray(type) ? type : [type]).filter((name): name is string => typeof name === 'string');
  if (named.length > 0) return isOpenApi30 && nullable === true ? [...named, 'null'] : named;
  const allowed: unknown[] = Array.isArray(values) ? values : [];
  return [...allowed, ...('const' in schema && !isOpenApi30 ? [schema['const']] : [])].map(typeOf);
}

function typeOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}

function inside({ node, pointer }: SchemaPlace, keyword: string): Place[] {
  return isObject(node[keyword]) ? [{ node: node[keyword], pointer: `${pointer}/${keyword}` }] : [];
}

function insideEach({ node, pointer }: SchemaPlace, keyword: string): [string, Place][] {
  const members = node[keyword];
  if (!isObject(members)) return [];
  return Object.entries(members).map(([name, member]) => [
    name,
    { node: member, pointer: `${pointer}/${keyword}${writePointer([name])}` },
  ]);
}

/** What several schemas say of each member that one of them names. */
function membersOf(schemas: readonly SchemaPlace[]): ReadonlyMap<string, Place[]> {
  const members = new Map<string, Place[]>();
  for (const [name, place] of schemas.flatMap((schema) => insideEach(schema, 'properties'))) {
    const known = members.get(name);
    if (known) known.push(place);
    else members.set(name, [place]);
  }
  return members;
}
