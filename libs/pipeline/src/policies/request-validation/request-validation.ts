import { z } from 'zod';
import { refuse, type Refusal, type RequestHead, type Violation } from '@sallyport/contracts';
import { parseMediaType, type MediaType } from '@sallyport/proxy';
import { isFormType, isJsonType } from '@sallyport/waf';
import { wholeBodyBytes } from '../../config-values';
import { JsonFault, jsonBoundsOf, readJson } from '../../json/strict-json';
import { readPointer, writePointer } from '../../json/pointer';
import { dialectOf, SchemaDocument, type Validator } from '../../json-schema/schema-document';
import { SchemaError } from '../../json-schema/schema-compiler';
import { definePolicy, pass, type PolicyInput } from '../../policy';
import { compilePathTemplate, pathTemplateFault } from '../../path-template';
import { compileOpenApi, type BodyContent, type BodyRule, type Operation } from './openapi';
import {
  checkParameter,
  isSpread,
  namesOf,
  readCookies,
  readQuery,
  splitQuery,
  unescaped,
  type ParameterPlace,
  type RawParameters,
} from './parameters';
import { TextShape } from './text-shape';

/** A document is told as many faults as a person reads. */
const MAX_VIOLATIONS = 20;

const schema = z.union([z.boolean(), z.record(z.string(), z.json())]);

const config = z
  .strictObject({
    /** JSON Schemas (2020-12, or draft-07 where `$schema` says so) for the parts of a request. */
    body: schema.optional(),
    query: schema.optional(),
    header: schema.optional(),
    path: z.strictObject({ template: z.string().max(1024), schema }).optional(),
    /** What a body may be, where `body` is given. */
    mediaTypes: z
      .array(z.string().regex(/^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/))
      .min(1)
      .max(32)
      .default(['application/json']),
    bodyRequired: z.boolean().default(true),
    /** An OpenAPI 3.0 or 3.1 document, or the paths of one and what they refer to. Paths are below the path of the route. */
    openapi: z.record(z.string(), z.json()).optional(),
    /** What becomes of a request that the document does not describe. */
    unknownOperations: z.enum(['refuse', 'pass']).default('refuse'),
    /** What becomes of a query parameter that the document does not describe. */
    unknownParameters: z.enum(['refuse', 'pass']).default('pass'),
    maxBodyBytes: wholeBodyBytes,
  })
  .refine(
    ({ openapi, ...parts }) =>
      (openapi === undefined) !==
      [parts.body, parts.query, parts.header, parts.path].every((part) => part === undefined),
    'give an OpenAPI document, or schemas for parts of the request',
  )
  .superRefine((given, context) => {
    try {
      compileRules(given);
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error;
      context.addIssue({
        code: 'custom',
        path: [...(readPointer(error.pointer) ?? [])],
        message: error.what,
        input: given,
      });
    }
  });

type Config = z.output<typeof config>;

export const requestValidation = definePolicy({
  id: 'request-validation',
  summary:
    'Refuses requests that break their JSON Schemas or the OpenAPI document of the API, with the place of each fault.',
  config,
  example: { body: { type: 'object', required: ['sku'], properties: { sku: { type: 'string', maxLength: 32 } } } },
  compile: (given) => {
    const rules = compileRules(given);
    const owner = {};
    return {
      shape: (input) => {
        const found = rules(input);
        if (!found) return pass;
        if ('refused' in found) return found;
        const violations = found.violations(input);
        if (violations.length > 0) return violation(violations);
        const content = contentOf(input.request, found.body);
        if (content && 'refused' in content) return content;
        if (content) input.exchange.keep(owner, content);
        return pass;
      },
      requestBody: {
        mode: 'whole',
        maxBytes: given.maxBodyBytes,
        wants: ({ exchange }) => exchange.kept(owner) !== undefined,
        run: (input, body, _draft, done) => {
          done(checkBody(input, body, input.exchange.kept(owner) as BodyContent));
        },
      },
    };
  },
});

/** What one request has to meet. */
interface Rules {
  violations(input: PolicyInput): readonly Violation[];
  /** Undefined: nothing is said of a body. `null`: there must be none. */
  readonly body: BodyRule | null | undefined;
}

/** @throws SchemaError with a pointer into the configuration */
function compileRules(given: Config): (input: PolicyInput) => Rules | Refusal | undefined {
  return given.openapi === undefined ? compileParts(given) : compileDocument(given, given.openapi);
}

function compileDocument(
  given: Config,
  openapi: NonNullable<Config['openapi']>,
): (input: PolicyInput) => Rules | Refusal | undefined {
  const table = within('/openapi', () => compileOpenApi(openapi));
  return ({ request, exchange }) => {
    const found = table.find(request.method, request.path.slice(exchange.matched) || '/');
    if (found && 'operation' in found) {
      const { operation, path } = found;
      return {
        violations: () => checkParameters(operation, request, path, given.unknownParameters === 'refuse'),
        body: operation.body ?? null,
      };
    }
    if (given.unknownOperations === 'pass') return undefined;
    const { method, path } = request;
    return found
      ? refuse('METHOD_NOT_ALLOWED', { method, allow: found.allow })
      : refuse('ROUTE_NOT_FOUND', { method, path });
  };
}

function checkParameters(
  { parameters }: Operation,
  request: RequestHead,
  path: RawParameters,
  refusesUnknown: boolean,
): readonly Violation[] {
  const query = splitQuery(request.query);
  if (!query) return [BROKEN_QUERY];
  const header: RawParameters = { get: (name: string) => listOf(request.field.get(name)) } as never;
  const raw: Readonly<Record<ParameterPlace, RawParameters>> = {
    path,
    query,
    header,
    cookie: readCookies(request.field.get('cookie')),
  };
  const violations = parameters.flatMap((parameter) => checkParameter(parameter, raw[parameter.in]));
  if (refusesUnknown) violations.push(...unknownParameters(parameters, query));
  return violations.slice(0, MAX_VIOLATIONS);
}

function listOf(value: string | undefined): readonly string[] | undefined {
  return value === undefined ? undefined : [value];
}

function unknownParameters(parameters: Operation['parameters'], query: RawParameters): Violation[] {
  // What is no parameter is a member of such an object then, and was judged by its schema.
  if (parameters.some((parameter) => parameter.in === 'query' && isSpread(parameter) && parameter.shape.judgesRest))
    return [];
  const isKnown = namesOf(parameters);
  return [...query.keys()]
    .filter((name) => !isKnown(name))
    .map((name) => ({
      pointer: `/query${writePointer([name.slice(0, 100)])}`,
      code: 'unknown',
      detail: 'Is not known here.',
    }));
}

const BROKEN_QUERY: Violation = { pointer: '/query', code: 'encoding', detail: 'Has an escape that cannot be read.' };

function compileParts({ body, query, header, path, mediaTypes, bodyRequired }: Config): () => Rules {
  const checks: ((input: PolicyInput) => readonly Violation[])[] = [];
  if (path !== undefined) checks.push(within('/path', () => pathCheck(path)));
  if (query !== undefined) {
    const check = partCheck('query', query);
    checks.push(({ request }) => {
      const raw = readQuery(request.query);
      return raw ? check(raw) : [BROKEN_QUERY];
    });
  }
  if (header !== undefined) {
    const check = partCheck('header', header);
    checks.push(({ request }) => check(new Map([...request.field].map(([name, value]) => [name, [value]]))));
  }
  const rules: Rules = {
    violations: (input) => checks.flatMap((check) => check(input)).slice(0, MAX_VIOLATIONS),
    body:
      body === undefined
        ? undefined
        : { required: bodyRequired, contents: within('/body', () => contentsOf(body, mediaTypes)) },
  };
  return () => rules;
}

function contentsOf(schema: unknown, mediaTypes: readonly string[]): BodyContent[] {
  const document = new SchemaDocument(schema, dialectOf(schema));
  const [validate, shape] = [document.validator(), TextShape.of(document, schema, '')];
  return mediaTypes.map((range) => ({ range, validate, shape }));
}

/** Texts become what the schema takes them for: `3` a number, a parameter that stands twice a list. */
function partCheck(part: 'query' | 'header' | 'path', given: unknown): (raw: RawParameters) => readonly Violation[] {
  const at = part === 'path' ? '/schema' : `/${part}`;
  const [validate, shape] = within(at, (): [Validator, TextShape] => {
    const document = new SchemaDocument(given, dialectOf(given));
    return [document.validator(), TextShape.of(document, given, '')];
  });
  return (raw) => {
    const value = shape.object(raw);
    return (validate(value) ?? []).map((fault) => ({ ...fault, pointer: `/${part}${fault.pointer}` }));
  };
}

function pathCheck({
  template: text,
  schema: given,
}: NonNullable<Config['path']>): (input: PolicyInput) => readonly Violation[] {
  const fault = pathTemplateFault(text);
  if (fault !== undefined) throw new SchemaError('/template', fault);
  const template = compilePathTemplate(text);
  const check = partCheck('path', given);
  return ({ request, exchange }) => {
    const found = template.match(request.path.slice(exchange.matched) || '/');
    if (!found)
      return [{ pointer: '/path', code: 'template', detail: 'Does not have the form that is expected here.' }];
    const texts = Object.entries(found).map(([name, escaped]) => [name, unescaped(escaped)] as const);
    if (texts.some(([, value]) => value === undefined))
      return [{ pointer: '/path', code: 'encoding', detail: 'Has an escape that cannot be read.' }];
    return check(new Map(texts.map(([name, value]) => [name, [value!]])));
  };
}

/** Puts the place of a part before the place of a fault within it. */
function within<Value>(pointer: string, compile: () => Value): Value {
  try {
    return compile();
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error;
    throw new SchemaError(pointer + error.pointer, error.what);
  }
}

/** Which of the contents a body is, by what the caller says of it. */
function contentOf(request: RequestHead, rule: BodyRule | null | undefined): BodyContent | Refusal | undefined {
  if (rule === undefined) return undefined;
  const isThere = request.hasBody && request.contentLength !== 0;
  if (rule === null) return isThere ? refuse('MEDIA_TYPE_UNSUPPORTED', { accepted: 'no body' }) : undefined;
  if (!isThere)
    return rule.required ? violation([{ pointer: '', code: 'required', detail: 'A body is missing.' }]) : undefined;
  const type = parseMediaType(request.field.get('content-type') ?? '');
  const content = type && rule.contents.find(({ range }) => isWithin(type.essence, range));
  if (content && isReadable(request, type)) return content;
  const accepted = rule.contents.map(({ range }) => range).join(', ');
  return refuse('MEDIA_TYPE_UNSUPPORTED', {
    accepted: content ? `${accepted} in UTF-8 and without a content coding` : accepted,
  });
}

/** What is packed, or in another alphabet, would be read by the upstream and not by us. */
function isReadable(request: RequestHead, type: MediaType): boolean {
  if ((request.field.get('content-encoding') ?? 'identity').toLowerCase() !== 'identity') return false;
  return !isText(type.essence) || (type.parameters.get('charset') ?? 'utf-8').toLowerCase() === 'utf-8';
}

function isWithin(essence: string, range: string): boolean {
  return range === '*/*' || essence === range || (range.endsWith('/*') && essence.startsWith(range.slice(0, -1)));
}

function isText(essence: string): boolean {
  return isJsonType(essence) || isFormType(essence) || essence.startsWith('text/');
}

function checkBody(input: PolicyInput, body: Buffer, { validate, shape }: BodyContent): Refusal | undefined {
  const value = valueOfBody(input, body, shape);
  if (!value) return pass;
  if ('refused' in value) return value;
  const violations = validate?.(value.value);
  return violations && violation(violations);
}

/** @returns undefined for media types whose content is not looked into. */
function valueOfBody(
  { request, exchange }: PolicyInput,
  body: Buffer,
  shape: TextShape,
): { readonly value: unknown } | Refusal | undefined {
  const essence = request.mediaType ?? '';
  if (isJsonType(essence)) {
    const read = readJson(body, jsonBoundsOf(exchange.route));
    return read instanceof JsonFault
      ? refuse('REQUEST_MALFORMED', { reason: `the body ${read.what}, at ${read.at}` })
      : read;
  }
  if (isFormType(essence)) {
    const form = readQuery(body.toString('latin1'));
    if (!form) return refuse('REQUEST_MALFORMED', { reason: 'the form has an escape that cannot be read' });
    return { value: shape.object(form) };
  }
  return essence.startsWith('text/') ? { value: body.toString('utf8') } : undefined;
}

function violation(violations: readonly Violation[]): Refusal {
  const [first] = violations;
  const where = first!.pointer === '' ? 'the body' : first!.pointer;
  return refuse('SCHEMA_VIOLATION', { reason: `${where}: ${first!.detail}` }, { violations });
}
