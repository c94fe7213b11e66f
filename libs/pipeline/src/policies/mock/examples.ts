import type { Json } from '@sallyport/contracts';
import { pathTemplateFault } from '../../path-template';

type JsonObject = Readonly<Record<string, Json | undefined>>;

/** What one operation of an OpenAPI document answers in its examples, the answer meant by default first. */
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
  return path.replace(/\{[^{}/]*\}/g, () => `{p${nth++}}`);
}

function answersOf(operation: JsonObject, document: JsonObject): OperationExamples['answers'] {
  const responses = objectOf(operation['responses']) ?? {};
  return Object.entries(responses)
    .flatMap(([code, response]) => {
      const status = /^[2-5]\d\d$/.test(code) ? Number(code) : code === 'default' ? 200 : undefined;
      return status === undefined ? [] : [answerOf(status, resolve(response, document))];
    })
    .sort((one, other) => one.status - other.status);
}

function answerOf(status: number, response: JsonObject | undefined): OperationExamples['answers'][number] {
  const [type, media] = Object.entries(objectOf(response?.['content']) ?? {})[0] ?? [];
  const body = type === undefined ? undefined : exampleOf(objectOf(media));
  if (type === undefined || body === undefined) return { status, type: '', body: undefined };
  return { status, type, body: typeof body === 'string' && !type.includes('json') ? body : JSON.stringify(body) };
}

function exampleOf(media: JsonObject | undefined): Json | undefined {
  if (media?.['example'] !== undefined) return media['example'];
  const named = Object.values(objectOf(media?.['examples']) ?? {})[0];
  const value = objectOf(named)?.['value'];
  if (value !== undefined) return value;
  const schema = objectOf(media?.['schema']);
  return schema?.['example'] ?? (Array.isArray(schema?.['examples']) ? (schema['examples'] as Json[])[0] : undefined);
}

/** One step of a reference within the document (RFC 6901). */
function resolve(value: Json | undefined, document: JsonObject): JsonObject | undefined {
  const object = objectOf(value);
  const reference = object?.['$ref'];
  if (typeof reference !== 'string' || !reference.startsWith('#/')) return object;
  const found = reference
    .slice(2)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<Json | undefined>((at, part) => objectOf(at)?.[part], document as Json);
  return objectOf(found);
}

function objectOf(value: Json | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}
