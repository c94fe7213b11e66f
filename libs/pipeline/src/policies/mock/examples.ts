import type { Json } from '@sallyport/contracts';
import { readPointer } from '../../json/pointer';
import { pathTemplateFault, spelledAsInPaths } from '../../path-template';

type JsonObject = Readonly<Record<string, Json | undefined>>;

/** What one operation of an OpenAPI document answers in its examples, the answer that is meant where nobody asks first. */
export interface OperationExamples {
  readonly method: string;
  readonly path: string;
  readonly answers: readonly { readonly status: number; readonly type: string; readonly body: string | undefined }[];
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'] as const;

/**
 * Reads the examples of an OpenAPI 3 document (OAS 3.1 §4.8.16 and §4.8.19).
 * @returns every operation that answers something, or what is wrong with the document.
 */
export function examplesOf(document: JsonObject): OperationExamples[] | string {
  const paths = objectOf(document['paths']);
  if (!paths) return 'the document has no paths';
  const found: OperationExamples[] = [];
  for (const [path, item] of Object.entries(paths)) {
    const template = templateOf(path);
    const fault = pathTemplateFault(template);
    if (fault !== undefined) return `${path}: ${fault}`;
    for (const method of METHODS) {
      const operation = objectOf(objectOf(item)?.[method]);
      const answers = operation && answersOf(operation, document);
      if (answers && answers.length > 0) found.push({ method: method.toUpperCase(), path: template, answers });
    }
  }
  return found.length > 0 ? found : 'no operation of the document answers anything';
}

/** OpenAPI names parameters as it likes; here they are only places. */
function templateOf(path: string): string {
  let nth = 0;
  return path
    .split(/(\{[^{}/]*\}|\/)/)
    .map((part) => (part.startsWith('{') ? `{p${nth++}}` : part === '/' ? part : spelledAsInPaths(part)))
    .join('');
}

function answersOf(operation: JsonObject, document: JsonObject): OperationExamples['answers'] {
  const responses = Object.entries(objectOf(operation['responses']) ?? {});
  return responses
    .filter(([code]) => /^(?:[2-5](?:\d\d|XX)|default)$/.test(code))
    .sort(([one], [other]) => rankOf(one) - rankOf(other))
    .map(([code, response]) => answerOf(statusOf(code), resolve(response, document), document));
}

/**
 * OAS 3.1 §4.8.16: `2XX` stands for whatever success is not described by itself, and `default` for all that is not, mostly
 * errors. So a success that is described comes first, and what is described as no success last.
 */
function rankOf(code: string): number {
  if (/^2\d\d$/.test(code)) return Number(code);
  if (code === '2XX') return 300;
  return code === 'default' ? 301 : 302 + statusOf(code);
}

/** The status of an answer that is described for several. */
function statusOf(code: string): number {
  return code === 'default' ? 200 : Number(code.replace('XX', '00'));
}

function answerOf(
  status: number,
  response: JsonObject | undefined,
  document: JsonObject,
): OperationExamples['answers'][number] {
  const [type, media] = Object.entries(objectOf(response?.['content']) ?? {})[0] ?? [];
  const body = type === undefined ? undefined : exampleOf(objectOf(media), document);
  if (type === undefined || body === undefined) return { status, type: '', body: undefined };
  return { status, type, body: typeof body === 'string' && !type.includes('json') ? body : JSON.stringify(body) };
}

function exampleOf(media: JsonObject | undefined, document: JsonObject): Json | undefined {
  if (media?.['example'] !== undefined) return media['example'];
  const named = Object.values(objectOf(media?.['examples']) ?? {})[0];
  const value = resolve(named, document)?.['value'];
  if (value !== undefined) return value;
  const schema = resolve(media?.['schema'], document);
  return schema?.['example'] ?? (Array.isArray(schema?.['examples']) ? (schema['examples'] as Json[])[0] : undefined);
}

/** References within a document may lead to references. */
const MAX_HOPS = 8;

/** Follows references within the document (RFC 6901). */
function resolve(value: Json | undefined, document: JsonObject, hops = 0): JsonObject | undefined {
  const object = objectOf(value);
  const reference = object?.['$ref'];
  if (typeof reference !== 'string' || !reference.startsWith('#/') || hops === MAX_HOPS) return object;
  const found = readPointer(reference.slice(1))?.reduce<Json | undefined>(
    (at, part) => objectOf(at)?.[part],
    document as Json,
  );
  return resolve(found, document, hops + 1);
}

function objectOf(value: Json | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}
